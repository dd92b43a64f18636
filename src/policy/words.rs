//! The checks of texts that the schema names: what is wrong and what is allowed, in words that
//! follow the key.

use super::error::shown;
use super::pattern::Pattern;
use super::shape::{hint, listed};
use crate::call::{Raised, Reason};

/// A tenant's name: it stands in every record.
pub(super) fn tenant(text: &str) -> Result<(), String> {
    const MOST: usize = 256;
    if text.trim().is_empty() {
        return Err("must have at least one character".to_owned());
    }
    if text.len() > MOST {
        return Err(format!("must be at most {MOST} bytes, found {}", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("must not have control characters; take them out".to_owned());
    }
    Ok(())
}

/// An entry of an allowlist.
pub(super) fn pattern(text: &str) -> Result<(), String> {
    match Pattern::parse(text) {
        Ok(_) => Ok(()),
        Err(fault) => Err(format!("is `{}`, {fault}", shown(text))),
    }
}

/// A reason of the policy's vocabulary, whether this version raises it or not.
pub(super) fn reason(text: &str) -> Result<(), String> {
    known(text).map(|_| ())
}

/// A reason that this version raises and that a policy may turn into a refusal.
pub(super) fn deny_on(text: &str) -> Result<(), String> {
    let reason = known(text)?;
    match reason.raised() {
        Raised::Here => Ok(()),
        Raised::Later(why) | Raised::Elsewhere(why) => {
            Err(format!("is `{reason}`, which this version never raises: {why}; take it out"))
        }
    }
}

/// The reason of the policy's vocabulary that is written so.
pub(super) fn known(text: &str) -> Result<Reason, String> {
    match Reason::from_wire(text) {
        Ok(reason) if reason.is_in_schema() => Ok(reason),
        Ok(reason) => {
            Err(format!("is `{reason}`, which refuses whatever the policy says; take it out"))
        }
        Err(_) => {
            let here = spellings(|reason| reason.raised() == Raised::Here);
            Err(format!(
                "is `{}`, which is not a reason{} this version has {}",
                shown(text),
                hint(text, &spellings(|_| true)),
                listed(&here)
            ))
        }
    }
}

fn spellings(which: impl Fn(Reason) -> bool) -> Vec<&'static str> {
    let schema = Reason::ALL.iter().filter(|reason| reason.is_in_schema());
    schema.filter(|reason| which(**reason)).map(|reason| reason.as_str()).collect()
}
