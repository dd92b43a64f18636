//! The checks of texts that the schema names: what is wrong and what is allowed, in words that
//! follow the key.

use super::error::shown;
use super::named::NamedTool;
use super::pattern::Pattern;
use super::places::{self, EgressEntry, Pointer, Root};
use super::shape::{hint, listed};
use crate::call::{Force, Raised, Reason};
use crate::sign::{PublicKey, Verifier};
use serde_json::{Value, json};
use std::str::FromStr as _;

const MOST_OF_A_TENANT: usize = 256;
const MOST_OF_AN_ID: usize = 128;
const MOST_OF_A_NAME: usize = 256;
/// Another spelling of a reason.
const ALIAS: &str = "idempotency_missing";

/// A tenant's name: it stands in every record.
pub(crate) fn tenant(text: &str) -> Result<(), String> {
    named(text, MOST_OF_A_TENANT)
}

/// The name of a rule: it stands in the records of the calls that it finds something in.
pub(super) fn rule_id(text: &str) -> Result<(), String> {
    named(text, MOST_OF_AN_ID)
}

/// The name of a person, a role, a caller or a set of people.
pub(super) fn name(text: &str) -> Result<(), String> {
    named(text, MOST_OF_A_NAME)
}

/// The name of a test: it stands in reports.
pub(super) fn test_name(text: &str) -> Result<(), String> {
    named(text, MOST_OF_A_TENANT)
}

/// One tool, as a call has it.
pub(super) fn one_tool(text: &str) -> Result<(), String> {
    NamedTool::parse(text).map(|_| ()).map_err(|malformed| malformed.predicate())
}

fn named(text: &str, most: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("must have at least one character".to_owned());
    }
    if text.len() > most {
        return Err(format!("must be at most {most} bytes, found {}", text.len()));
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
pub(crate) fn deny_on(text: &str) -> Result<(), String> {
    let reason = known(text)?;
    match reason.raised() {
        Raised::Here => Ok(()),
        Raised::Later(why) | Raised::Elsewhere(why) => {
            Err(format!("is `{reason}`, which this version never raises: {why}; take it out"))
        }
    }
}

/// The reason of the policy's vocabulary that is written so.
pub(crate) fn known(text: &str) -> Result<Reason, String> {
    match Reason::from_wire(text) {
        Ok(reason) if reason.is_in_schema() => Ok(reason),
        Ok(reason) if reason.force() == Force::InEnforce => Err(format!(
            "is `{reason}`, which refuses in enforce mode whatever `deny_on` has; take it out"
        )),
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

/// The path of a value inside the arguments (RFC 6901).
pub(super) fn pointer(text: &str) -> Result<(), String> {
    let mut escapes = text.split('~').skip(1);
    if !(text.is_empty() || text.starts_with('/'))
        || escapes.any(|rest| !rest.starts_with(['0', '1']))
    {
        return Err(format!(
            "is `{}`, which is no JSON pointer; write one such as `/path` or `/items/0/url`",
            shown(text)
        ));
    }
    Ok(())
}

/// An argument: a JSON pointer, or the name of a top-level one.
pub(super) fn argument(text: &str) -> Result<(), String> {
    Pointer::read(text).map(|_| ())
}

/// An entry of `security.egress_allowlist`.
pub(super) fn egress(text: &str) -> Result<(), String> {
    EgressEntry::parse(text).map(|_| ())
}

/// An entry of `security.fs_allowlist`.
pub(super) fn root(text: &str) -> Result<(), String> {
    Root::parse(text).map(|_| ())
}

/// What relative paths are relative to.
pub(super) fn base(text: &str) -> Result<(), String> {
    places::base(text).map(|_| ())
}

/// A reason of the user's own.
pub(super) fn token(text: &str) -> Result<(), String> {
    let mut letters = text.bytes();
    let begins = letters.next().is_some_and(|first| first.is_ascii_lowercase());
    let goes_on = letters.all(|next| matches!(next, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if begins && goes_on && (2..=64).contains(&text.len()) {
        // A record must not say that the registry changed where a rule of the policy spoke.
        return match Reason::from_wire(text) {
            Ok(Reason::RuleDenied) | Err(_) => Ok(()),
            Ok(_) => Err(format!(
                "is `{text}`, which is a reason of sec0's own; write another word, or leave it out"
            )),
        };
    }
    let rule = "a small letter and then 1 to 63 small letters, digits or `_`";
    Err(format!("is `{}`; it must be {rule}", shown(text)))
}

/// The public key of an approver. What was found is not shown: it may be the secret one.
pub(super) fn public_key(text: &str) -> Result<(), String> {
    let form = "must be `ed25519:` and the base64 of the 32 bytes of a public key";
    match PublicKey::from_str(text) {
        Ok(key) if text.starts_with("ed25519:") => Verifier::new(&key).map(|_| ()).map_err(|error| {
            format!("is a key that nothing can be checked with: {error}; make one with `sec0 keygen`")
        }),
        Ok(_) | Err(_) => Err(form.to_owned()),
    }
}

/// Where a key file is. That there is one, and that it may be used, is not looked at here.
pub(super) fn key_file(text: &str) -> Result<(), String> {
    match text.strip_prefix("file://") {
        Some(path) if !path.trim().is_empty() => Ok(()),
        Some(_) | None => Err("must be `file://` and the path of a key file".to_owned()),
    }
}

/// Something to read, and no control character.
const TENANT: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";

/// What JSON Schema can say of [`tenant`]: it counts characters.
pub(super) fn tenant_schema() -> Value {
    json!({"pattern": TENANT, "maxLength": MOST_OF_A_TENANT})
}

/// What JSON Schema can say of [`rule_id`].
pub(super) fn rule_id_schema() -> Value {
    json!({"pattern": TENANT, "maxLength": MOST_OF_AN_ID})
}

/// What JSON Schema can say of [`name`].
pub(super) fn name_schema() -> Value {
    json!({"pattern": TENANT, "maxLength": MOST_OF_A_NAME})
}

/// What JSON Schema can say of [`deny_on`].
pub(super) fn deny_on_schema() -> Value {
    json!({"enum": with_alias(|reason| reason.raised() == Raised::Here)})
}

/// What JSON Schema can say of [`reason`].
pub(super) fn reason_schema() -> Value {
    json!({"enum": with_alias(|_| true)})
}

/// What JSON Schema can say of [`pointer`].
pub(super) fn pointer_schema() -> Value {
    json!({"pattern": "^(/([^~]|~[01])*)?$"})
}

/// What JSON Schema can say of [`root`] and [`base`].
pub(super) fn root_schema() -> Value {
    json!({"pattern": "^/"})
}

/// What JSON Schema can say of [`key_file`].
pub(super) fn key_file_schema() -> Value {
    json!({"pattern": r"^file://.*\S"})
}

/// What JSON Schema can say of [`token`].
pub(super) fn token_schema() -> Value {
    let own = Reason::ALL.iter().filter(|reason| **reason != Reason::RuleDenied);
    let own: Vec<_> = own.map(|reason| reason.as_str()).chain([ALIAS]).collect();
    json!({"pattern": "^[a-z][a-z0-9_]{1,63}$", "not": {"enum": own}})
}

/// The reasons of the policy's vocabulary that `which` picks, and every other way to write one.
fn with_alias(which: impl Fn(Reason) -> bool) -> Vec<&'static str> {
    let mut words = spellings(&which);
    if Reason::from_wire(ALIAS).is_ok_and(which) {
        words.push(ALIAS);
    }
    words
}

fn spellings(which: impl Fn(Reason) -> bool) -> Vec<&'static str> {
    let schema = Reason::ALL.iter().filter(|reason| reason.is_in_schema());
    schema.filter(|reason| which(**reason)).map(|reason| reason.as_str()).collect()
}
