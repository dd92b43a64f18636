use super::desk::{LISTED, Place, failed};
use super::standing::Standing;
use super::{report, table};
use crate::command::{now, when};
use crate::failure::Failure;
use clap::Args;
use sec0::approval::{EscalationId, Status, Visible};
use sec0::clock::Timestamp;
use sec0::store::sqlite::{ApprovalDesk, DamagedApproval, Listed, Which};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// For how long nothing may be looked at: a signal ends the command that much later.
const LOOK: Duration = Duration::from_millis(200);

/// Print what waits for a decision, and each new escalation, vote and decision as it happens, until
/// interrupted.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    place: Place,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

/// What was last said of an escalation.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    status: Status,
    votes: usize,
    is_spent: bool,
    /// When time may decide it; `None` once it has come.
    due_at: Option<Timestamp>,
}

/// What is said of it.
#[derive(Clone, Copy)]
enum Event {
    /// It was there before, and waits.
    Pending,
    Created,
    Vote,
    Decided,
    Spent,
}

/// Why following ends early.
enum Stop {
    /// Nothing can be printed any more.
    Output(io::Error),
    Failed(Failure),
}

impl Watch {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let is_over = until_interrupted()?;
        let desk = self.place.open()?;
        let mut seen = BTreeMap::new();
        let ended = self.follow(&desk, &mut seen, &is_over);
        match ended {
            // Whoever reads may stop reading.
            Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(Stop::Output(error)) => Err(error.into()),
            Err(Stop::Failed(failure)) => Err(failure),
            Ok(()) => Ok(()),
        }
    }

    fn follow(
        &self,
        desk: &ApprovalDesk,
        seen: &mut BTreeMap<EscalationId, Seen>,
        is_over: &AtomicBool,
    ) -> Result<(), Stop> {
        let (mut is_first, mut named) = (true, Vec::new());
        while !is_over.load(Ordering::Relaxed) {
            let now = now();
            let is_due = |it: &Seen| it.due_at.is_some_and(|due_at| due_at <= now);
            if is_first || desk.wait(LOOK).map_err(failed)? || seen.values().any(is_due) {
                let listed = desk.list(Which::All, LISTED).map_err(failed)?;
                let damaged = desk.damaged();
                for damaged in damaged.iter().filter(|damaged| !named.contains(*damaged)) {
                    self.say_damaged(damaged)?;
                }
                named = damaged;
                let before = std::mem::take(seen);
                for listed in &listed {
                    self.compare(listed, &before, seen, is_first)?;
                }
                io::stdout().flush()?;
                is_first = false;
            }
        }
        Ok(())
    }

    /// Says what has become of one since it was last seen.
    fn compare(
        &self,
        listed: &Listed,
        before: &BTreeMap<EscalationId, Seen>,
        seen: &mut BTreeMap<EscalationId, Seen>,
        is_first: bool,
    ) -> Result<(), Stop> {
        let at = now();
        let standing = Standing::of(listed, at);
        let id = standing.escalation().id();
        let now = Seen {
            status: standing.status(),
            votes: listed.kept.casts.len(),
            is_spent: listed.kept.spent_at.is_some(),
            due_at: Some(standing.escalation().expires_at())
                .filter(|due_at| standing.status() == Status::Pending && *due_at > at),
        };
        seen.insert(id, now);
        for event in events(before.get(&id), now, is_first) {
            self.say(&standing, event)?;
        }
        Ok(())
    }

    fn say_damaged(&self, damaged: &DamagedApproval) -> Result<(), Stop> {
        let mut line = Vec::new();
        if self.json {
            let mut report = report::damaged(damaged);
            if let Some(report) = report.as_object_mut() {
                report.insert("event".to_owned(), "damaged".into());
            }
            report::line(&mut line, &report)?;
        } else {
            writeln!(line, "{}  damaged  {damaged}", when(now()))?;
        }
        Ok(io::stdout().write_all(&line)?)
    }

    fn say(&self, standing: &Standing<'_>, event: Event) -> Result<(), Stop> {
        let mut line = Vec::new();
        if self.json {
            let mut report = report::report(standing);
            if let Some(report) = report.as_object_mut() {
                report.insert("event".to_owned(), event.as_str().into());
            }
            report::line(&mut line, &report)?;
        } else {
            let about = table::row(standing).join("  ");
            let (at, event, more) = (when(now()), event.as_str(), more(standing, event));
            writeln!(line, "{at}  {event:7}  {about}{more}")?;
        }
        Ok(io::stdout().write_all(&line)?)
    }
}

impl Event {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Created => "created",
            Self::Vote => "vote",
            Self::Decided => "decided",
            Self::Spent => "spent",
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// What happened between the two.
fn events(before: Option<&Seen>, now: Seen, is_first: bool) -> Vec<Event> {
    let is_pending = now.status == Status::Pending;
    let Some(before) = before else {
        return match (is_first, is_pending) {
            (true, true) => vec![Event::Pending],
            (true, false) => Vec::new(),
            (false, true) => vec![Event::Created],
            // It was decided as it was asked.
            (false, false) => vec![Event::Created, Event::Decided],
        };
    };
    let mut events = Vec::new();
    if now.votes > before.votes {
        events.push(Event::Vote);
    }
    if now.status != before.status {
        events.push(Event::Decided);
    }
    if now.is_spent && !before.is_spent {
        events.push(Event::Spent);
    }
    events
}

/// Who has just voted, and what decided.
fn more(standing: &Standing<'_>, event: Event) -> String {
    let last = standing.listed.kept.casts.last();
    match (event, last, standing.finalization) {
        (Event::Vote, Some(cast), _) => {
            let vote = &cast.vote;
            let (approver, note) = (Visible(vote.approver()), Visible(vote.note()));
            let said = format!("  {approver}: {}", vote.choice());
            if vote.note().is_empty() { said } else { format!("{said}, `{note}`") }
        }
        (Event::Decided, _, Some(by)) => format!("  by {by}"),
        _ => String::new(),
    }
}

/// Becomes true with the first SIGINT or SIGTERM.
fn until_interrupted() -> io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut both = {
        let _inside = runtime.enter();
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(std::future::poll_fn(|wake| {
            if both.iter_mut().any(|one| one.poll_recv(wake).is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        over.store(true, Ordering::Relaxed);
    })?;
    Ok(is_over)
}
