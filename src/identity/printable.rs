/// True for a text that a reader of a log sees as it is: no control characters, and none that is
/// invisible, breaks a line or turns the direction of the text.
pub(super) fn is_printable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || is_deceptive(c))
}

/// Format characters: zero width, bidirectional (Unicode TR 9), line ends of their own, byte order
/// marks, annotations, tags.
fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_cannot_see_is_not_printable() {
        for text in ["order-17", "café", "日本", "مرحبا", "a b", "\"}{\\"] {
            assert!(is_printable(text), "{text}");
        }
        for c in "\0\n\r\t\u{1b}\u{7f}\u{85}\u{200b}\u{202e}\u{2066}\u{2028}\u{feff}".chars() {
            assert!(!is_printable(&format!("a{c}b")), "{c:?}");
        }
    }
}
