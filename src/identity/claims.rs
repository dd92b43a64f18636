use super::agent_state::{AgentState, AgentStateError, NodeId, RunId};
use super::auth_context::{read_auth_context, read_authorization};
use super::claim::{ClaimName, Claimant, Said};
use super::json::json_text;
use super::printable::is_printable;
use super::traceparent::{parse_span_id, parse_trace_id, parse_traceparent};
use crate::call::{Claimed, JsonText, RareClaims, RejectedClaim, SpanIds, Unusable};
use crate::digest::{DigestKey, Fingerprint};

/// What of the claims is recorded beyond the usual, because somebody asked for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detail {
    /// The variables of the agent's state, as they are.
    pub variables: bool,
    /// The SHA-256 of a bearer token in `authorization`.
    pub token_sha256: bool,
}

/// Reads what the caller says of itself.
///
/// What is blank counts as not said. What was said and cannot be used counts as not said either,
/// and is named among the rejected. Digests are taken under `key` if there is one.
pub fn claims(claimant: &impl Claimant, detail: Detail, key: Option<&DigestKey>) -> Claimed {
    let mut reader = Reader { claimant, rejected: Vec::new() };
    let node_id = reader.read(ClaimName::NodeId, |text| NodeId::new(text).map_err(unusable));
    let run = reader.read(ClaimName::AgentRef, |text| RunId::new(text).map_err(unusable));
    let parent = reader.read(ClaimName::AgentParentRef, |text| RunId::new(text).map_err(unusable));
    let state = reader.read(ClaimName::AgentState, |text| {
        let state = AgentState::decode(text).map_err(unusable)?;
        let state = state.reconcile(node_id.as_ref(), run.as_ref(), parent.as_ref());
        let variables = variables(&state.map_err(unusable)?, detail)?;
        Ok((Fingerprint::of(text.as_bytes(), key), variables))
    });
    let (state, variables) = state.map_or((None, None), |(state, vars)| (Some(state), vars));
    let idempotency_key = reader.read(ClaimName::IdempotencyKey, |text| idempotency_key(text, key));
    let cause = reader.cause();
    let auth = reader.read(ClaimName::AuthContext, read_auth_context).or_else(|| {
        reader.read(ClaimName::Authorization, |text| read_authorization(text, detail.token_sha256))
    });
    let parent_ref = parent.map(RunId::into_inner);
    let rare = RareClaims {
        parent_ref,
        state_sha256: state.and_then(Fingerprint::sha256),
        state_hmac_sha256: state.and_then(Fingerprint::hmac),
        variables,
        auth,
        rejected: reader.rejected,
    };
    Claimed {
        node_id: node_id.map(NodeId::into_inner),
        agent_ref: run.map(RunId::into_inner),
        idempotency_key,
        cause,
        rare: (rare != RareClaims::default()).then(|| Box::new(rare)),
    }
}

/// The idempotency key as the caller sent it, for who has to find it again; `None` where [`claims`]
/// has none.
pub fn sent_idempotency_key(claimant: &impl Claimant) -> Option<Box<str>> {
    let mut reader = Reader { claimant, rejected: Vec::new() };
    reader.read(ClaimName::IdempotencyKey, |text| {
        idempotency_key(text, None).map(|_recorded| text.into())
    })
}

struct Reader<'c, C> {
    claimant: &'c C,
    rejected: Vec<RejectedClaim>,
}

impl<C: Claimant> Reader<'_, C> {
    fn read<T>(
        &mut self,
        name: ClaimName,
        parse: impl FnOnce(&str) -> Result<T, Unusable>,
    ) -> Option<T> {
        let parsed = match self.claimant.claim(name) {
            Said::Nothing => return None,
            Said::Unusable(why) => Err(why),
            Said::Text(text) => match text.trim() {
                "" => return None,
                text if text.len() > name.max_len() => Err(Unusable::TooLong),
                text => parse(text),
            },
        };
        match parsed {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                self.reject(name, why);
                None
            }
        }
    }

    fn reject(&mut self, name: ClaimName, why: Unusable) {
        self.rejected.push(RejectedClaim::new(name.header(), why));
    }

    /// From the pair of headers; where there is no usable pair, from `traceparent`.
    fn cause(&mut self) -> Option<SpanIds> {
        let trace = self.read(ClaimName::CauseTrace, |text| well_formed(parse_trace_id(text)));
        let span = self.read(ClaimName::CauseSpan, |text| well_formed(parse_span_id(text)));
        let pair = match (trace, span) {
            (None, None) => None,
            (Some(trace), Some(span)) => Some(SpanIds::new(trace, span)),
            (trace, _) => {
                let alone =
                    if trace.is_some() { ClaimName::CauseTrace } else { ClaimName::CauseSpan };
                self.reject(alone, Unusable::Inconsistent);
                None
            }
        };
        pair.or_else(|| {
            self.read(ClaimName::Traceparent, |text| well_formed(parse_traceparent(text)))
        })
    }
}

fn well_formed<T>(parsed: Option<T>) -> Result<T, Unusable> {
    parsed.ok_or(Unusable::Malformed)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
fn unusable(error: AgentStateError) -> Unusable {
    error.unusable()
}

/// The key as it is recorded. A digest is longer than what is kept as it is, so no key that is
/// sent can be mistaken for the digest of another.
fn idempotency_key(text: &str, key: Option<&DigestKey>) -> Result<Box<str>, Unusable> {
    const KEPT: usize = 64;
    if text.len() > 256 {
        Err(Unusable::TooLong)
    } else if !is_printable(text) {
        Err(Unusable::Unprintable)
    } else if text.chars().nth(KEPT).is_some() {
        Ok(Fingerprint::of(text.as_bytes(), key).to_string().into())
    } else {
        Ok(text.into())
    }
}

fn variables(state: &AgentState, detail: Detail) -> Result<Option<JsonText>, Unusable> {
    if !detail.variables || state.variables.is_empty() {
        return Ok(None);
    }
    json_text(&state.variables).map(Some)
}
