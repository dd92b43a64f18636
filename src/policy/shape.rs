//! The language in which the schema is written.

use serde_json::Value;

/// What a key's value may be.
pub(crate) enum Shape {
    /// `true` or `false`.
    Flag,
    /// A number from the first to the second, both included; `u32::MAX` is no upper bound.
    Number(u32, u32),
    /// A number above 0.
    Positive,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Text that passes a check; the check answers with what is wrong and what is allowed.
    Text(fn(&str) -> Result<(), String>),
    /// Text that passes a check, and what JSON Schema can say of that check.
    Told(fn(&str) -> Result<(), String>, fn() -> Value),
    /// A list of such values.
    List(&'static Shape),
    /// A list of at least one such value.
    Filled(&'static Shape),
    /// A map with exactly these keys.
    Section(&'static [Key]),
    /// A map with exactly these keys, of which it must have one of those that are named first.
    Saying(&'static [&'static str], &'static [Key]),
    /// A map with keys of the user's own.
    Open(&'static Shape),
    /// The second shape where the value is a map, else the first.
    Either(&'static Shape, &'static Shape),
    /// A value that is not looked into.
    Anything,
}

/// One key of a section.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// Where it must stand although it is not required everywhere.
    pub(crate) needed: Option<Needed>,
    pub(crate) stands: Stands,
}

/// Where a section must have a key: where `other` has this word, or where it has not.
#[derive(Clone, Copy)]
pub(crate) struct Needed {
    pub(crate) other: &'static str,
    pub(crate) word: &'static str,
    pub(crate) is: bool,
}

/// What this version does with a key.
#[derive(Clone, Copy)]
pub(crate) enum Stands {
    /// It is enforced: the value goes into the document.
    Enforced,
    /// It is right in either form and changes nothing in this version.
    Noted,
    /// A section whose keys speak for themselves, and none of which is enforced.
    Parts,
    /// It is part of a value, and the key of the whole value says what is done with it.
    Inner,
    /// It is refused, for this reason, unless its value asks for nothing.
    Refused(Unless, &'static str),
}

/// The value of a refused key that asks for nothing, and so is accepted.
#[derive(Clone, Copy)]
pub(crate) enum Unless {
    /// None: the key itself asks for something.
    Absent,
    /// `false`, `0`, an empty list or an empty map: what [`Shape::off`] says.
    Off,
    /// [`Unless::Off`], or this default.
    OffOr(&'static str),
    /// Only this value.
    Is(&'static str),
}

/// Any number that a limit can be.
pub(crate) const AMOUNT: Shape = Shape::Number(0, u32::MAX);
/// A count of at least one.
pub(crate) const COUNT: Shape = Shape::Number(1, u32::MAX);
/// Text with at least one character.
pub(crate) const WORDS: Shape = Shape::Text(not_blank);
/// How bad a finding is.
pub(crate) const SEVERITIES: Shape = Shape::OneOf(&["low", "medium", "high", "critical"]);
/// What becomes of a call that nobody decided on.
pub(crate) const TIMEOUT_ACTIONS: Shape = Shape::OneOf(&["auto_approve", "auto_reject"]);
/// A list of such text.
pub(crate) const TEXTS: Shape = Shape::List(&WORDS);

impl Shape {
    /// What the value must be, in words that follow `must be`.
    pub(crate) fn wanted(&self) -> String {
        match self {
            Self::Flag => "`true` or `false`".to_owned(),
            Self::Number(least, most) if *most == u32::MAX => {
                format!("a number of at least {least}")
            }
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Positive => "a number above 0".to_owned(),
            Self::OneOf(words) => format!("one of {}", listed(words)),
            Self::Text(_) | Self::Told(..) => "text".to_owned(),
            Self::List(Self::Text(_) | Self::Told(..) | Self::OneOf(_)) => {
                "a list of text".to_owned()
            }
            Self::List(_) => "a list of maps".to_owned(),
            Self::Filled(item) => format!("{} with at least one entry", Self::List(item).wanted()),
            Self::Section(_) | Self::Saying(..) | Self::Open(_) => "a map".to_owned(),
            Self::Either(one, other) => format!("{}, or {}", one.wanted(), other.wanted()),
            Self::Anything => "what the documentation of the key says".to_owned(),
        }
    }

    /// How nothing is asked for in this shape.
    pub(crate) fn off(&self) -> &'static str {
        match self {
            Self::Flag => "false",
            Self::Number(..) | Self::Positive => "0",
            Self::List(_) | Self::Filled(_) => "[]",
            Self::OneOf(_)
            | Self::Text(_)
            | Self::Told(..)
            | Self::Section(_)
            | Self::Saying(..)
            | Self::Open(_)
            | Self::Either(..)
            | Self::Anything => "{}",
        }
    }
}

impl Key {
    /// An optional key that is enforced.
    pub(crate) const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, required: false, needed: None, stands: Stands::Enforced }
    }

    /// An optional key that is refused for `why`, unless its value asks for nothing.
    pub(crate) const fn later(
        name: &'static str,
        shape: Shape,
        unless: Unless,
        why: &'static str,
    ) -> Self {
        Self { name, shape, required: false, needed: None, stands: Stands::Refused(unless, why) }
    }

    /// An optional section none of whose keys is enforced.
    pub(crate) const fn parts(name: &'static str, keys: &'static [Self]) -> Self {
        let shape = Shape::Section(keys);
        Self { name, shape, required: false, needed: None, stands: Stands::Parts }
    }

    /// An optional key inside a value that is refused as a whole.
    pub(crate) const fn inner(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, required: false, needed: None, stands: Stands::Inner }
    }

    /// True when this version does what the key says.
    pub(crate) fn is_enforced(&self) -> bool {
        matches!(self.stands, Stands::Enforced)
    }

    /// The same key, which the section must have.
    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same key, which the section must have where `other` has this word.
    pub(crate) const fn required_where(mut self, other: &'static str, word: &'static str) -> Self {
        self.needed = Some(Needed { other, word, is: true });
        self
    }

    /// The same key, which the section must have where `other` has not this word.
    pub(crate) const fn required_unless(mut self, other: &'static str, word: &'static str) -> Self {
        self.needed = Some(Needed { other, word, is: false });
        self
    }

    /// The same key, accepted in every valid form and without effect.
    pub(crate) const fn noted(mut self) -> Self {
        self.stands = Stands::Noted;
        self
    }
}

/// Words in backticks, with commas.
pub(crate) fn listed(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// The word that is most like `found`, where one is like it at all.
pub(crate) fn nearest<'w>(found: &str, words: &[&'w str]) -> Option<&'w str> {
    // The distance takes time with the product of both lengths, and nothing this long is a slip.
    if found.len() > 64 {
        return None;
    }
    let folded = found.trim().to_lowercase().replace(['-', ' '], "_");
    let distance = |word: &str| strsim::damerau_levenshtein(&folded, &word.replace('-', "_"));
    let nearest = words.iter().copied().min_by_key(|word| distance(word))?;
    (distance(nearest) <= nearest.len().div_ceil(3)).then_some(nearest)
}

/// `; did you mean …?` where a word is like the one that was found, else `;`.
pub(crate) fn hint(found: &str, words: &[&str]) -> String {
    nearest(found, words).map_or_else(|| ";".to_owned(), |word| format!("; did you mean `{word}`?"))
}

fn not_blank(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("must have at least one character".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_gets_the_word_that_was_meant() {
        let words = ["deny_on", "mode", "escalate_on"];
        for (found, meant) in [
            ("deny_onn", Some("deny_on")),
            ("denyOn", Some("deny_on")),
            ("deny-on", Some("deny_on")),
            ("Mode", Some("mode")),
            ("quite_another_thing", None),
            ("", None),
        ] {
            assert_eq!(nearest(found, &words), meant, "{found}");
        }
        assert_eq!(nearest(&"m".repeat(100_000), &words), None);
    }
}
