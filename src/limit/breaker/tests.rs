use super::*;
use crate::call::{BreakerRule, CircuitChange, CircuitState};
use crate::clock::{Clock as _, System};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

/// One tool with a clock that is moved by hand.
struct Bench {
    circuits: Circuits,
    now: Instant,
}

impl Bench {
    fn new(rule: BreakerRule) -> Self {
        let now = System::default().monotonic();
        let bench = Self { circuits: Circuits::new(rule, now).unwrap(), now };
        // The first call makes the circuits.
        assert_eq!(bench.admit(), Passage::Free);
        bench
    }

    fn admit(&self) -> Passage {
        self.circuits.admit("add", ["add"].into_iter(), self.now)
    }

    fn probe(&self) -> Probe {
        match self.admit() {
            Passage::Tried(probe) => probe,
            other @ (Passage::Free | Passage::Barred(_)) => panic!("{other:?}"),
        }
    }

    fn end(&self, probe: Option<Probe>, failed: bool, millis: u64) -> Option<CircuitChange> {
        let sample = Sample { failed, latency: Duration::from_millis(millis) };
        self.circuits.end("add", probe, Some(sample), self.now)
    }

    /// Fails so often that the circuit opens.
    fn open(&self) {
        let opened = (0..4).find_map(|_| self.end(None, true, 1)).unwrap();
        assert_eq!(opened.state, CircuitState::Open);
    }
}

fn errors(pct: f64) -> BreakerRule {
    BreakerRule { error_rate_pct: Some(pct), min_samples: 4, ..BreakerRule::default() }
}

fn slow(millis: u64, min_samples: u32) -> BreakerRule {
    let p95_latency = Some(Duration::from_millis(millis));
    BreakerRule { p95_latency, min_samples, ..BreakerRule::default() }
}

#[test]
fn a_rule_that_is_off_makes_no_circuits() {
    assert!(Circuits::new(BreakerRule::default(), System::default().monotonic()).is_none());
}

#[test]
fn it_opens_at_the_rate_and_not_before_there_are_enough_calls() {
    let bench = Bench::new(errors(50.0));
    for failed in [true, true, false] {
        assert_eq!(bench.end(None, failed, 1), None);
    }
    let state = CircuitState::Open;
    let opened = CircuitChange { state, calls: 4, failed: 2, slow: 0 };
    assert_eq!(bench.end(None, false, 1), Some(opened));
    assert_eq!(bench.admit(), Passage::Barred(30 * SECOND));
}

#[test]
fn it_stays_closed_below_the_rate() {
    let bench = Bench::new(errors(50.0));
    for turn in 0..1000 {
        assert_eq!(bench.end(None, turn % 3 == 2, 1), None, "{turn}");
    }
    assert_eq!(bench.admit(), Passage::Free);
}

#[test]
fn calls_are_forgotten_after_the_window() {
    let mut bench = Bench::new(errors(50.0));
    for _ in 0..3 {
        assert_eq!(bench.end(None, true, 1), None);
    }
    bench.now += MINUTE;
    for _ in 0..3 {
        assert_eq!(bench.end(None, true, 1), None);
    }
    bench.now += SECOND * 54;
    assert!(bench.end(None, true, 1).is_some(), "within it they count");
}

#[test]
fn a_tool_that_was_not_frozen_has_no_circuit() {
    let bench = Bench::new(errors(1.0));
    bench.open();
    assert_eq!(bench.circuits.admit("sub", ["sub"].into_iter(), bench.now), Passage::Free);
    let sample = Sample { failed: true, latency: SECOND };
    assert_eq!(bench.circuits.end("sub", None, Some(sample), bench.now), None);
}

#[test]
fn after_the_pause_one_call_is_tried_and_the_others_wait() {
    let mut bench = Bench::new(errors(50.0));
    bench.open();
    bench.now += Duration::from_nanos(29_999_999_999);
    assert_eq!(bench.admit(), Passage::Barred(Duration::from_millis(1)));
    bench.now += Duration::from_nanos(1);
    let probe = bench.probe();
    for _ in 0..10 {
        assert_eq!(bench.admit(), Passage::Barred(30 * SECOND));
    }
    let closed = CircuitChange { state: CircuitState::Closed, calls: 1, failed: 0, slow: 0 };
    assert_eq!(bench.end(Some(probe), false, 1), Some(closed));
    assert_eq!(bench.admit(), Passage::Free);
    // What it had counted before is gone.
    assert_eq!(bench.end(None, true, 1), None);
}

#[test]
fn a_tried_call_that_fails_opens_it_for_another_while() {
    let mut bench = Bench::new(errors(50.0));
    bench.open();
    bench.now += 30 * SECOND;
    let probe = bench.probe();
    bench.now += SECOND;
    assert_eq!(bench.end(Some(probe), true, 1), None);
    assert_eq!(bench.admit(), Passage::Barred(30 * SECOND));
}

#[test]
fn a_tried_call_that_says_nothing_gives_its_place_back() {
    let mut bench = Bench::new(errors(50.0));
    bench.open();
    bench.now += 30 * SECOND;
    let probe = bench.probe();
    assert!(matches!(bench.admit(), Passage::Barred(_)));
    assert_eq!(bench.circuits.end("add", Some(probe), None, bench.now), None);
    bench.probe();
}

#[test]
fn a_tried_call_that_never_ends_is_not_waited_for_longer_than_the_pause() {
    let mut bench = Bench::new(errors(50.0));
    bench.open();
    bench.now += 30 * SECOND;
    let lost = bench.probe();
    bench.now += 30 * SECOND;
    let next = bench.probe();
    // The lost one comes after all: neither its place nor its word counts now.
    assert_eq!(bench.circuits.end("add", Some(lost), None, bench.now), None);
    assert_eq!(bench.end(Some(lost), true, 1), None);
    assert!(matches!(bench.admit(), Passage::Barred(_)));
    assert!(bench.end(Some(next), false, 1).is_some());
}

#[test]
fn all_of_several_tried_calls_must_go_well() {
    let mut bench = Bench::new(BreakerRule { probes: 3, ..errors(50.0) });
    bench.open();
    bench.now += 30 * SECOND;
    let probes = [bench.probe(), bench.probe(), bench.probe()];
    assert!(matches!(bench.admit(), Passage::Barred(_)));
    assert_eq!(bench.end(Some(probes[0]), false, 1), None);
    assert!(matches!(bench.admit(), Passage::Barred(_)), "three in all, not three at a time");
    assert_eq!(bench.end(Some(probes[1]), false, 1), None);
    assert_eq!(bench.end(Some(probes[2]), false, 1).map(|closed| closed.calls), Some(3));
}

#[test]
fn calls_from_before_it_opened_change_nothing_any_more() {
    let mut bench = Bench::new(errors(50.0));
    bench.open();
    assert_eq!(bench.end(None, true, 1), None);
    bench.now += 30 * SECOND;
    let probe = bench.probe();
    assert_eq!(bench.end(None, true, 1), None);
    assert_eq!(bench.end(None, false, 1), None);
    assert!(bench.end(Some(probe), false, 1).is_some());
}

#[test]
fn where_only_latency_counts_a_failure_that_is_fast_does_not() {
    let bench = Bench::new(slow(100, 4));
    for _ in 0..100 {
        assert_eq!(bench.end(None, true, 99), None);
    }
    assert_eq!(bench.admit(), Passage::Free);
}

proptest! {
    /// Counting the slow calls says of the percentile what sorting all latencies would.
    #[test]
    fn the_percentile_is_held_against_its_bound_without_an_error(
        latencies in proptest::collection::vec(0_u64..40, 1..120),
        bound in 1_u64..40,
        min_samples in 1_u32..60,
    ) {
        let bench = Bench::new(slow(bound, min_samples));
        let mut opened = None;
        for (index, latency) in latencies.iter().enumerate() {
            if bench.end(None, false, *latency).is_some() {
                opened = Some(index);
                break;
            }
        }
        let naive = (0..latencies.len()).find(|index| {
            let mut sorted = latencies[..=*index].to_vec();
            sorted.sort_unstable();
            let rank = (sorted.len() * 95).div_ceil(100);
            sorted.len() >= usize::try_from(min_samples).unwrap() && sorted[rank - 1] >= bound
        });
        prop_assert_eq!(opened, naive);
    }

    /// Whatever happens in whatever order: never more calls are tried at once than stated, and what
    /// is open is tried again after its pause at the latest.
    #[test]
    fn no_more_calls_are_tried_than_stated(
        steps in proptest::collection::vec((0_u8..5, 0_u64..40), 1..200),
        probes in 1_u32..4,
    ) {
        let mut bench = Bench::new(BreakerRule { probes, ..errors(50.0) });
        let mut held: Vec<(Probe, Instant)> = Vec::new();
        for (step, seconds) in steps {
            match step {
                0 => bench.now += Duration::from_secs(seconds),
                1 => drop(bench.end(None, true, 1)),
                2 => match bench.admit() {
                    Passage::Tried(probe) => {
                        held.push((probe, bench.now));
                        let alike = held.iter().filter(|(other, _)| *other == probe).count();
                        prop_assert!(alike <= usize::try_from(probes).unwrap());
                    }
                    Passage::Barred(wait) => prop_assert!(wait <= 30 * SECOND),
                    Passage::Free => {}
                },
                other => if let Some((probe, _)) = held.pop() {
                    if other == 3 {
                        bench.circuits.end("add", Some(probe), None, bench.now);
                    } else {
                        bench.end(Some(probe), seconds > 20, 1);
                        held.retain(|(kept, _)| *kept != probe || seconds <= 20);
                    }
                }
            }
        }
        bench.now += 30 * SECOND;
        prop_assert!(!matches!(bench.admit(), Passage::Barred(_)), "it never lets anybody in again");
    }
}
