//! Other people's text in a message.

/// At most 80 characters of `text`, and nothing that a terminal obeys.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut out: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn shows_no_control_character_and_no_more_than_eighty_characters() {
        assert_eq!(shown("a\u{1b}[31m\n\u{202e}é"), "a\\u{1b}[31m\\n\\u{202e}é");
        assert_eq!(shown(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(shown(&"x".repeat(5000)), format!("{}…", "x".repeat(80)));
    }
}
