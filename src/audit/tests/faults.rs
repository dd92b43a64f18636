use super::*;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Waits for a state that another thread brings about, without sleeping.
pub(in crate::audit) async fn until(reached: impl Fn() -> bool) {
    tokio::time::timeout(LONG, async {
        while !reached() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

/// Pushes five records under a fault, counts three refusals, ends the fault and reads the log.
async fn through_a_fault(log: &Log, sink: &MemorySink, health: Health, end: impl FnOnce()) {
    (0..5).for_each(|n| push(log, facts(n)));
    until(|| log.health() == health).await;
    assert_eq!(sink.lines().len(), 0);
    (0..3).for_each(|_| log.refused());
    end();
    until(|| log.health() == Health::Working).await;
    let lines = sink.wait_for(6, LONG);
    assert_eq!(numbers(&lines), [0, 1, 2, 3, 4]);
    let recovery = events(&lines, "recovery");
    assert_eq!(recovery[0]["refused_calls"], 3);
    assert!(recovery[0]["first_ts"].as_str() <= recovery[0]["last_ts"].as_str());
    push(log, facts(5));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&sink.lines()).len(), 6);
    assert_eq!(events(&sink.lines(), "recovery").len(), 1);
    verify_lines(&sink.lines()).unwrap();
}

#[tokio::test]
async fn a_signer_that_fails_refuses_calls_and_loses_nothing() {
    for mood in [Mood::Fails, Mood::Panics, Mood::Hangs] {
        let (signer, sink) = (TestSigner::new(), MemorySink::new());
        signer.turn(mood);
        let options = options(&signer, sink.clone()).sign_deadline(Duration::from_millis(5));
        let log = Log::open(options).unwrap();
        through_a_fault(&log, &sink, Health::SigningFailed, || signer.turn(Mood::Works)).await;
    }
}

#[tokio::test]
async fn a_sink_that_fails_refuses_calls_and_loses_nothing() {
    let (signer, sink) = (TestSigner::new(), MemorySink::new());
    sink.fail_with(io::ErrorKind::StorageFull);
    let log = Log::open(options(&signer, sink.clone())).unwrap();
    through_a_fault(&log, &sink, Health::Unavailable, || sink.heal()).await;
}

/// A sink that panics as long as it is told to.
#[derive(Debug)]
struct PanickingSink(MemorySink, Arc<AtomicBool>);

impl AuditSink for PanickingSink {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        self.0.tail()
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        assert!(!self.1.load(Ordering::SeqCst), "a sink that panics");
        self.0.append(day, lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

#[tokio::test]
async fn a_sink_that_panics_refuses_calls_and_loses_nothing() {
    let (sink, panics) = (MemorySink::new(), Arc::new(AtomicBool::new(true)));
    let panicking = PanickingSink(sink.clone(), Arc::clone(&panics));
    let log = Log::open(options(&TestSigner::new(), panicking)).unwrap();
    let end = || panics.store(false, Ordering::SeqCst);
    through_a_fault(&log, &sink, Health::Unavailable, end).await;
}

#[tokio::test]
async fn records_signed_before_the_signer_failed_are_written_before_the_others() {
    let (signer, sink) = (TestSigner::new(), MemorySink::new());
    let log = Log::open(options(&signer, sink.clone())).unwrap();
    push(&log, facts(0));
    sink.wait_for(1, LONG);
    signer.turn(Mood::Fails);
    (1..5).for_each(|n| push(&log, facts(n)));
    until(|| log.health() == Health::SigningFailed).await;
    assert_eq!(numbers(&sink.lines()), [0]);
    signer.turn(Mood::Works);
    log.shutdown(LONG).await.unwrap();
    let keys = sink.lines().into_iter().map(|line| json(&line)["idempotency_key"].clone());
    assert!(keys.eq(["0", "1", "2", "3", "4"]));
    verify_lines(&sink.lines()).unwrap();
}

#[tokio::test]
async fn a_shutdown_during_a_fault_says_what_is_unwritten_and_can_be_repeated() {
    let (signer, sink) = (TestSigner::new(), MemorySink::new());
    sink.fail_with(io::ErrorKind::StorageFull);
    let log = Log::open(options(&signer, sink.clone())).unwrap();
    (0..3).for_each(|n| push(&log, facts(n)));
    until(|| log.health() == Health::Unavailable).await;
    let late = log.shutdown(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(late, ShutdownError::Late { unwritten: 3, in_flight: 0 });
    sink.heal();
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&sink.lines()), [0, 1, 2]);
}

#[test]
fn dropping_the_last_handle_during_a_fault_does_not_block_for_good() {
    let (signer, sink) = (TestSigner::new(), MemorySink::new());
    sink.fail_with(io::ErrorKind::StorageFull);
    let options = options(&signer, sink.clone()).drop_within(Duration::from_millis(5));
    let log = Log::open(options).unwrap();
    push(&log, facts(0));
    drop(log);
    assert!(sink.lines().is_empty());
}

/// A sink that cannot sync.
#[derive(Debug)]
struct UnsyncedSink(MemorySink);

impl AuditSink for UnsyncedSink {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        self.0.tail()
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        self.0.append(day, lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[tokio::test]
async fn a_sync_that_fails_at_the_end_is_told() {
    let sink = MemorySink::new();
    let log = Log::open(options(&TestSigner::new(), UnsyncedSink(sink.clone()))).unwrap();
    push(&log, facts(0));
    let error = log.shutdown(LONG).await.unwrap_err();
    assert!(matches!(error, ShutdownError::NotSynced(_)), "{error:?}");
    assert_eq!(numbers(&sink.lines()), [0]);
}

#[tokio::test]
async fn a_last_line_that_is_no_record_is_named_at_the_start() {
    let mut sink = MemorySink::new();
    sink.append(Day::parse("2026-11-23").unwrap(), b"{\"ts\":\"2026\"}\n").unwrap();
    let error = Log::open(options(&TestSigner::new(), sink)).unwrap_err();
    assert!(matches!(&error, OpenError::NotARecord { why, .. } if why.contains("seq")), "{error}");
}
