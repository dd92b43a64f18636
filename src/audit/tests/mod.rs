mod agents;
mod by_hand;
mod checkpoints;
pub(super) mod faults;
mod files;
mod golden_logs;
mod lines;
mod log;
mod retention;
#[cfg(shuttle)]
mod shuttle_log;
#[cfg(shuttle)]
mod shuttle_queue;
mod sim;
mod tail;
mod tamper;

pub(super) use agents::partly;
#[cfg(shuttle)]
pub(super) use sim::SimDisk;

use super::*;
use crate::call::{Facts, Reason, ServerIdent, SpanIds, Status, ToolVersion};
use crate::clock::{Clock as _, System, Timestamp};
use crate::sign::{PublicKey, SignError, Signature, Signer, Signing};
use ed25519_dalek::{Signer as _, SigningKey};
use parking_lot::Mutex;
use proptest::test_runner::Config as ProptestConfig;
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-23T08:15:30.042Z
pub(super) const MORNING: i64 = 1_795_421_730_042;
const DAY: i64 = 86_400_000;
/// Longer than anything here takes; only reached when a promise is broken.
pub(super) const LONG: Duration = Duration::from_mins(1);

/// A signer that can be told what to do.
#[derive(Debug)]
pub(super) struct TestSigner {
    key: SigningKey,
    mood: Mutex<Mood>,
}

#[derive(Debug, Clone, Copy)]
enum Mood {
    Works,
    Fails,
    Panics,
    Hangs,
    /// Answers from another thread, as a service does.
    Elsewhere,
    /// Answers at once and with no signature at all, for tests of everything else.
    Stamps,
}

impl TestSigner {
    pub(super) fn new() -> Arc<Self> {
        Self::from_seed(7)
    }

    fn from_seed(seed: u8) -> Arc<Self> {
        let key = SigningKey::from_bytes(&[seed; 32]);
        Arc::new(Self { key, mood: Mutex::new(Mood::Works) })
    }

    fn turn(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }
}

impl Signer for TestSigner {
    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.key.verifying_key().to_bytes())
    }

    fn sign<'a>(&'a self, message: &'a [u8]) -> Signing<'a> {
        let signature = || Signature::from_bytes(self.key.sign(message).to_bytes());
        match *self.mood.lock() {
            Mood::Works => Box::pin(std::future::ready(Ok(signature()))),
            Mood::Fails => Box::pin(std::future::ready(Err(SignError::new("no such key")))),
            Mood::Panics => panic!("a signer that panics"),
            Mood::Stamps => Box::pin(std::future::ready(Ok(Signature::from_bytes([9; 64])))),
            Mood::Hangs => Box::pin(std::future::pending()),
            Mood::Elsewhere => {
                let (answer, question) = tokio::sync::oneshot::channel();
                let signature = signature();
                std::thread::spawn(move || answer.send(signature).unwrap());
                Box::pin(async { question.await.map_err(SignError::new) })
            }
        }
    }
}

/// As many cases of a property; a failure is printed, and leaves no file behind.
pub(super) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn site() -> Site {
    Site::middleware("acme", "30d")
}

/// The record of the `n`th call: the number is its idempotency key.
fn facts(n: u64) -> Box<Facts> {
    facts_at(n, MORNING)
}

pub(super) fn facts_at(n: u64, millis: i64) -> Box<Facts> {
    let server = Arc::new(ServerIdent::new("demo", "1.0.0"));
    let mut span = SpanIds::new([0xab; 16], [0xcd; 8]);
    span.span_id[..8].copy_from_slice(&(n + 1).to_be_bytes());
    let arrived = Timestamp::from_millis(millis);
    let mut facts = Facts::at_entry(arrived, span, server, "add".into(), [0x11; 32]);
    facts.version = ToolVersion::new("1.0");
    facts.input_sha256 = Some([0x22; 32]);
    facts.output_sha256 = Some([0x33; 32]);
    facts.registry_sha256 = Some([0x44; 32]);
    facts.principal = Some("local:1000".into());
    facts.principal_verified = true;
    facts.claimed.idempotency_key = Some(n.to_string().into());
    facts.started = Some(System.monotonic());
    facts.latency = Duration::from_millis(12);
    facts.status = Status::Ok;
    facts.permit();
    Box::new(facts)
}

pub(super) fn options(signer: &Arc<TestSigner>, sink: impl AuditSink + 'static) -> LogOptions {
    LogOptions::new(site(), Arc::<TestSigner>::clone(signer), sink)
}

pub(super) fn push(log: &Log, facts: Box<Facts>) {
    match log.admit() {
        Admit::Slot(slot) => log.push(slot, facts),
        Admit::Full | Admit::Closed => panic!("not admitted"),
    }
}

/// A task whose handle the test owns.
#[expect(clippy::disallowed_methods, reason = "every test awaits the handle")]
fn task<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(work)
}

fn json(line: &str) -> serde_json::Value {
    serde_json::from_str(line).unwrap()
}

/// The idempotency keys of the calls among `lines`, as numbers and sorted.
pub(super) fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| json(line)["idempotency_key"].as_str()?.parse().ok();
    let mut numbers: Vec<u64> = lines.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// The lines of one event.
fn events(lines: &[String], kind: &str) -> Vec<serde_json::Value> {
    lines.iter().map(|line| json(line)).filter(|line| line["event"] == kind).collect()
}

/// Checks the places of lines in the chain, and nothing else.
fn assert_chained(lines: &[String]) {
    let mut chain = chain::Chain::start();
    for line in lines {
        let read = read::Line::read(line).unwrap();
        let prev = chain.prev.to_string();
        assert_eq!((read.seq, read.prev_sha256), (Some(chain.seq), Some(&*prev)));
        chain = chain::Chain::behind(chain.seq, line.as_bytes());
    }
}

/// Verifies lines as a log of one day.
fn verify_lines(lines: &[String]) -> Result<Totals, VerifyError> {
    let dir = tempfile::tempdir().unwrap();
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    std::fs::write(dir.path().join("audit-9999-12-31.ndjson"), text).unwrap();
    verifier().lines_only(true).verify_dir(dir.path())
}

fn verifier() -> Verifier {
    Verifier::new(&[TestSigner::new().public_key()]).unwrap()
}
