use super::super::error::shown;
use super::super::words;
use crate::call::Arguments;
use serde_json::Value;

/// An argument as the policy names it: a JSON pointer, or the name of a top-level argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Pointer(Box<str>);

/// The most bytes of a pointer in a record.
const MOST: usize = 256;

impl Pointer {
    /// Reads `/a/0/b`, or `a`.
    pub(in crate::policy) fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("must have at least one character".to_owned());
        }
        if text.len() > MOST {
            return Err(format!("is `{}`, which is longer than {MOST} bytes", shown(text)));
        }
        if text.starts_with('/') {
            words::pointer(text)?;
            return Ok(Self(text.into()));
        }
        Ok(Self(format!("/{}", escaped(text)).into()))
    }

    /// The argument, where there is one.
    pub(super) fn find<'a>(&self, arguments: &'a Arguments) -> Option<&'a Value> {
        let behind = self.0.strip_prefix('/')?;
        let (first, rest) = match behind.find('/').and_then(|at| behind.split_at_checked(at)) {
            Some((first, rest)) => (first, rest),
            None => (behind, ""),
        };
        arguments.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a member as a part of a pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A pointer for a record or an explanation: cut at a character, with `…` where something was cut.
pub(super) fn bounded(pointer: &str) -> Box<str> {
    if pointer.len() <= MOST {
        return pointer.into();
    }
    let cut = (0..=MOST).rev().find(|at| pointer.is_char_boundary(*at));
    format!("{}…", cut.and_then(|at| pointer.get(..at)).unwrap_or("")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_is_a_top_level_argument_and_a_pointer_leads_anywhere() {
        let arguments = json!({"to": 1, "a/b": {"~": [2, {"": 3}]}, "": 4});
        let arguments = arguments.as_object().unwrap();
        for (text, found) in [
            ("to", Some(json!(1))),
            ("/to", Some(json!(1))),
            ("a/b", Some(json!({"~": [2, {"": 3}]}))),
            ("/a~1b/~0/0", Some(json!(2))),
            ("/a~1b/~0/1/", Some(json!(3))),
            ("/", Some(json!(4))),
            ("/a~1b/~0/9", None),
            ("no", None),
        ] {
            assert_eq!(Pointer::read(text).unwrap().find(arguments), found.as_ref(), "{text}");
        }
        for text in ["", " ", "/~", "/a~2"] {
            assert!(Pointer::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_long_pointer_is_cut_at_a_character() {
        let cut = bounded(&"é".repeat(1000));
        assert!(cut.len() <= MOST + '…'.len_utf8() && cut.ends_with('…'));
    }

    #[test]
    fn a_pointer_of_the_policy_may_have_256_bytes_and_no_more() {
        let said = |length: usize| Pointer::read(&"a".repeat(length));
        assert!(said(256).is_ok());
        for length in [257, 300] {
            assert!(said(length).unwrap_err().contains("which is longer than 256 bytes"));
        }
    }
}
