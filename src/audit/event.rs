use super::chain::Ties;
use super::day::Day;
use super::envelope::Site;
use super::json::Object;
use super::lapse::Lapse;
use super::listed::Listed;
use super::sink::Cut;
use crate::call::{CircuitChange, CircuitState, LockRule, ServerIdent, SpanIds, ToolName};
use crate::clock::Timestamp;
use crate::digest::Digest;
use crate::sign::PublicKey;
use std::borrow::Cow;
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
    Policy(PolicyReload),
    ToolsList(Box<Listed>),
}

/// What became of a version of the policy that was found while the program ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a version is taken or it is not")]
pub enum PolicyReload {
    /// Calls that enter from now on are judged by it.
    Taken {
        /// The digest of the policy until now.
        was: Digest,
        /// The digest of the policy from now on.
        now: Digest,
    },
    /// It was not taken, and the policy stays what it was.
    Refused {
        /// The digest of the policy.
        stays: Digest,
        /// SHA-256 of what was found, byte by byte; `None` where nothing could be read.
        found: Option<Digest>,
        /// How many things are wrong with it.
        problems: u64,
    },
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

    /// A version of the policy was found while the program ran.
    pub fn policy_reload(at: Timestamp, reload: PolicyReload) -> Self {
        Self { at, span: SpanIds::default(), what: What::Policy(reload) }
    }

    /// A client asked for the tools for the first time under this policy.
    pub fn tools_list(at: Timestamp, listed: Listed) -> Self {
        Self { at, span: SpanIds::default(), what: What::ToolsList(Box::new(listed)) }
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
    use Member::{Digest, Hex, Text, Ts, Whole};
    let mut members = vec![
        ("event", Text(event.what.kind().into())),
        ("key_id", Text(ties.key_id.into())),
        ("prev_sha256", Digest(ties.chain.prev)),
        ("seq", Whole(ties.chain.seq)),
        ("span_id", Hex(&event.span.span_id)),
        ("status", Text(event.what.status().into())),
        ("tenant", Text((&*site.tenant).into())),
        ("trace_id", Hex(&event.span.trace_id)),
        ("ts", Ts(event.at)),
    ];
    event.what.members(&mut members);
    // All of them are ASCII, so the order of bytes is that of UTF-16.
    members.sort_unstable_by_key(|(key, _)| *key);
    let mut line = Object::open(out);
    let mut sig_at = None;
    for (key, member) in members {
        if key > "sig" {
            sig_at.get_or_insert_with(|| line.position());
        }
        member.write(key, &mut line);
    }
    let sig_at = sig_at.unwrap_or_else(|| line.position());
    line.close();
    sig_at
}

/// The value of a member.
enum Member<'a> {
    Digest(Digest),
    Flag(bool),
    Hex(&'a [u8]),
    Null,
    Text(Cow<'a, str>),
    Ts(Timestamp),
    Whole(u64),
}

impl Member<'_> {
    fn write(&self, key: &str, line: &mut Object<'_>) {
        match self {
            Self::Digest(digest) => line.digest(key, digest),
            Self::Flag(flag) => line.flag(key, *flag),
            Self::Hex(bytes) => line.hex(key, bytes),
            Self::Null => line.null(key),
            Self::Text(text) => line.text(key, text),
            Self::Ts(at) => line.ts(key, *at),
            Self::Whole(number) => line.whole(key, *number),
        }
    }
}

/// The members about a server that is not the one in its lock file.
fn drift<'a>(lapse: &'a Lapse, out: &mut Vec<(&'static str, Member<'a>)>) {
    use Member::{Flag, Text, Whole};
    out.extend([
        ("binary_changed", Flag(lapse.is_other_binary)),
        ("lock", Text(lapse.rule.as_str().into())),
        ("lock_sha256", lapse.locked.map_or(Member::Null, Member::Digest)),
        ("server_changed", Flag(lapse.is_other_server)),
        ("server_snapshot", Member::Digest(lapse.registry)),
        ("target_server", Text((&**lapse.server.at_version()).into())),
        ("tools_added", Whole(lapse.added)),
        ("tools_changed", Whole(lapse.changed)),
        ("tools_removed", Whole(lapse.removed)),
        ("tools_renamed", Whole(lapse.renamed)),
    ]);
    out.extend(lapse.first.as_deref().map(|first| ("target_name", Text(first.into()))));
}

impl What {
    /// Adds the members that only this kind of event has.
    fn members<'a>(&'a self, out: &mut Vec<(&'static str, Member<'a>)>) {
        use Member::{Digest, Null, Text, Ts, Whole};
        match self {
            Self::Cut(cut) => {
                out.extend([("cut_bytes", Whole(cut.bytes)), ("file", Text((&*cut.file).into()))]);
            }
            Self::Missed(missed) => {
                out.extend([
                    ("first_ts", Ts(missed.first)),
                    ("last_ts", Ts(missed.last)),
                    ("refused_calls", Whole(missed.refused)),
                ]);
                let more = [("missed_events", missed.events), ("unrecorded_calls", missed.ran)];
                let more = more.into_iter().filter(|(_, count)| *count > 0);
                out.extend(more.map(|(key, count)| (key, Whole(count))));
            }
            Self::Revived { outcomes, unknown } => out.extend([
                ("revived_outcomes", Whole(*outcomes)),
                ("revived_unknown", Whole(*unknown)),
            ]),
            Self::KeyChange(key) => out.extend([
                ("new_key_id", Text(key.key_id().into())),
                ("new_public_key", Text(format!("ed25519:{key}").into())),
            ]),
            Self::Retention(expired) => out.extend([
                ("day", Text(expired.day.to_string().into())),
                ("last_seq", Whole(expired.last_seq)),
                ("lines", Whole(expired.lines)),
                ("root_sha256", Digest(expired.root)),
            ]),
            Self::RegistryMutation { server, name } => out.extend([
                ("target_name", Text((&**name).into())),
                ("target_server", Text((&**server.at_version()).into())),
            ]),
            Self::RegistryDrift(lapse) => drift(lapse, out),
            Self::Circuit { server, name, change } => out.extend([
                ("calls", Whole(change.calls.into())),
                ("failed_calls", Whole(change.failed.into())),
                ("slow_calls", Whole(change.slow.into())),
                ("state", Text(change.state.as_str().into())),
                ("target_name", Text((&**name).into())),
                ("target_server", Text((&**server.at_version()).into())),
            ]),
            Self::ToolsList(listed) => out.extend([
                ("policy_digest", Digest(listed.policy)),
                ("server_snapshot", Digest(listed.registry)),
                ("target_server", Text((&**listed.server.at_version()).into())),
                ("tools_shown", Whole(listed.shown)),
                ("tools_withheld", Whole(listed.withheld)),
            ]),
            Self::Policy(PolicyReload::Taken { was, now }) => out
                .extend([("policy_digest", Digest(*now)), ("policy_digest_before", Digest(*was))]),
            Self::Policy(PolicyReload::Refused { stays, found, problems }) => out.extend([
                ("policy_digest", Digest(*stays)),
                ("policy_found_sha256", found.map_or(Null, Digest)),
                ("problems", Whole(*problems)),
            ]),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Cut(_) | Self::Missed(_) | Self::Revived { .. } => "recovery",
            Self::KeyChange(_) => "key_change",
            Self::RegistryMutation { .. } => "registry_mutation",
            Self::RegistryDrift(_) => "registry_drift",
            Self::Retention(_) => "retention",
            Self::Circuit { .. } => "circuit",
            Self::Policy(_) => "policy_reload",
            Self::ToolsList(_) => "tools_list",
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Cut(_)
            | Self::Missed(_)
            | Self::Revived { .. }
            | Self::KeyChange(_)
            | Self::Retention(_)
            | Self::ToolsList(_)
            | Self::Policy(PolicyReload::Taken { .. }) => "ok",
            Self::Policy(PolicyReload::Refused { .. }) => "error",
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
