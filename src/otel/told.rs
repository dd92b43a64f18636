use crate::call::{End, Found, Refusal, Reply, Seen, Status};
use std::borrow::Cow;

/// How a call ended, as telemetry tells it.
#[derive(Debug)]
pub(crate) struct Told<'c> {
    pub(crate) status: Status,
    /// The refusal, where the stack answers instead of the handler.
    pub(crate) refusal: Option<&'c Refusal>,
    /// What its record has, where it has one.
    pub(crate) seen: Option<&'c Seen>,
}

impl<'c> Told<'c> {
    /// Of a call that was answered.
    pub(crate) fn of<R: Reply>(end: &'c End<R>, seen: Option<&'c Seen>) -> Self {
        let (status, refusal) = match end {
            End::Refused(refusal) => (refusal.status(), Some(refusal)),
            End::Panicked => (Status::Panicked, None),
            End::Replied(reply) => {
                let by_reply = if reply.failed() { Status::Error } else { Status::Ok };
                (seen.map_or(by_reply, |seen| seen.status), None)
            }
        };
        Self { status, refusal, seen }
    }

    /// Of a call whose future was dropped.
    pub(crate) fn of_dropped() -> Self {
        let status = if std::thread::panicking() { Status::Panicked } else { Status::Cancelled };
        Self { status, refusal: None, seen: None }
    }

    /// `error.type`: nothing where the call went well.
    pub(crate) fn error_type(&self) -> Option<Cow<'c, str>> {
        match (self.status, self.refusal) {
            (_, Some(_)) => Some(self.reason()?.as_str().to_owned().into()),
            (Status::Ok, None) => None,
            (Status::Error, None) => Some("tool_error".into()),
            (status, None) => Some(status.as_str().into()),
        }
    }

    /// The reason of a refusal, as the record has it.
    pub(crate) fn reason(&self) -> Option<Found> {
        let refusal = self.refusal?;
        let recorded = self.seen.and_then(|seen| seen.refused_for.clone());
        Some(recorded.unwrap_or_else(|| refusal.for_record()))
    }
}
