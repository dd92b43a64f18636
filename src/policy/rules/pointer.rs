use super::seen::Seen;
use crate::call::Arguments;
use serde_json::Value;

/// The path of a value inside the arguments (RFC 6901), taken apart once.
#[derive(Debug, Clone)]
pub(super) struct Pointer {
    text: Box<str>,
    steps: Box<[Step]>,
}

#[derive(Debug, Clone)]
pub(super) struct Step {
    key: Box<str>,
    /// The place in a list that it names, when it can be one.
    index: Option<usize>,
}

/// The most bytes of a pointer.
pub(super) const MAX_POINTER: usize = 1024;

impl Pointer {
    /// Takes a text apart; `None` when it is no pointer.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        // What stands before the first slash: nothing, or the text is none.
        if !parts.next()?.is_empty() || text.len() > MAX_POINTER {
            return None;
        }
        let steps = parts.map(Step::parse).collect::<Option<_>>()?;
        Some(Self { text: text.into(), steps })
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The names on the way, from the outermost.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What stands there. A list is entered by number only, and `-` is behind its end.
    pub(super) fn find<'a>(&self, arguments: &'a Arguments) -> Option<Seen<'a>> {
        let Some((first, rest)) = self.steps.split_first() else {
            return Some(Seen::Whole(arguments));
        };
        let first = arguments.get(&*first.key)?;
        rest.iter().try_fold(first, |value, step| step.enter(value)).map(Seen::Value)
    }
}

impl Step {
    fn parse(part: &str) -> Option<Self> {
        if part.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
            return None;
        }
        // In this order: `~01` is `~1`.
        let key = part.replace("~1", "/").replace("~0", "~");
        let is_number = part == "0" || part.starts_with(|first: char| matches!(first, '1'..='9'));
        let index = if is_number && part.bytes().all(|digit| digit.is_ascii_digit()) {
            // One that is too large is behind the end of every list.
            Some(part.parse().unwrap_or(usize::MAX))
        } else {
            None
        };
        Some(Self { key: key.into(), index })
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// True when it can lead into a list.
    pub(super) fn is_index(&self) -> bool {
        self.index.is_some()
    }

    fn enter<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match value {
            Value::Object(map) => map.get(&*self.key),
            Value::Array(items) => items.get(self.index?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn arguments(value: Value) -> Arguments {
        let Value::Object(map) = value else { panic!("an object") };
        map
    }

    fn found(pointer: &str, value: &Value) -> Option<Value> {
        let arguments = arguments(value.clone());
        match Pointer::parse(pointer).expect(pointer).find(&arguments)? {
            Seen::Value(value) => Some(value.clone()),
            Seen::Whole(map) => Some(Value::Object(map.clone())),
        }
    }

    #[test]
    fn finds_what_the_examples_of_rfc_6901_find() {
        let document = json!({
            "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4,
            "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8, "~1": 9, "01": 10
        });
        for (pointer, value) in [
            ("", document.clone()),
            ("/foo", json!(["bar", "baz"])),
            ("/foo/0", json!("bar")),
            ("/", json!(0)),
            ("/a~1b", json!(1)),
            ("/c%d", json!(2)),
            ("/e^f", json!(3)),
            ("/g|h", json!(4)),
            ("/i\\j", json!(5)),
            ("/k\"l", json!(6)),
            ("/ ", json!(7)),
            ("/m~0n", json!(8)),
            ("/~01", json!(9)),
            ("/01", json!(10)),
        ] {
            assert_eq!(found(pointer, &document), Some(value), "{pointer}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let document = json!({"list": ["a"], "text": "abc", "none": null});
        for pointer in [
            "/list/1",
            "/list/-",
            "/list/00",
            "/list/+0",
            "/list/ 0",
            "/list/0/0",
            "/text/0",
            "/none/a",
            "/List",
            "/list/",
            "/list/99999999999999999999999",
            "//list",
            "/text/length",
        ] {
            assert_eq!(found(pointer, &document), None, "{pointer}");
        }
        assert_eq!(found("/none", &document), Some(Value::Null));
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["a", "a/b", "/~", "/~2", "/a~", "#/a", " /a"] {
            assert!(Pointer::parse(text).is_none(), "{text}");
        }
        assert!(Pointer::parse(&"/a".repeat(MAX_POINTER)).is_none());
    }

    proptest! {
        #[test]
        fn finds_what_another_reader_of_pointers_finds(
            pointer in "(/(~0|~1|[a-c0-2~/]|-){0,3}){0,4}", text in any::<bool>()
        ) {
            let document = json!({
                "a": {"a": [1, {"b": 2, "0": 3}, [4]], "": {"a": 5}}, "b": ["x"], "0": 6,
                "1": [[7]], "": 8, "~": 9, "/": {"~1": 10, "a": text}
            });
            if let Some(parsed) = Pointer::parse(&pointer)
                && !pointer.is_empty()
            {
                let map = arguments(document.clone());
                let ours = match parsed.find(&map) {
                    Some(Seen::Value(value)) => Some(value),
                    Some(Seen::Whole(_)) | None => None,
                };
                prop_assert_eq!(ours, document.pointer(&pointer));
            }
        }
    }
}
