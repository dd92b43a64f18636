use super::json::{JsonSize, json_text};
use super::printable::is_printable;
use crate::call::{JsonText, Unusable};
use crate::digest::Digest;
use serde::Serialize;
use serde_json::{Map, Value};

/// What `x-auth-context` may say, with nothing that could be a credential.
///
/// Members that are not known are left out and counted: whatever a caller puts there, a token too,
/// does not get into a record.
#[derive(Debug, Serialize)]
struct AuthContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<Jwt>,
    #[serde(skip_serializing_if = "is_zero")]
    other_members: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    scheme: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_hash: Option<String>,
    /// Always false: it is a claim.
    verified: bool,
}

/// The claims of a token that the caller says it has.
#[derive(Debug, Serialize)]
struct Jwt {
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
}

const SIZE: JsonSize = JsonSize { depth: 8, entries: 128 };
const MAX_TEXT: usize = 256;
const MAX_ROLES: usize = 32;
const MAX_ROLE: usize = 64;

/// The schemes of `x-auth-context`.
const CONTEXT_SCHEMES: [&str; 4] = ["assertion", "bearer", "none", "prehashed"];

/// The schemes of `authorization` that are recorded by name; any other could be half a secret.
const HTTP_SCHEMES: [&str; 8] =
    ["basic", "bearer", "digest", "dpop", "gnap", "mutual", "negotiate", "oauth"];

/// Reads `x-auth-context`: a JSON object, of whose known members each has its type and its bound.
pub(super) fn read_auth_context(text: &str) -> Result<JsonText, Unusable> {
    let value: Value = serde_json::from_str(text).map_err(|_error| Unusable::Malformed)?;
    SIZE.check(&value).map_err(|_too_large| Unusable::Malformed)?;
    let mut members = Members::of(value)?;
    let jwt = members.0.remove("jwt").map(Jwt::read).transpose()?;
    let (jwt, others_in_jwt) = jwt.map_or((None, 0), |(jwt, others)| (Some(jwt), others));
    let scheme = members.text("scheme", MAX_TEXT)?.ok_or(Unusable::Malformed)?;
    let known = CONTEXT_SCHEMES.into_iter().find(|known| *known == scheme);
    json_text(&AuthContext {
        jwt,
        roles: members.texts("roles")?,
        scheme: known.ok_or(Unusable::Malformed)?,
        tenant: members.text("tenant", MAX_TEXT)?,
        token_sha256: members.sha256("token_sha256")?,
        user_hash: members.text("user_hash", MAX_TEXT)?,
        other_members: others_in_jwt.saturating_add(members.0.len()),
        verified: false,
    })
}

/// Reads `authorization` for its scheme. Of the credentials nothing is kept; where asked for, the
/// SHA-256 of a bearer token, which nobody can guess if it is as random as it should be.
pub(super) fn read_authorization(text: &str, token_sha256: bool) -> Result<JsonText, Unusable> {
    let (scheme, credentials) = text.split_once(' ').ok_or(Unusable::Malformed)?;
    let is_same = |known: &&str| scheme.eq_ignore_ascii_case(known);
    let scheme = HTTP_SCHEMES.into_iter().find(is_same).unwrap_or("other");
    let is_random = matches!(scheme, "bearer" | "dpop");
    let digest = || Digest::of(credentials.trim_start().as_bytes()).to_string();
    json_text(&AuthContext {
        jwt: None,
        roles: None,
        scheme,
        tenant: None,
        token_sha256: (token_sha256 && is_random).then(digest),
        user_hash: None,
        other_members: 0,
        verified: false,
    })
}

impl Jwt {
    /// The claims, and how many members were left out.
    fn read(value: Value) -> Result<(Self, usize), Unusable> {
        let mut members = Members::of(value)?;
        let jwt = Self {
            aud: members.audience()?,
            email: members.text("email", MAX_TEXT)?,
            exp: members.whole("exp")?,
            iat: members.whole("iat")?,
            iss: members.text("iss", MAX_TEXT)?,
            sub: members.text("sub", MAX_TEXT)?,
            tenant: members.text("tenant", MAX_TEXT)?,
        };
        Ok((jwt, members.0.len()))
    }
}

/// The members that are not read yet.
struct Members(Map<String, Value>);

impl Members {
    fn of(value: Value) -> Result<Self, Unusable> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(Unusable::Malformed),
        }
    }

    fn text(&mut self, name: &str, max: usize) -> Result<Option<String>, Unusable> {
        self.0.remove(name).map(|value| text(value, max)).transpose()
    }

    fn sha256(&mut self, name: &str) -> Result<Option<String>, Unusable> {
        let is_hex = |text: &String| {
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        match self.text(name, MAX_TEXT)? {
            // A token that was put there by mistake is not recorded.
            Some(text) if !is_hex(&text) => Err(Unusable::Malformed),
            text => Ok(text),
        }
    }

    fn whole(&mut self, name: &str) -> Result<Option<u64>, Unusable> {
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let whole = value.as_u64().filter(|whole| *whole < 1 << 53);
        whole.map(Some).ok_or(Unusable::Malformed)
    }

    fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Unusable> {
        self.0.remove(name).map(texts).transpose()
    }

    /// One text, or several.
    fn audience(&mut self) -> Result<Option<Value>, Unusable> {
        match self.0.remove("aud") {
            None => Ok(None),
            Some(several @ Value::Array(_)) => texts(several).map(|texts| Some(texts.into())),
            Some(one) => text(one, MAX_TEXT).map(|text| Some(text.into())),
        }
    }
}

fn texts(value: Value) -> Result<Vec<String>, Unusable> {
    let Value::Array(items) = value else { return Err(Unusable::Malformed) };
    if items.len() > MAX_ROLES {
        return Err(Unusable::TooLong);
    }
    items.into_iter().map(|item| text(item, MAX_ROLE)).collect()
}

fn text(value: Value, max: usize) -> Result<String, Unusable> {
    let Value::String(text) = value else { return Err(Unusable::Malformed) };
    if text.len() > max {
        Err(Unusable::TooLong)
    } else if !is_printable(&text) {
        Err(Unusable::Unprintable)
    } else if looks_like_a_token(&text) {
        Err(Unusable::Malformed)
    } else {
        Ok(text)
    }
}

/// A JSON web token, or a whole `authorization` header, in a member that is not for it.
fn looks_like_a_token(text: &str) -> bool {
    let is_header = text.split_once(' ').is_some_and(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("basic")
    });
    is_header || (text.starts_with("eyJ") && text.contains('.'))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is what serde asks for")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
