use crate::approval::Shown;
use std::fmt::{self, Write as _};

/// The most combining marks that one character may have. Languages need up to three; a pile of them
/// grows over the lines above and below.
const MOST_MARKS: u8 = 3;

/// Somebody else's text, printed so that all of it is seen and none of it obeyed: control
/// characters, bidirectional and zero-width ones, blanks that are no space, and piled up marks
/// appear as `\u202e`, a backslash as `\\`.
///
/// Line ends are such characters too: what is printed is one line.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing else to say of a text")]
pub struct Visible<'a>(pub &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sight = Sight::default();
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                c if sight.misses(c) => Escaped(c).fmt(f)?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl Shown {
    /// The lines of the text, for a terminal. What [`Shown::of`] has made is given as it is; in a text
    /// that came from elsewhere, what is not seen is escaped here.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.text.split('\n').map(|line| {
            let mut sight = Sight::default();
            let seen = |c| if sight.misses(c) { Escaped(c).to_string() } else { String::from(c) };
            line.chars().map(seen).collect()
        })
    }
}

/// Reads a text from its beginning, and says of each character whether a reader would miss it.
#[derive(Debug)]
pub(super) struct Sight {
    marks: u8,
}

impl Default for Sight {
    /// At the beginning there is nothing that a mark could belong to.
    fn default() -> Self {
        Self { marks: MOST_MARKS }
    }
}

impl Sight {
    /// True for a character that is not seen where it stands, or does something to others.
    pub(super) fn misses(&mut self, c: char) -> bool {
        let is_seen_alone = if c.is_ascii() { !c.is_ascii_control() } else { is_seen_alone(c) };
        if !is_seen_alone && is_mark(c) {
            self.marks = self.marks.saturating_add(1);
            return self.marks > MOST_MARKS;
        }
        self.marks = 0;
        !is_seen_alone
    }
}

/// A character as JSON escapes it.
#[derive(Debug)]
pub(super) struct Escaped(pub(super) char);

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
    }
}

/// The standard library escapes what has no look of its own; the rest of the blanks are ours.
fn is_seen_alone(c: char) -> bool {
    c.escape_debug().len() == 1 && !is_blank(c)
}

/// True for a mark that belongs to the character before it: escaped alone, and not behind one.
fn is_mark(c: char) -> bool {
    !is_blank(c) && String::from_iter(['a', c]).escape_debug().eq(['a', c])
}

/// Fillers and selectors, which count as letters or marks.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{17b4}'
            | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}
