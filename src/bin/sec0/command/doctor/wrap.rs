/// How wide the terminal says that it is.
pub(super) fn width() -> usize {
    const USUAL: usize = 80;
    const LEAST: usize = 40;
    #[expect(clippy::disallowed_methods, reason = "of the terminal that reads this")]
    let said = std::env::var("COLUMNS").ok();
    said.and_then(|said| said.trim().parse().ok())
        .map_or(USUAL, |columns: usize| columns.max(LEAST))
}

/// The text in lines of at most `width` characters, broken between words; in one where there is no
/// width. A word that is longer stays whole, as paths are copied from here.
pub(super) fn wrapped(text: &str, width: Option<usize>) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    let width = width.unwrap_or(usize::MAX);
    let mut room = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if length < room => {
                line.push(' ');
                line.push_str(word);
                room -= length + 1;
            }
            Some(_) | None => {
                lines.push(word.to_owned());
                room = width.saturating_sub(length);
            }
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_between_words_on_a_terminal_and_nowhere_else() {
        let text = "a key must be here, /a/path/that/is/longer/than/the/line and so on";
        let lines: Vec<_> = wrapped(text, Some(20)).collect();
        assert_eq!(
            lines,
            ["a key must be here,", "/a/path/that/is/longer/than/the/line", "and so on"]
        );
        assert_eq!(wrapped(text, None).collect::<Vec<_>>(), [text]);
        for width in 1..40 {
            let lines: Vec<_> = wrapped(text, Some(width)).collect();
            assert_eq!(lines.join(" "), text);
            assert!(
                lines.iter().all(|line| line.len() <= width || !line.contains(' ')),
                "{lines:?}"
            );
        }
    }
}
