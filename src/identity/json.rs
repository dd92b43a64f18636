use crate::call::{JsonText, Unusable};
use crate::canonical;
use serde::Serialize;
use serde_json::Value;

/// How large a JSON value of a caller may be. Its text was bounded before, and so was the work.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonSize {
    /// How many arrays and objects may be open at once.
    pub(super) depth: usize,
    /// How many members and items there may be, at all levels together.
    pub(super) entries: usize,
}

/// Which bound was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooLarge {
    Depth,
    Entries,
}

impl JsonSize {
    pub(super) fn check(mut self, value: &Value) -> Result<(), TooLarge> {
        self.walk(value)
    }

    /// What is left of the bounds is in `self`: the depth is given back on the way up.
    fn walk(&mut self, value: &Value) -> Result<(), TooLarge> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Ok(()),
            Value::Array(items) => {
                self.open(items.len())?;
                items.iter().try_for_each(|item| self.walk(item))?;
            }
            Value::Object(members) => {
                self.open(members.len())?;
                members.values().try_for_each(|member| self.walk(member))?;
            }
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    fn open(&mut self, entries: usize) -> Result<(), TooLarge> {
        self.depth = self.depth.checked_sub(1).ok_or(TooLarge::Depth)?;
        self.entries = self.entries.checked_sub(entries).ok_or(TooLarge::Entries)?;
        Ok(())
    }
}

/// The value as it stands in a record.
pub(super) fn json_text(value: &impl Serialize) -> Result<JsonText, Unusable> {
    let bytes = canonical::to_vec(value).map_err(|_error| Unusable::Malformed)?;
    String::from_utf8(bytes).map(JsonText::from_canonical).map_err(|_error| Unusable::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn depth_and_entries_are_bounded_at_all_levels_together() {
        let check = |depth, entries, value: Value| JsonSize { depth, entries }.check(&value);
        assert_eq!(check(0, 0, json!("text")), Ok(()));
        assert_eq!(check(2, 3, json!({"a": [1, 2]})), Ok(()));
        assert_eq!(check(1, 3, json!({"a": [1, 2]})), Err(TooLarge::Depth));
        assert_eq!(check(2, 2, json!({"a": [1, 2]})), Err(TooLarge::Entries));
        assert_eq!(check(1, 0, json!([])), Ok(()));
        // Siblings stand at one level, however many they are.
        assert_eq!(check(2, 4, json!([[], {}, [], {}])), Ok(()));
    }
}
