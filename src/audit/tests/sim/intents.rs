//! Calls that wait for the disk: the power is cut, or something fails, at every operation, and each
//! call that was told that it may run, or that it is recorded, has its record afterwards.

use super::super::{LONG, MORNING, TestSigner, facts_at, options};
use super::{Fault, Gate, Op, SimDisk, check};
use crate::audit::journal::{Stuck, start};
use crate::audit::{Admit, Log, OpenError, ShutdownError};
use crate::call::{AuditMode, Status};
use crate::clock::{Clock as _, System};
use rustix::io::Errno;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// What one call was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// Its intent is durable: its handler ran.
    ran: bool,
    /// Its outcome is durable: its reply left.
    answered: bool,
}

const CALLS: u64 = 5;
/// The ids of the calls that a second process makes.
const LATER: u64 = 100;

fn open(disk: &SimDisk) -> Result<Log, OpenError> {
    let signer = TestSigner::new();
    let options = options(&signer, disk.sink()).drop_within(Duration::ZERO).journal();
    Log::open(options.linger(Duration::ZERO))
}

/// Makes calls one after the other, as the stack does it, until the power is cut.
async fn calls(disk: &SimDisk, mode: AuditMode, ids: std::ops::Range<u64>) -> Vec<(u64, Told)> {
    let mut told = Vec::new();
    let Ok(log) = open(disk) else { return told };
    for id in ids {
        let Ok(slot) = log.admit_within(LONG).await else { break };
        let mut facts = facts_at(id, MORNING);
        let ran = match log.intend(&mut facts) {
            Ok(durable) => durable.wait().await.is_ok(),
            Err(_) => false,
        };
        let mut one = Told { ran, answered: false };
        facts.status = if one.ran { Status::Ok } else { Status::Denied };
        if mode == AuditMode::BlockingStrict {
            one.answered = match log.push_durable(Some(slot), facts) {
                Ok(durable) => durable.wait().await.is_ok(),
                Err(_) => false,
            };
        } else {
            log.push(slot, facts);
        }
        told.push((id, one));
        if disk.is_off() {
            return told;
        }
    }
    while !disk.is_off() {
        match log.shutdown(Duration::from_millis(20)).await {
            Ok(()) => {
                for (_, one) in &mut told {
                    one.answered = true;
                }
                break;
            }
            Err(ShutdownError::Late { .. }) => {}
            Err(_) => break,
        }
    }
    told
}

/// Starts again on what is left, and holds the log against what the calls were told.
async fn assert_kept(disk: &SimDisk, told: &[(u64, Told)], case: &dyn Debug) {
    let log = open(disk).unwrap_or_else(|error| panic!("{case:?}: {error}"));
    log.shutdown(LONG).await.unwrap_or_else(|error| panic!("{case:?}: {error}"));
    drop(log);
    let records = check(disk).unwrap_or_else(|why| panic!("{case:?}: {why}"));
    for (id, one) in told {
        let key = id.to_string();
        let own = records.iter().find(|record| record.member("idempotency_key") == Some(&*key));
        let status = own.and_then(|record| record.member("status"));
        let expected: &[Option<&str>] = match (one.ran, one.answered) {
            (true, true) => &[Some("ok")],
            (true, false) => &[Some("ok"), Some("unknown")],
            (false, true) => &[Some("denied")],
            (false, false) => &[Some("denied"), Some("unknown"), None],
        };
        assert!(expected.contains(&status), "{case:?}: call {id}, {one:?}, has {status:?}");
    }
    let journal = disk.files().into_iter().filter(|(name, _)| name.starts_with("journal/"));
    assert_eq!(journal.count(), 0, "{case:?}: the journal is not empty after a clean end");
}

async fn operations(mode: AuditMode) -> u64 {
    let disk = SimDisk::default();
    let told = calls(&disk, mode, 0..CALLS).await;
    assert!(told.iter().all(|(_, one)| one.ran && one.answered), "{told:?}");
    // The second thread makes their number a little different each time.
    disk.operations() + 6
}

async fn no_crash_loses_what_was_told(mode: AuditMode) {
    for number in 0..operations(mode).await {
        let disk = SimDisk::default();
        disk.at(number, Fault::Crash);
        let told = calls(&disk, mode, 0..CALLS).await;
        for survival in disk.survivals(3) {
            assert_kept(&disk.after_crash(survival), &told, &(number, survival)).await;
        }
    }
}

#[tokio::test]
async fn after_a_crash_anywhere_each_call_that_ran_has_one_record() {
    no_crash_loses_what_was_told(AuditMode::Blocking).await;
}

#[tokio::test]
async fn after_a_crash_anywhere_each_call_that_was_answered_has_its_outcome() {
    no_crash_loses_what_was_told(AuditMode::BlockingStrict).await;
}

#[tokio::test]
async fn a_crash_of_the_recovery_loses_nothing_either() {
    let mode = AuditMode::BlockingStrict;
    for number in (0..operations(mode).await).step_by(3) {
        let disk = SimDisk::default();
        disk.at(number, Fault::Crash);
        let told = calls(&disk, mode, 0..CALLS).await;
        for survival in disk.survivals(1) {
            for again in (0..30).step_by(2) {
                let second = disk.after_crash(survival);
                second.at(again, Fault::Crash);
                let mut both = told.clone();
                both.extend(calls(&second, mode, LATER..LATER + 2).await);
                for after in second.survivals(1) {
                    let case = (number, survival, again, after);
                    assert_kept(&second.after_crash(after), &both, &case).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn no_fault_of_any_operation_leaves_a_call_that_ran_without_its_record() {
    for mode in [AuditMode::Blocking, AuditMode::BlockingStrict] {
        for number in 0..operations(mode).await {
            for fault in [Fault::Fail(Errno::IO), Fault::Fail(Errno::NOSPC), Fault::Short] {
                let case = (mode, number, fault.clone());
                let disk = SimDisk::default();
                disk.at(number, fault);
                let told = calls(&disk, mode, 0..CALLS).await;
                // It may not have come to that operation.
                disk.heal();
                assert_kept(&disk, &told, &case).await;
            }
        }
    }
}

fn has_segments(disk: &SimDisk) -> bool {
    disk.files().iter().any(|(name, _)| name.starts_with("journal/"))
}

#[test]
fn a_call_whose_line_is_durable_before_the_journal_takes_its_outcome_holds_no_segment() {
    let (disk, gate) = (SimDisk::default(), Gate::default());
    disk.next(Op::Sync, Fault::Hang(gate.clone()));
    let on = Arc::new(disk.clone());
    let journal = start(on, "journal".to_owned(), System::shared(), (1, 0), None).unwrap();
    let stuck = || Stuck { now: System.monotonic(), after: LONG };
    let (first, _) = journal.intend(b"it has the disk hang", stuck()).unwrap();
    gate.wait_until_reached();
    let (second, ack) = journal.conclude(None, b"it comes meanwhile", stuck()).unwrap();
    journal.settled(&[first, second], 1);
    gate.open();
    assert_eq!(ack.blocking_recv().unwrap(), Ok(()));
    journal.close();
    assert!(!has_segments(&disk));
}

#[tokio::test]
async fn a_refused_call_that_is_recorded_durably_holds_no_segment() {
    let disk = SimDisk::default();
    let log = Log::open(options(&TestSigner::new(), disk.sink()).journal().capacity(1)).unwrap();
    let Admit::Slot(slot) = log.admit() else { panic!("not admitted") };
    log.push_durable(None, facts_at(1, MORNING)).unwrap().wait().await.unwrap();
    log.push(slot, facts_at(2, MORNING));
    log.shutdown(LONG).await.unwrap();
    assert!(!has_segments(&disk));
}
