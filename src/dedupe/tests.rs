use super::*;
use crate::clock::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const SCOPE: Scope<'_> = Scope {
    tenant: "acme",
    principal: "user:ana",
    server: "demo",
    tool: "pay",
    version: Some("1.0"),
    key: "k",
};

fn asked(key: &str, arguments: u8) -> Arc<Asked> {
    Arc::new(Asked::new(&Scope { key, ..SCOPE }, key, [arguments; 32]))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

async fn begin(store: &MemoryStore, key: &str, arguments: u8, now: i64) -> Begun {
    store.begin(&asked(key, arguments), at(now)).await.unwrap()
}

fn first(begun: Begun) -> Ticket {
    let Begun::First(ticket) = begun else { panic!("{begun:?}") };
    ticket
}

#[test]
fn a_key_is_another_for_every_part_of_its_scope() {
    let scopes = [
        SCOPE,
        Scope { tenant: "other", ..SCOPE },
        Scope { principal: "user:bob", ..SCOPE },
        Scope { server: "other", ..SCOPE },
        Scope { tool: "give", ..SCOPE },
        Scope { key: "l", ..SCOPE },
        // A tool without a version may have an `@` in its name.
        Scope { tool: "pay@1.0", version: None, ..SCOPE },
        Scope { tool: "pay", version: None, ..SCOPE },
        Scope { version: Some("2.0"), ..SCOPE },
        // The same letters, cut elsewhere.
        Scope { version: Some("1.0k"), key: "", ..SCOPE },
        Scope { principal: "user:anademo", server: "", ..SCOPE },
    ];
    let keys: Vec<_> = scopes.iter().map(|scope| Asked::new(scope, "", [0; 32]).key).collect();
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[..at].contains(key), "{:?}", scopes[at]);
    }
    let shares = scopes.map(|scope| Asked::new(&scope, "", [0; 32]).share);
    assert_eq!(shares[0], shares[3], "one principal has one share of the store");
    assert_ne!(shares[0], shares[2]);
}

#[tokio::test]
async fn a_result_is_given_back_until_its_time_is_over() {
    let store = MemoryStore::new(DedupeOptions::default().ttl(Duration::from_mins(1)).bounds());
    let ticket = first(begin(&store, "k", 1, 0).await);
    assert!(matches!(begin(&store, "k", 1, 0).await, Begun::Running));
    assert!(matches!(begin(&store, "k", 2, 0).await, Begun::OtherArguments));
    ticket.end(Ending::Done(Some(b"paid".to_vec())), at(0)).await.unwrap();
    assert!(matches!(begin(&store, "k", 1, 59).await, Begun::Stored(result) if result == b"paid"));
    assert!(matches!(begin(&store, "k", 2, 59).await, Begun::OtherArguments));
    first(begin(&store, "k", 2, 60).await);
}

#[test]
fn the_time_of_a_result_keeps_to_its_bounds() {
    for (asked, kept) in [(0, 30), (29, 30), (1800, 1800), (86_400, 86_400), (90_000, 86_400)] {
        let options = DedupeOptions::default().ttl(Duration::from_secs(asked));
        assert_eq!(options.bounds().expiry(at(100)), at(100 + kept));
    }
    assert_eq!(Bounds::default().expiry(at(0)), at(1800));
}

#[tokio::test]
async fn a_key_whose_call_ended_unknown_is_free_only_when_it_is_released() {
    let store = MemoryStore::default();
    let ticket = first(begin(&store, "k", 1, 0).await);
    assert!(!store.release(&asked("k", 1).key), "it still runs");
    ticket.end(Ending::Unknown, at(0)).await.unwrap();
    assert!(matches!(begin(&store, "k", 1, 1 << 40).await, Begun::Unknown));
    assert!(store.release(&asked("k", 1).key));
    first(begin(&store, "k", 1, 0).await);
}

#[tokio::test]
async fn a_ticket_that_is_dropped_frees_its_key() {
    let store = MemoryStore::default();
    drop(begin(&store, "k", 1, 0).await);
    drop(store.begin(&asked("k", 1), at(0)));
    first(begin(&store, "k", 2, 0).await);
}

#[tokio::test]
async fn a_result_that_is_too_large_is_not_kept_and_not_run_again() {
    let options = DedupeOptions::default().max_result_bytes(3).max_stored_bytes(8);
    let store = MemoryStore::new(options.bounds());
    for (key, len, kept) in [("a", 4, false), ("b", 3, true), ("c", 2, false)] {
        let ticket = first(begin(&store, key, 1, 0).await);
        ticket.end(Ending::Done(Some(vec![0; len])), at(0)).await.unwrap();
        let again = begin(&store, key, 1, 0).await;
        assert_eq!(matches!(again, Begun::Stored(_)), kept, "{key}: {again:?}");
        assert_eq!(matches!(again, Begun::NotKept), !kept, "{key}: {again:?}");
    }
}

#[tokio::test]
async fn no_principal_can_take_all_keys() {
    let store = MemoryStore::new(DedupeOptions::default().max_keys(4).bounds());
    let mut tickets = Vec::new();
    for key in ["a", "b"] {
        tickets.push(first(begin(&store, key, 1, 0).await));
    }
    let full = store.begin(&asked("c", 1), at(0)).await;
    assert_eq!(full.unwrap_err(), StoreError::Full);
    let other = Arc::new(Asked::new(&Scope { principal: "user:bob", ..SCOPE }, "", [0; 32]));
    assert!(matches!(store.begin(&other, at(0)).await, Ok(Begun::First(_))));
    tickets.pop();
    first(begin(&store, "c", 1, 0).await);
}

#[derive(Debug, Clone)]
enum Move {
    Begin { key: u8, arguments: u8 },
    End { ticket: usize, how: u8 },
    Wait { seconds: i64 },
    Release { key: u8 },
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..3_u8, 0..2_u8).prop_map(|(key, arguments)| Move::Begin { key, arguments }),
        3 => (any::<usize>(), 0..5_u8).prop_map(|(ticket, how)| Move::End { ticket, how }),
        1 => (0..50_i64).prop_map(|seconds| Move::Wait { seconds }),
        1 => (0..3_u8).prop_map(|key| Move::Release { key }),
    ]
}

/// What the model holds of a key: arguments, and until when there is a result.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Model {
    Running(u8),
    Done { arguments: u8, until: i64, is_kept: bool },
    Unknown(u8),
}

fn told(model: Option<Model>, arguments: u8, now: i64) -> &'static str {
    match model {
        None => "first",
        Some(Model::Done { until, .. }) if until <= now => "first",
        Some(
            Model::Running(first) | Model::Unknown(first) | Model::Done { arguments: first, .. },
        ) if first != arguments => "other",
        Some(Model::Running(_)) => "running",
        Some(Model::Unknown(_)) => "unknown",
        Some(Model::Done { is_kept: true, .. }) => "stored",
        Some(Model::Done { is_kept: false, .. }) => "not kept",
    }
}

fn name(begun: &Begun) -> &'static str {
    match begun {
        Begun::First(_) => "first",
        Begun::OtherArguments => "other",
        Begun::Running => "running",
        Begun::Stored(_) => "stored",
        Begun::NotKept => "not kept",
        Begun::Unknown => "unknown",
    }
}

/// Walks a store and a model side by side; in both, the same calls are told the same.
pub(crate) async fn walk<S: DedupeStore>(
    store: &S,
    moves: &[u64],
    release: impl Fn(&S, &DedupeKey) -> bool,
) {
    // Decoded here, so that other stores' tests need nothing but numbers.
    let mut model: HashMap<u8, Model> = HashMap::new();
    let mut open: Vec<(u8, u8, Ticket)> = Vec::new();
    let mut now = 0;
    for step in moves.iter().map(|seed| decoded(*seed)) {
        match step {
            Move::Begin { key, arguments } => {
                let begun = store.begin(&asked(&key.to_string(), arguments), at(now)).await;
                let begun = begun.unwrap();
                let expected = told(model.get(&key).copied(), arguments, now);
                assert_eq!(name(&begun), expected, "{step:?} {model:?}");
                if let Begun::First(ticket) = begun {
                    model.insert(key, Model::Running(arguments));
                    open.push((key, arguments, ticket));
                }
            }
            Move::End { ticket, how } if !open.is_empty() => {
                let (key, arguments, ticket) = open.swap_remove(ticket % open.len());
                let until = now + 1800;
                let done = |is_kept| Some(Model::Done { arguments, until, is_kept });
                let (ending, after) = match how {
                    0 => (Ending::Done(Some(vec![key])), done(true)),
                    1 => (Ending::Done(None), done(false)),
                    2 => (Ending::Unknown, Some(Model::Unknown(arguments))),
                    _ => (Ending::Freed, None),
                };
                if how == 4 {
                    drop(ticket);
                } else {
                    ticket.end(ending, at(now)).await.unwrap();
                }
                match after {
                    Some(after) => model.insert(key, after),
                    None => model.remove(&key),
                };
            }
            Move::End { .. } => {}
            Move::Wait { seconds } => now += seconds * 40,
            Move::Release { key } => {
                let is_unknown = matches!(model.get(&key), Some(Model::Unknown(_)));
                let released = release(store, &asked(&key.to_string(), 0).key);
                assert_eq!(released, is_unknown, "{step:?} {model:?}");
                if is_unknown {
                    model.remove(&key);
                }
            }
        }
    }
}

fn decoded(seed: u64) -> Move {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    any_move().new_tree(&mut runner).unwrap().current()
}

proptest! {
    #[test]
    fn every_order_of_calls_and_endings_is_told_what_the_rule_says(moves in vec(any::<u64>(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(walk(&MemoryStore::default(), &moves, MemoryStore::release));
    }
}
