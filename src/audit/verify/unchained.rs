//! Lines one by one, by the recipe of the original.

use super::keys::Ring;
use super::totals::Totals;
use crate::audit::MAX_LINE;
use crate::audit::fault::Fault;
use crate::audit::read::Line;
use crate::audit::recipe;
use crate::sign::{self, PublicKey, Signature};
use serde::Deserialize;

/// Verifies the signature of one line, with or without its line end, by the original's recipe:
/// parse, take `sig` out, sort, serialise, verify. The order of members does not matter, nor
/// whether the line is tied to a chain. A line in the form of RFC 8785 also verifies as it stands:
/// the original sorts names that are array indices in another way, which may stand in the variables
/// of an agent.
///
/// # Errors
///
/// The line is no JSON object, has no signature, or its signature does not verify.
pub fn verify_line(line: &[u8], key: &PublicKey) -> Result<(), Fault> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = read_text(line)?;
    let (sig, message) = recipe::take_apart(text).map_err(Fault::NotJson)?;
    let sig: Signature =
        sig.ok_or(Fault::Missing("sig"))?.parse().map_err(|_says_no_more| Fault::NotASignature)?;
    let key = sign::Verifier::new(key).map_err(|_not_a_key| Fault::BadSignature)?;
    let as_it_stands = || {
        let mut unsigned = Vec::new();
        Line::read(text).ok()?.write_unsigned(&mut unsigned);
        key.verify(&unsigned, &sig).ok()
    };
    match key.verify(&message, &sig) {
        Ok(()) => Ok(()),
        Err(_) => as_it_stands().ok_or(Fault::BadSignature),
    }
}

/// What is counted of a line of the original, whose members may stand in any order.
#[derive(Deserialize)]
struct Counted {
    ts: Option<String>,
    status: Option<String>,
    event: Option<String>,
}

/// Verifies and counts a line that has no place in a chain, signed by any of the keys.
pub(super) fn take(text: &str, ring: &Ring, totals: &mut Totals) -> Result<(), Fault> {
    let (sig, message) = recipe::take_apart(text).map_err(Fault::NotJson)?;
    ring.check_any(&message, &sig.ok_or(Fault::Missing("sig"))?)?;
    let counted: Counted =
        serde_json::from_slice(&message).map_err(|error| Fault::NotJson(error.to_string()))?;
    let ts = counted.ts.ok_or(Fault::Missing("ts"))?;
    totals.count(&ts, counted.status.as_deref(), counted.event.is_some());
    Ok(())
}

/// The text of a line without its line end.
pub(super) fn read_text(line: &[u8]) -> Result<&str, Fault> {
    if line.len() > MAX_LINE {
        return Err(Fault::TooLong);
    }
    str::from_utf8(line)
        .map_err(|error| Fault::NotJson(format!("no UTF-8 at byte {}", error.valid_up_to() + 1)))
}

/// True when a line that is not canonical claims a place in the chain.
pub(super) fn has_chain(text: &str) -> bool {
    ["\"seq\"", "\"prev_sha256\"", "\"key_id\""].iter().any(|member| text.contains(member))
}
