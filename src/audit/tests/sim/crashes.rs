//! The power is cut, or something fails, at every operation there is.

use super::script::Author;
use super::{Fault, SimDisk, Survival, check};
use crate::audit::AuditSink as _;
use rustix::io::Errno;

/// How many operations the script takes on a disk that works.
fn operations() -> u64 {
    let disk = SimDisk::default();
    let mut author = Author::behind(Vec::new());
    assert!(author.write(&disk));
    assert_holds(&disk, &author, &"undisturbed");
    disk.operations()
}

/// What everything here can do to one operation, but for cutting the power.
fn faults() -> [Fault; 4] {
    [Fault::Fail(Errno::IO), Fault::Fail(Errno::NOSPC), Fault::Late(Errno::IO), Fault::Short]
}

/// Opens the log again: it holds, nothing that was durable is missing, and nothing is there that
/// was never written.
fn recover(disk: &SimDisk, author: &Author, case: &dyn std::fmt::Debug) -> Vec<String> {
    disk.sink().tail().unwrap_or_else(|error| panic!("{case:?}: {error}"));
    assert_holds(disk, author, case)
}

fn assert_holds(disk: &SimDisk, author: &Author, case: &dyn std::fmt::Debug) -> Vec<String> {
    let records = check(disk).unwrap_or_else(|why| panic!("{case:?}: {why}"));
    let lines: Vec<_> = records.into_iter().map(|record| record.text).collect();
    let (kept, durable) = (lines.len(), author.durable);
    assert!(kept >= durable, "{case:?}: {kept} lines are left of {durable} durable ones");
    assert!(author.lines.starts_with(&lines), "{case:?}: lines that nobody wrote");
    lines
}

/// Recovers, writes on, and cuts the power once more: all of it is there.
fn recover_and_go_on(disk: &SimDisk, author: &Author, case: &dyn std::fmt::Debug) {
    let mut next = Author::behind(recover(disk, author, case));
    assert!(next.write(disk), "{case:?}");
    let after = disk.after_crash(Survival::Nothing);
    assert_eq!(recover(&after, &next, case), next.lines, "{case:?}");
}

#[test]
fn no_crash_at_any_operation_tears_doubles_or_loses_a_line_that_was_durable() {
    for number in 0..operations() {
        let disk = SimDisk::default();
        disk.at(number, Fault::Crash);
        let mut author = Author::behind(Vec::new());
        assert!(!author.write(&disk), "the power stayed on at {number}");
        for survival in disk.survivals(12) {
            recover_and_go_on(&disk.after_crash(survival), &author, &(number, survival));
        }
    }
}

#[test]
fn a_crash_during_recovery_is_recovered_from() {
    for number in 0..operations() {
        let disk = SimDisk::default();
        disk.at(number, Fault::Crash);
        let mut author = Author::behind(Vec::new());
        author.write(&disk);
        for seed in 0..3 {
            let torn = Survival::Blocks { seed };
            for again in 0.. {
                let disk = disk.after_crash(torn);
                disk.at(again, Fault::Crash);
                if disk.sink().tail().is_ok() {
                    break;
                }
                for survival in disk.survivals(3) {
                    let case = (number, torn, again, survival);
                    recover(&disk.after_crash(survival), &author, &case);
                }
            }
        }
    }
}

#[test]
fn no_fault_of_any_operation_keeps_a_line_from_being_durable_in_the_end() {
    for number in 0..operations() {
        for fault in faults() {
            let case = (number, fault.clone());
            let disk = SimDisk::default();
            disk.at(number, fault);
            let mut author = Author::behind(Vec::new());
            assert!(author.write(&disk), "{case:?}");
            let after = disk.after_crash(Survival::Nothing);
            assert_eq!(recover(&after, &author, &case), author.lines, "{case:?}");
        }
    }
}

#[test]
fn no_two_faults_keep_a_line_from_being_durable_in_the_end() {
    for first in 0..operations() {
        // Whatever the first fault has the writer do differently is over after as many operations.
        for second in first + 1..first + 12 {
            for (one, other) in [
                (Fault::Fail(Errno::IO), Fault::Fail(Errno::IO)),
                (Fault::Short, Fault::Fail(Errno::NOSPC)),
                (Fault::Fail(Errno::IO), Fault::Late(Errno::IO)),
            ] {
                let case = (first, one.clone(), second, other.clone());
                let disk = SimDisk::default();
                disk.at(first, one);
                disk.at(second, other);
                let mut author = Author::behind(Vec::new());
                assert!(author.write(&disk), "{case:?}");
                let after = disk.after_crash(Survival::Nothing);
                assert_eq!(recover(&after, &author, &case), author.lines, "{case:?}");
            }
        }
    }
}

#[test]
fn no_crash_after_a_fault_tears_doubles_or_loses_a_line_that_was_durable() {
    for first in 0..operations() {
        for fault in faults() {
            for second in first + 1..first + 12 {
                let case = (first, fault.clone(), second);
                let disk = SimDisk::default();
                disk.at(first, fault.clone());
                disk.at(second, Fault::Crash);
                let mut author = Author::behind(Vec::new());
                author.write(&disk);
                for survival in [Survival::Nothing, Survival::All] {
                    recover(&disk.after_crash(survival), &author, &(&case, survival));
                }
                for seed in 0..2 {
                    let survival = Survival::Blocks { seed };
                    recover(&disk.after_crash(survival), &author, &(&case, survival));
                }
            }
        }
    }
}

/// The process ends where a fault has hit it, and the machine stays up: what reading shows may
/// never reach the disk, and the next process goes on behind it.
#[test]
fn what_a_start_goes_on_from_is_durable_whatever_hit_the_process_before() {
    for number in 0..operations() {
        for delay in 1..5 {
            let disk = SimDisk::default();
            disk.at(number, Fault::Fail(Errno::IO));
            disk.at(number + delay, Fault::Crash);
            let mut author = Author::behind(Vec::new());
            author.write(&disk);
            recover_and_go_on(&disk.after_kill(), &author, &(number, delay));
        }
    }
}
