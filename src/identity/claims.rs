use super::principal::Origin;
use super::traceparent::parse_traceparent;
use crate::call::Claimed;
use std::borrow::Cow;

/// A thing that a caller may say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimName {
    /// The run of the agent that calls.
    AgentRef,
    /// The key under which a repeated call is the same call.
    IdempotencyKey,
    /// The node that calls.
    NodeId,
    /// The span that caused the call.
    Traceparent,
}

impl ClaimName {
    /// The HTTP header, in lower case.
    pub fn header(self) -> &'static str {
        match self {
            Self::AgentRef => "x-agent-ref",
            Self::IdempotencyKey => "x-idempotency-key",
            Self::NodeId => "x-node-id",
            Self::Traceparent => "traceparent",
        }
    }

    /// The key in `_meta`.
    pub fn meta(self) -> &'static str {
        match self {
            Self::AgentRef => "sec0/agentRef",
            Self::IdempotencyKey => "sec0/idempotencyKey",
            Self::NodeId => "sec0/nodeId",
            Self::Traceparent => "traceparent",
        }
    }
}

/// The door's part of a call that can be asked what the caller said, and where it came from.
pub trait Claimant {
    /// The raw text of a claim, if the caller made it.
    fn claim(&self, name: ClaimName) -> Option<Cow<'_, str>>;

    /// Where the call came from.
    fn origin(&self) -> Origin;
}

/// No claim is read beyond this many bytes; a longer one is treated as absent.
const MAX_CLAIM: usize = 1024;

/// Reads what the caller says of itself.
///
/// Node ids and agent refs are normalised as the contract has it; what is left empty is absent. An
/// idempotency key is kept as it is when it is printable and at most 256 bytes long.
pub fn claims(claimant: &impl Claimant) -> Claimed {
    let read = |name| claimant.claim(name).filter(|text| text.len() <= MAX_CLAIM);
    Claimed {
        node_id: read(ClaimName::NodeId).and_then(|text| node_id(&text)),
        agent_ref: read(ClaimName::AgentRef).and_then(|text| run_id(&text)),
        idempotency_key: read(ClaimName::IdempotencyKey).and_then(|text| idempotency_key(&text)),
        cause: read(ClaimName::Traceparent).and_then(|text| parse_traceparent(&text)),
    }
}

/// Lower case, runs of anything but `a-z0-9-` as one `-`, none at the ends, at most 80 bytes.
fn node_id(text: &str) -> Option<Box<str>> {
    let lower = text.trim().to_ascii_lowercase();
    let kept = squeeze(&lower, '-', |c| c.is_ascii_lowercase() || c.is_ascii_digit());
    cut(kept.trim_matches('-'), 80)
}

/// Runs of anything but `A-Za-z0-9._:-` as one `_`, at most 120 bytes.
fn run_id(text: &str) -> Option<Box<str>> {
    let kept = squeeze(text.trim(), '_', |c| c.is_ascii_alphanumeric() || "._:-".contains(c));
    cut(&kept, 120)
}

fn idempotency_key(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    let fits = !text.is_empty() && text.len() <= 256 && !text.chars().any(char::is_control);
    fits.then(|| text.into())
}

fn squeeze(text: &str, filler: char, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if keep(c) {
            out.push(c);
        } else if !out.ends_with(filler) {
            out.push(filler);
        }
    }
    out
}

/// At most `max` bytes of ASCII text; `None` when nothing is left.
fn cut(text: &str, max: usize) -> Option<Box<str>> {
    let text = text.get(..max).unwrap_or(text);
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    struct Caller(HashMap<&'static str, String>);

    impl Claimant for Caller {
        fn claim(&self, name: ClaimName) -> Option<Cow<'_, str>> {
            self.0.get(name.header()).map(|text| Cow::Borrowed(text.as_str()))
        }

        fn origin(&self) -> Origin {
            Origin::Local
        }
    }

    fn said(header: &'static str, text: &str) -> Claimed {
        claims(&Caller(HashMap::from([(header, text.to_owned())])))
    }

    #[test]
    fn a_node_id_is_normalised_as_the_contract_has_it() {
        let node = |text: &str| said("x-node-id", text).node_id;
        assert_eq!(node("  Order Desk / EU ").as_deref(), Some("order-desk-eu"));
        assert_eq!(node("../..").as_deref(), None);
        assert_eq!(node(&"a".repeat(200)).map(|id| id.len()), Some(80));
    }

    #[test]
    fn an_agent_ref_keeps_its_own_characters_and_no_others() {
        let agent = |text: &str| said("x-agent-ref", text).agent_ref;
        assert_eq!(agent("run:1.2-3_x").as_deref(), Some("run:1.2-3_x"));
        assert_eq!(agent("run 1\n\u{0}2").as_deref(), Some("run_1_2"));
    }

    #[test]
    fn a_claim_that_is_too_long_or_unprintable_is_absent() {
        let key = |text: &str| said("x-idempotency-key", text).idempotency_key;
        assert_eq!(key("order-17").as_deref(), Some("order-17"));
        assert_eq!(key("two\nlines"), None);
        assert_eq!(key(&"k".repeat(257)), None);
        assert_eq!(said("x-node-id", &"a".repeat(MAX_CLAIM + 1)).node_id, None);
    }
}
