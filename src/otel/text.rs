use serde::Serialize;
use std::io::{self, Write};

/// A value as JSON, up to `max` bytes, with `…` where something was cut; `None` where it is none.
pub(super) fn bounded_json(value: &impl Serialize, max: usize) -> Option<String> {
    let mut room = Room { text: Vec::new(), max, is_cut: false };
    let written = serde_json::to_writer(&mut room, value);
    if written.is_err() && !room.is_cut {
        return None;
    }
    let Room { mut text, is_cut, .. } = room;
    if let Err(error) = str::from_utf8(&text) {
        // Cut within a character.
        text.truncate(error.valid_up_to());
    }
    let mut text = String::from_utf8(text).ok()?;
    if is_cut {
        text.push('…');
    }
    Some(text)
}

/// Takes so many bytes, and then no more: what is large is not written to its end.
struct Room {
    text: Vec<u8>,
    max: usize,
    is_cut: bool,
}

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.max.saturating_sub(self.text.len());
        let taken = bytes.get(..left).unwrap_or(bytes);
        self.text.extend_from_slice(taken);
        if taken.len() < bytes.len() {
            self.is_cut = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_cut_at_its_bound_and_at_a_character() {
        let value = json!({"a": "éé"});
        assert_eq!(bounded_json(&value, 100).unwrap(), r#"{"a":"éé"}"#);
        assert_eq!(bounded_json(&value, 12).unwrap(), r#"{"a":"éé"}"#);
        assert_eq!(bounded_json(&value, 9).unwrap(), r#"{"a":"é…"#);
        assert_eq!(bounded_json(&value, 0).unwrap(), "…");
    }
}
