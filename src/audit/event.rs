use super::chain::Ties;
use super::day::Day;
use super::envelope::Site;
use super::json::Object;
use super::lapse::Lapse;
use super::sink::Cut;
use crate::call::{CircuitChange, CircuitState, LockRule, ServerIdent, SpanIds, ToolName};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::sign::PublicKey;
use std::sync::Arc;

/// Something worth a line of the log that is not a call.
#[derive(Debug, Clone)]
pub struct Event {
    pub(super) at: Timestamp,
    span: SpanIds,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Cut(Cut),
    Missed(Missed),
    Revived { outcomes: u64, unknown: u64 },
    KeyChange(PublicKey),
    Retention(Expired),
    RegistryMutation { server: Arc<ServerIdent>, name: Box<str> },
    RegistryDrift(Box<Lapse>),
    Circuit { server: Arc<ServerIdent>, name: Box<str>, change: CircuitChange },
}

/// What the log could not record one by one, and counted instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    /// Calls that were refused.
    pub(super) refused: u64,
    /// Calls that ran all the same.
    pub(super) ran: u64,
    /// Events that found no room.
    pub(super) events: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// A day whose lines have been kept for as long as they were to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expired {
    pub(super) day: Day,
    pub(super) lines: u64,
    pub(super) last_seq: u64,
    /// The root of the checkpoint that closed it.
    pub(super) root: Digest,
}

impl Event {
    /// Somebody tried to change the frozen registry of `server`: the tool `name` was to be added,
    /// removed or changed. `span` is the call in which it was seen; all zero outside a call.
    pub fn registry_mutation(
        at: Timestamp,
        span: SpanIds,
        server: Arc<ServerIdent>,
        name: &ToolName,
    ) -> Self {
        let what = What::RegistryMutation { server, name: name.bounded().into() };
        Self { at, span, what }
    }

    /// The circuit of the tool `name` of `server` has opened or closed. `span` is the call that did
    /// it.
    pub fn circuit(
        at: Timestamp,
        span: SpanIds,
        server: Arc<ServerIdent>,
        name: &ToolName,
        change: CircuitChange,
    ) -> Self {
        Self { at, span, what: What::Circuit { server, name: name.bounded().into(), change } }
    }

    /// A server is not the one in its lock file. `span` is the call in which it was seen; all zero
    /// outside a call.
    pub fn registry_drift(at: Timestamp, span: SpanIds, lapse: Lapse) -> Self {
        Self { at, span, what: What::RegistryDrift(Box::new(lapse)) }
    }

    /// The log could not be written for a while; these were counted.
    pub(super) fn recovery(at: Timestamp, missed: Missed) -> Self {
        Self { at, span: SpanIds::default(), what: What::Missed(missed) }
    }

    /// From the next line on the log is signed with `key`.
    pub(super) fn key_change(at: Timestamp, key: PublicKey) -> Self {
        Self { at, span: SpanIds::default(), what: What::KeyChange(key) }
    }

    /// A process did not end well; the log was completed from its journal.
    pub(super) fn revived(at: Timestamp, outcomes: u64, unknown: u64) -> Self {
        Self { at, span: SpanIds::default(), what: What::Revived { outcomes, unknown } }
    }

    /// The file of a day is about to be removed.
    pub(super) fn retention(at: Timestamp, expired: Expired) -> Self {
        Self { at, span: SpanIds::default(), what: What::Retention(expired) }
    }

    /// The last line of a file was torn and has been cut off.
    pub(super) fn cut(at: Timestamp, cut: Cut) -> Self {
        Self { at, span: SpanIds::default(), what: What::Cut(cut) }
    }
}

/// Appends the line of an event without its `sig` and says where `sig` belongs. The members stand
/// in the order of RFC 8785.
pub(super) fn write_event(out: &mut Vec<u8>, event: &Event, site: &Site, ties: &Ties<'_>) -> usize {
    let line = Object::open(out);
    match &event.what {
        What::Circuit { .. } => write_circuit(line, event, site, ties),
        What::RegistryDrift(lapse) => write_drift(line, event, lapse, site, ties),
        What::Cut(_)
        | What::Missed(_)
        | What::Revived { .. }
        | What::KeyChange(_)
        | What::Retention(_)
        | What::RegistryMutation { .. } => write_other(line, event, site, ties),
    }
}

fn write_circuit(mut line: Object<'_>, event: &Event, site: &Site, ties: &Ties<'_>) -> usize {
    let What::Circuit { server, name, change } = &event.what else { return line.position() };
    line.whole("calls", u64::from(change.calls));
    line.text("event", event.what.kind());
    line.whole("failed_calls", u64::from(change.failed));
    line.text("key_id", ties.key_id);
    line.digest("prev_sha256", &ties.chain.prev);
    line.whole("seq", ties.chain.seq);
    let sig_at = line.position();
    line.whole("slow_calls", u64::from(change.slow));
    line.hex("span_id", &event.span.span_id);
    line.text("state", change.state.as_str());
    line.text("status", event.what.status());
    line.text("target_name", name);
    line.text("target_server", server.at_version());
    line.text("tenant", &site.tenant);
    line.hex("trace_id", &event.span.trace_id);
    line.ts("ts", event.at);
    line.close();
    sig_at
}

fn write_other(mut line: Object<'_>, event: &Event, site: &Site, ties: &Ties<'_>) -> usize {
    if let What::Cut(cut) = &event.what {
        line.whole("cut_bytes", cut.bytes);
    }
    if let What::Retention(expired) = &event.what {
        line.text("day", &expired.day.to_string());
    }
    line.text("event", event.what.kind());
    if let What::Cut(cut) = &event.what {
        line.text("file", &cut.file);
    }
    if let What::Missed(missed) = &event.what {
        line.ts("first_ts", missed.first);
    }
    line.text("key_id", ties.key_id);
    if let What::Retention(expired) = &event.what {
        line.whole("last_seq", expired.last_seq);
        line.whole("lines", expired.lines);
    }
    if let What::Missed(missed) = &event.what {
        line.ts("last_ts", missed.last);
        if missed.events > 0 {
            line.whole("missed_events", missed.events);
        }
    }
    if let What::KeyChange(key) = &event.what {
        line.text("new_key_id", &key.key_id());
        line.text("new_public_key", &format!("ed25519:{key}"));
    }
    line.digest("prev_sha256", &ties.chain.prev);
    if let What::Missed(missed) = &event.what {
        line.whole("refused_calls", missed.refused);
    }
    if let What::Revived { outcomes, unknown } = &event.what {
        line.whole("revived_outcomes", *outcomes);
        line.whole("revived_unknown", *unknown);
    }
    if let What::Retention(expired) = &event.what {
        line.digest("root_sha256", &expired.root);
    }
    line.whole("seq", ties.chain.seq);
    let sig_at = line.position();
    line.hex("span_id", &event.span.span_id);
    line.text("status", event.what.status());
    if let What::RegistryMutation { server, name } = &event.what {
        line.text("target_name", name);
        line.text("target_server", server.at_version());
    }
    line.text("tenant", &site.tenant);
    line.hex("trace_id", &event.span.trace_id);
    line.ts("ts", event.at);
    if let What::Missed(missed) = &event.what
        && missed.ran > 0
    {
        line.whole("unrecorded_calls", missed.ran);
    }
    line.close();
    sig_at
}

/// The line about a server that is not the one in its lock file.
fn write_drift(
    mut line: Object<'_>,
    event: &Event,
    lapse: &Lapse,
    site: &Site,
    ties: &Ties<'_>,
) -> usize {
    line.flag("binary_changed", lapse.is_other_binary);
    line.text("event", event.what.kind());
    line.text("key_id", ties.key_id);
    line.text("lock", lapse.rule.as_str());
    let locked = lapse.locked.as_ref().map(Digest::as_bytes);
    line.hex_or_null("lock_sha256", locked.map(<[u8; 32]>::as_slice));
    line.digest("prev_sha256", &ties.chain.prev);
    line.whole("seq", ties.chain.seq);
    line.flag("server_changed", lapse.is_other_server);
    line.hex("server_snapshot", lapse.registry.as_bytes());
    let sig_at = line.position();
    line.hex("span_id", &event.span.span_id);
    line.text("status", event.what.status());
    line.text_if("target_name", lapse.first.as_deref());
    line.text("target_server", lapse.server.at_version());
    line.text("tenant", &site.tenant);
    line.whole("tools_added", lapse.added);
    line.whole("tools_changed", lapse.changed);
    line.whole("tools_removed", lapse.removed);
    line.whole("tools_renamed", lapse.renamed);
    line.hex("trace_id", &event.span.trace_id);
    line.ts("ts", event.at);
    line.close();
    sig_at
}

impl What {
    fn kind(&self) -> &'static str {
        match self {
            Self::Cut(_) | Self::Missed(_) | Self::Revived { .. } => "recovery",
            Self::KeyChange(_) => "key_change",
            Self::RegistryMutation { .. } => "registry_mutation",
            Self::RegistryDrift(_) => "registry_drift",
            Self::Retention(_) => "retention",
            Self::Circuit { .. } => "circuit",
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Cut(_)
            | Self::Missed(_)
            | Self::Revived { .. }
            | Self::KeyChange(_)
            | Self::Retention(_) => "ok",
            Self::Circuit { change, .. } => match change.state {
                CircuitState::Closed => "ok",
                CircuitState::Open => "error",
            },
            Self::RegistryMutation { .. } => "denied",
            Self::RegistryDrift(lapse) => match lapse.rule {
                LockRule::Require => "denied",
                LockRule::Warn => "ok",
            },
        }
    }
}
