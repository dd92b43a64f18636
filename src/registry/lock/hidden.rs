use std::fmt::Write as _;

/// True for a character that a terminal obeys, or that a reader does not see or takes for another
/// kind of space.
pub(super) fn is_hidden(letter: char) -> bool {
    if letter.is_ascii() {
        return letter.is_ascii_control();
    }
    // Those that are drawn as nothing, though they count as letters or as marks.
    let is_blank = matches!(letter,
        '\u{34F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}'
        | '\u{E0000}'..='\u{E0FFF}');
    // Behind a letter, so that a mark that goes with one counts as seen.
    let pair = String::from_iter(['a', letter]);
    is_blank || pair.escape_debug().nth(2).is_some()
}

/// The text with every hidden character as `\u{…}`: what can be shown on a terminal, and in which
/// nothing hides.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hidden(letter) {
            out.extend(letter.escape_unicode());
        } else {
            out.push(letter);
        }
    }
    out
}

/// A JSON text with every hidden character spelled as JSON spells it, `\u200b`: the same value. It
/// has no line breaks.
pub fn visible_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|letter| push_json(&mut out, letter));
    out
}

/// Appends the letter as JSON spells it where it must not be seen as itself: `\u200b`.
pub(super) fn push_json(out: &mut String, letter: char) {
    if !is_hidden(letter) {
        out.push(letter);
        return;
    }
    for unit in letter.encode_utf16(&mut [0; 2]) {
        // Writing to a text does not fail.
        if write!(out, "\\u{unit:04x}").is_err() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_and_what_people_write_stays_as_it_is() {
        for seen in ["add", "é", "e\u{301}", "日本語", "हिन्दी", "→ “x” – 😀", "a b"]
        {
            assert_eq!(visible(seen), seen);
        }
        let hidden = [
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{9b}',
            '\u{a0}',
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2066}',
            '\u{2028}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{f8ff}',
            '\u{fffe}',
        ];
        for letter in hidden {
            let shown = visible(&letter.to_string());
            assert!(shown.starts_with("\\u{") && shown.is_ascii(), "{shown}");
            let mut text = String::new();
            push_json(&mut text, letter);
            let back: String = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert!(text.is_ascii() && back == letter.to_string(), "{text}");
        }
    }
}
