/// A text with wildcards, compared with a whole text: `*` is any text, also with `/` and also none;
/// `?` is one character; `\` takes the special meaning from what follows it.
///
/// A match takes time with the length of the text, whatever the pattern.
#[derive(Debug, Clone)]
pub struct Glob {
    /// What stands before the first `*`; the whole pattern where there is none.
    first: Part,
    /// What stands between and behind the `*`; `None` where there is none.
    rest: Option<(Vec<Part>, Part)>,
}

/// A piece without `*`.
#[derive(Debug, Clone, Default)]
struct Part {
    letters: Vec<Letter>,
    /// The piece as text, where it has no `?`.
    plain: Option<Box<str>>,
    /// For each character, in order, the places where it may stand, as bits.
    masks: Vec<(char, u64)>,
    /// The places of `?`.
    any: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Any,
    One(char),
}

/// The most bytes of a pattern.
pub(super) const MAX_GLOB: usize = 1024;

/// The most characters of a piece with `?` that stands between two `*`: the bits of a word.
const MAX_FLOATING: usize = 64;

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words that follow the key.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        if pattern.is_empty() {
            return Err("is empty and would match only empty text; write `*` for any".to_owned());
        }
        if pattern.len() > MAX_GLOB {
            return Err(format!(
                "must be at most {MAX_GLOB} bytes for `glob`, found {}",
                pattern.len()
            ));
        }
        let mut pieces = pieces(pattern)?.into_iter();
        let first = Part::new(pieces.next().unwrap_or_default());
        let mut rest: Vec<_> = pieces.map(Part::new).collect();
        let last = rest.pop();
        // Two `*` in a row are one.
        rest.retain(|part| !part.letters.is_empty());
        if rest.iter().any(|part| part.plain.is_none() && part.letters.len() > MAX_FLOATING) {
            return Err(format!(
                "has more than {MAX_FLOATING} characters with a `?` between two `*`; shorten it, or \
                 write a `regex`"
            ));
        }
        Ok(Self { first, rest: last.map(|last| (rest, last)) })
    }

    /// True when the pattern is the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let Some(text) = self.first.at_start(text) else { return false };
        let Some((floating, last)) = &self.rest else { return text.is_empty() };
        let Some(mut text) = last.at_end(text) else { return false };
        for part in floating {
            // The place that leaves most is as good as any other.
            let Some(rest) = part.behind(text) else { return false };
            text = rest;
        }
        true
    }
}

impl Part {
    fn new(letters: Vec<Letter>) -> Self {
        let plain = letters.iter().map(|letter| match letter {
            Letter::One(one) => Some(*one),
            Letter::Any => None,
        });
        let plain = plain.collect::<Option<String>>().map(Into::into);
        let (mut masks, mut any) = (Vec::<(char, u64)>::new(), 0);
        for (letter, at) in letters.iter().zip(0..u64::BITS) {
            let bit = 1_u64 << at;
            match letter {
                Letter::Any => any |= bit,
                Letter::One(one) => match masks.binary_search_by_key(one, |mask| mask.0) {
                    Ok(found) => masks.iter_mut().skip(found).take(1).for_each(|it| it.1 |= bit),
                    Err(gap) => masks.insert(gap, (*one, bit)),
                },
            }
        }
        Self { letters, plain, masks, any }
    }

    /// What of `text` follows this piece at its start.
    fn at_start<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut rest = text.chars();
        let fits = |letter: &Letter| rest.next().is_some_and(|found| letter.is(found));
        self.letters.iter().all(fits).then_some(rest.as_str())
    }

    /// What of `text` precedes this piece at its end.
    fn at_end<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut rest = text.chars();
        let fits = |letter: &Letter| rest.next_back().is_some_and(|found| letter.is(found));
        self.letters.iter().rev().all(fits).then_some(rest.as_str())
    }

    /// What of `text` follows this piece where it ends first.
    fn behind<'t>(&self, text: &'t str) -> Option<&'t str> {
        if let Some(plain) = &self.plain {
            return text.split_once(&**plain).map(|(_, rest)| rest);
        }
        // One bit for each beginning of the piece that the text ends with so far.
        let last = 1_u64.checked_shl(u32::try_from(self.letters.len()).ok()?.checked_sub(1)?)?;
        let mut begun = 0_u64;
        let mut rest = text.chars();
        while let Some(found) = rest.next() {
            begun = ((begun << 1) | 1) & self.mask(found);
            if begun & last != 0 {
                return Some(rest.as_str());
            }
        }
        None
    }

    fn mask(&self, found: char) -> u64 {
        let at = self.masks.binary_search_by_key(&found, |mask| mask.0).ok();
        self.any | at.and_then(|at| self.masks.get(at)).map_or(0, |mask| mask.1)
    }
}

impl Letter {
    fn is(self, found: char) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == found,
        }
    }
}

/// What stands between the `*`.
fn pieces(pattern: &str) -> Result<Vec<Vec<Letter>>, String> {
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => pieces.push(std::mem::take(&mut piece)),
            '?' => piece.push(Letter::Any),
            '\\' => match letters.next() {
                Some(literal) => piece.push(Letter::One(literal)),
                None => return Err("ends with a `\\`; write `\\\\` for the character".to_owned()),
            },
            '[' | ']' | '{' | '}' => {
                return Err(format!(
                    "has a `{letter}`, which `glob` does not know; write `\\{letter}` for the \
                     character, or write a `regex`"
                ));
            }
            other => piece.push(Letter::One(other)),
        }
    }
    pieces.push(piece);
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, letter by letter, without any thought for time.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|at| naive(rest, &text[at..])),
            ['?', rest @ ..] => !text.is_empty() && naive(rest, &text[1..]),
            ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
                text.first() == Some(literal) && naive(rest, &text[1..])
            }
        }
    }

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("*", "a/b\n\u{0}", true),
            ("/tmp/*", "/tmp/", true),
            ("/tmp/*", "/tmp/a/b", true),
            ("/tmp/*", "/tmp", false),
            ("/tmp/*", " /tmp/a", false),
            ("*.pem", "key.pem", true),
            ("*.pem", "key.PEM", false),
            ("*.pem", "key.pem ", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("**", "x", true),
            ("?", "é", true),
            ("?", "", false),
            ("?", "ab", false),
            ("*?b*", "ab", true),
            ("*?b*", "b", false),
            (r"\*", "*", true),
            (r"\*", "x", false),
            (r"a\\b", r"a\b", true),
            (r"\[x\]", "[x]", true),
            // Composed and decomposed are two texts.
            ("\u{e9}", "e\u{301}", false),
        ] {
            assert_eq!(Glob::parse(pattern).unwrap().matches(text), fits, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn a_pattern_with_another_meaning_elsewhere_is_refused() {
        for pattern in ["", "[a-z]", "{a,b}", "a\\", "a]", &"x".repeat(MAX_GLOB + 1)] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
        assert!(Glob::parse(&format!("*{}?*", "a".repeat(64))).is_err());
        assert!(Glob::parse(&format!("*{}?*", "a".repeat(63))).unwrap().matches(&"a".repeat(64)));
        assert!(Glob::parse(&format!("{}?*", "a".repeat(500))).is_ok());
    }

    #[test]
    fn a_megabyte_against_a_pattern_of_stars_is_read_and_not_tried_out() {
        let text = "a".repeat(1 << 20);
        for pattern in [
            "*a".repeat(200) + "b",
            "*a?".repeat(200) + "b",
            "*".to_owned() + &"a".repeat(1000) + "b*",
        ] {
            assert!(!Glob::parse(&pattern).unwrap().matches(&text));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn agrees_with_the_definition(
            pattern in r"([ab*?é]|\\[*?\\a]){1,9}", text in r"[abé*?\\]{0,9}"
        ) {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let fits = naive(&letters(&pattern), &letters(&text));
            prop_assert_eq!(Glob::parse(&pattern).unwrap().matches(&text), fits);
        }
    }
}
