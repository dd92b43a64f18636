use super::*;
use crate::call::ToolName;
use std::io;
use std::sync::mpsc;

/// A sink whose appends wait until the test lets each of them pass.
#[derive(Debug)]
struct GatedSink {
    inner: MemorySink,
    gate: Mutex<mpsc::Receiver<()>>,
    is_open: bool,
}

impl GatedSink {
    fn new(inner: &MemorySink) -> (Self, mpsc::Sender<()>) {
        let (pass, gate) = mpsc::channel();
        (Self { inner: inner.clone(), gate: Mutex::new(gate), is_open: false }, pass)
    }
}

impl AuditSink for GatedSink {
    fn tail(&mut self) -> io::Result<Option<Tail>> {
        self.inner.tail()
    }

    fn append(&mut self, day: Day, lines: &[u8]) -> io::Result<()> {
        // A dropped sender opens the gate for good.
        self.is_open = self.is_open || self.gate.lock().recv().is_err();
        self.inner.append(day, lines)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.inner.sync()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_many_callers_is_written_exactly_once() {
    let (signer, sink) = (TestSigner::new(), MemorySink::new());
    signer.turn(Mood::Stamps);
    let log = Log::open(options(&signer, sink.clone()).capacity(100)).unwrap();
    let callers = (0..64_u64).map(|caller| {
        let log = log.clone();
        task(async move {
            for n in 0..200 {
                let slot = log.admit_within(LONG).await.unwrap();
                log.push(slot, facts(caller * 200 + n));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    log.shutdown(LONG).await.unwrap();
    let lines = sink.lines();
    assert_eq!(numbers(&lines), (0..64 * 200).collect::<Vec<_>>());
    assert_chained(&lines);
}

#[tokio::test]
async fn a_full_backlog_holds_calls_back_until_lines_are_written() {
    let sink = MemorySink::new();
    let (gated, pass) = GatedSink::new(&sink);
    let log = Log::open(options(&TestSigner::new(), gated).capacity(2)).unwrap();
    push(&log, facts(0));
    push(&log, facts(1));
    assert!(matches!(log.admit(), Admit::Full));
    assert_eq!(log.admit_within(Duration::ZERO).await.unwrap_err(), Refused::Backlog);
    let waiting = task({
        let log = log.clone();
        async move { log.admit_within(LONG).await }
    });
    drop(pass);
    log.push(waiting.await.unwrap().unwrap(), facts(2));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&sink.lines()), [0, 1, 2]);
}

#[tokio::test]
async fn a_slot_that_is_dropped_can_be_used_again() {
    let log = Log::open(options(&TestSigner::new(), MemorySink::new()).capacity(1)).unwrap();
    for _ in 0..3 {
        assert!(matches!(log.admit(), Admit::Slot(_)));
    }
    log.shutdown(LONG).await.unwrap();
}

#[test]
fn dropping_the_last_handle_writes_what_was_pushed() {
    let sink = MemorySink::new();
    let log = Log::open(options(&TestSigner::new(), sink.clone())).unwrap();
    let other = log.clone();
    (0..100).for_each(|n| push(&log, facts(n)));
    drop(log);
    (100..200).for_each(|n| push(&other, facts(n)));
    drop(other);
    assert_eq!(numbers(&sink.lines()), (0..200).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_under_load_loses_no_admitted_call() {
    let sink = MemorySink::new();
    let log = Log::open(options(&TestSigner::new(), sink.clone()).capacity(64)).unwrap();
    let (started, mut is_started) = tokio::sync::mpsc::channel(8);
    let callers = (0..8_u64).map(|caller| {
        let (log, started) = (log.clone(), started.clone());
        task(async move {
            for n in 0.. {
                match log.admit_within(LONG).await {
                    Ok(slot) => {
                        tokio::task::yield_now().await;
                        log.push(slot, facts(caller * 1_000_000 + n));
                    }
                    Err(refused) => {
                        assert_eq!(refused, Refused::Closed);
                        return n;
                    }
                }
                if n == 20 {
                    started.send(()).await.unwrap();
                }
            }
            0
        })
    });
    let callers: Vec<_> = callers.collect();
    for _ in 0..8 {
        is_started.recv().await.unwrap();
    }
    log.shutdown(LONG).await.unwrap();
    let mut expected = Vec::new();
    for (caller, task) in (0..8_u64).zip(callers) {
        expected.extend((0..task.await.unwrap()).map(|n| caller * 1_000_000 + n));
    }
    assert_eq!(numbers(&sink.lines()), expected);
    assert!(matches!(log.admit(), Admit::Closed));
    verify_lines(&sink.lines()).unwrap();
}

#[tokio::test]
async fn a_shutdown_waits_for_calls_under_way_and_says_when_it_cannot() {
    let sink = MemorySink::new();
    let log = Log::open(options(&TestSigner::new(), sink.clone())).unwrap();
    let Admit::Slot(slot) = log.admit() else { panic!() };
    push(&log, facts(0));
    sink.wait_for(1, LONG);
    let late = log.shutdown(Duration::ZERO).await.unwrap_err();
    assert!(matches!(late, ShutdownError::Late { in_flight: 1, .. }), "{late:?}");
    log.push(slot, facts(1));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(numbers(&sink.lines()), [0, 1]);
}

#[tokio::test]
async fn a_shutdown_ends_when_the_last_slot_is_given_back_unused() {
    let log = Log::open(options(&TestSigner::new(), MemorySink::new())).unwrap();
    let Admit::Slot(slot) = log.admit() else { panic!() };
    let ending = task({
        let log = log.clone();
        async move { log.shutdown(LONG).await }
    });
    tokio::task::yield_now().await;
    drop(slot);
    ending.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_still_under_way_when_the_last_handle_goes_is_recorded() {
    let sink = MemorySink::new();
    let log = Log::open(options(&TestSigner::new(), sink.clone())).unwrap();
    let Admit::Slot(slot) = log.admit() else { panic!() };
    let shared = slot.spend().unwrap();
    let again = log.admit();
    drop(log);
    shared.push_call(facts(5));
    drop(again);
    assert_eq!(numbers(&sink.wait_for(1, LONG)), [5]);
}

#[tokio::test]
async fn refused_calls_have_room_of_their_own_and_are_counted_beyond_it() {
    let sink = MemorySink::new();
    let (gated, pass) = GatedSink::new(&sink);
    let options = options(&TestSigner::new(), gated).capacity(1).refused_capacity(3);
    let log = Log::open(options).unwrap();
    push(&log, facts(0));
    (1..=10).for_each(|n| log.push_refused(facts(n)));
    drop(pass);
    log.shutdown(LONG).await.unwrap();
    let lines = sink.lines();
    assert_eq!(numbers(&lines), [0, 1, 2, 3]);
    assert_eq!(events(&lines, "recovery")[0]["refused_calls"], 7);
    verify_lines(&lines).unwrap();
}

#[tokio::test]
async fn an_attempt_to_change_the_registry_has_its_line() {
    let sink = MemorySink::new();
    let log = Log::open(options(&TestSigner::new(), sink.clone())).unwrap();
    let server = Arc::new(ServerIdent::new("demo", "1.0.0"));
    let at = Timestamp::from_millis(MORNING);
    let name = ToolName::new("x".repeat(5000));
    log.event(Event::registry_mutation(at, SpanIds::default(), server, &name));
    log.shutdown(LONG).await.unwrap();
    let line = events(&sink.lines(), "registry_mutation").remove(0);
    assert_eq!((&line["target_server"], &line["status"]), (&"demo@1.0.0".into(), &"denied".into()));
    assert!(line["target_name"].as_str().unwrap().len() < 300);
}

#[tokio::test]
async fn an_idle_writer_is_woken_by_the_next_record() {
    let sink = MemorySink::new();
    let options = options(&TestSigner::new(), sink.clone()).linger(Duration::ZERO);
    let log = Log::open(options).unwrap();
    for n in 0..500 {
        push(&log, facts(n));
        let count = usize::try_from(n).unwrap() + 1;
        assert_eq!(sink.wait_for(count, LONG).len(), count);
    }
}

#[tokio::test]
async fn the_log_goes_on_behind_its_last_line_and_never_back_to_an_earlier_day() {
    let sink = MemorySink::new();
    for (start, millis) in [(0, MORNING + DAY), (1, MORNING), (2, MORNING + 2 * DAY)] {
        let log = Log::open(options(&TestSigner::new(), sink.clone())).unwrap();
        push(&log, facts_at(start, millis));
        log.shutdown(LONG).await.unwrap();
    }
    let totals = verify_lines(&sink.lines()).unwrap();
    assert_eq!((totals.records, totals.first_seq, totals.last_seq), (3, Some(0), Some(2)));
}

#[tokio::test]
async fn a_signer_that_answers_later_and_elsewhere_signs() {
    let (signer, sink) = (TestSigner::new(), MemorySink::new());
    signer.turn(Mood::Elsewhere);
    let log = Log::open(options(&signer, sink.clone())).unwrap();
    (0..20).for_each(|n| push(&log, facts(n)));
    log.shutdown(LONG).await.unwrap();
    assert_eq!(verify_lines(&sink.lines()).unwrap().records, 20);
}

#[test]
fn a_push_works_while_the_writer_is_held_up() {
    let (gated, pass) = GatedSink::new(&MemorySink::new());
    let log = Log::open(options(&TestSigner::new(), gated).capacity(300)).unwrap();
    (0..300).for_each(|n| push(&log, facts(n)));
    assert!(matches!(log.admit(), Admit::Full));
    drop(pass);
}
