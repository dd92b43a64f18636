use super::asked::Arguments;
use serde_json::Value;
use std::fmt;

/// What a call presents to be let through: the name of the grant that a human gave it.
///
/// It is the caller's text and proves nothing before a grant is found by it. `Debug` does not show
/// it, and there is no `Display`: whoever has it can try to spend the grant.
#[derive(Clone)]
pub struct ApprovalToken(Option<Box<str>>);

impl ApprovalToken {
    /// The most bytes of a token.
    pub const MAX_LEN: usize = 256;

    /// The HTTP headers that carry it, in lower case, the one that counts first.
    pub const HEADERS: [&str; 2] = ["x-sec0-approval-token", "x-sec0-approval"];

    /// The key in `_meta` that carries it.
    pub const META: &str = "sec0/approvalToken";

    /// The arguments that carry it, where the tool has none of that name, in the order in which they
    /// count.
    pub const ARGUMENTS: [&str; 3] = ["__sec0_approval_token", "approval_token", "approvalToken"];

    /// The token that was sent as this text; `None` where that is blank, which counts as not sent.
    ///
    /// One that is longer than [`MAX_LEN`](Self::MAX_LEN) or has control characters fits nothing.
    pub fn new(text: &str) -> Option<Self> {
        let is_one = text.len() <= Self::MAX_LEN && !text.chars().any(char::is_control);
        (!text.trim().is_empty()).then(|| Self(is_one.then(|| text.into())))
    }

    /// A token that was sent as something that is no one text: it fits nothing.
    pub fn fits_nothing() -> Self {
        Self(None)
    }

    /// Takes the member `name` out of an object, and the token that it was. The other members keep
    /// their order.
    pub fn take(object: &mut Arguments, name: &str) -> Option<Self> {
        let token = match object.get(name)? {
            Value::String(text) => Self::new(text),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => Some(Self::fits_nothing()),
        };
        object.retain(|member, _| member != name);
        token
    }

    /// The text as it was sent; `None` where the token fits nothing, which is to be answered like
    /// one that nobody knows.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for ApprovalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApprovalToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_of_up_to_256_bytes_is_kept_as_it_was_sent() {
        for text in [" 0f\u{e9} ", &*"a".repeat(256)] {
            assert_eq!(ApprovalToken::new(text).unwrap().text(), Some(text));
        }
        for text in [&*"a".repeat(257), &"\u{e9}".repeat(129), &"a".repeat(1 << 20), "a\nb", "\0"] {
            assert_eq!(ApprovalToken::new(text).unwrap().text(), None);
        }
        for blank in ["", "  ", "\t\n"] {
            assert!(ApprovalToken::new(blank).is_none());
        }
    }

    #[test]
    fn whatever_it_is_it_is_taken_out_and_the_rest_keeps_its_order() {
        for (value, text) in [
            (json!("0f"), Some(Some("0f"))),
            (json!(""), None),
            (json!(7), Some(None)),
            (json!(null), Some(None)),
            (json!(true), Some(None)),
            (json!(["0f"]), Some(None)),
            (json!({"token": "0f"}), Some(None)),
        ] {
            let object = json!({"z": 1, "token": value, "a": 2, "m": {"token": 3}});
            let mut object = object.as_object().unwrap().clone();
            let mut rest: Vec<_> = object.keys().cloned().collect();
            rest.retain(|name| name != "token");
            let taken = ApprovalToken::take(&mut object, "token");
            assert_eq!(taken.as_ref().map(ApprovalToken::text), text, "{value}");
            assert!(object.keys().eq(&rest));
            assert_eq!(object["m"], json!({"token": 3}));
            assert!(ApprovalToken::take(&mut object, "token").is_none());
        }
    }

    #[test]
    fn nobody_sees_it_by_printing_it() {
        let token = ApprovalToken::new("0f1e2d3c").unwrap();
        assert_eq!(format!("{token:?} {:#?}", Some(&token)).matches("0f1e").count(), 0);
    }
}
