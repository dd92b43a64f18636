//! A lock as text: JSON, one member a line, in a fixed order, without a character that hides.

use super::contents::Lock;
use super::hidden::push_json;
use crate::canonical;
use std::fmt;

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\n  \"version\": {}", Self::FORMAT)?;
        if let Some(server) = &self.server {
            let (name, version) = (string(server.name()), string(server.version()));
            write!(
                f,
                ",\n  \"server\": {{\n    \"name\": {name},\n    \"version\": {version}\n  }}"
            )?;
        }
        if let Some(binary) = self.binary {
            write!(f, ",\n  \"binary_sha256\": \"{binary}\"")?;
        }
        f.write_str(",\n  \"tools\": [")?;
        for (index, tool) in self.tools.iter().enumerate() {
            f.write_str(if index == 0 { "\n    {\n" } else { ",\n    {\n" })?;
            writeln!(f, "      \"name\": {},", string(&tool.name))?;
            if let Some(version) = &tool.version {
                writeln!(f, "      \"version\": {},", string(version.as_str()))?;
            }
            let definition = spread(&tool.definition, 3);
            write!(
                f,
                "      \"sha256\": \"{}\",\n      \"definition\": {definition}\n    }}",
                tool.digest
            )?;
        }
        f.write_str(if self.tools.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" })
    }
}

/// The lines of a canonical text, spread out.
pub(super) fn lines(canonical: &str) -> Vec<String> {
    spread(canonical, 0).lines().map(str::to_owned).collect()
}

/// A canonical text with each member and item on a line of its own. The first line is not indented,
/// the others by `levels` and their own depth.
fn spread(canonical: &str, levels: usize) -> String {
    let mut out = String::with_capacity(canonical.len().saturating_mul(2));
    let mut depth = levels;
    let mut walk = Walk::default();
    let mut letters = canonical.chars().peekable();
    while let Some(letter) = letters.next() {
        if !walk.is_structure(letter) {
            push_json(&mut out, letter);
            continue;
        }
        match letter {
            '{' | '[' => {
                out.push(letter);
                if let Some(close) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth = depth.saturating_add(1);
                    start_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                start_line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                start_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(letter),
        }
    }
    out
}

fn start_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// How many arrays and objects are open at once at the deepest place of a canonical text.
pub(super) fn depth(canonical: &str) -> usize {
    let (mut deepest, mut depth) = (0_usize, 0_usize);
    let mut walk = Walk::default();
    for letter in canonical.chars() {
        match letter {
            _ if !walk.is_structure(letter) => {}
            '{' | '[' => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A way through a JSON text that knows what is a text in it.
#[derive(Default)]
struct Walk {
    is_text: bool,
    is_escape: bool,
}

impl Walk {
    /// Takes the next letter; true where it belongs to no text, quotes included.
    fn is_structure(&mut self, letter: char) -> bool {
        let was_text = self.is_text;
        if std::mem::take(&mut self.is_escape) {
            return false;
        }
        match letter {
            '"' => self.is_text = !was_text,
            '\\' => self.is_escape = was_text,
            _ => {}
        }
        !was_text
    }
}

/// A text as a JSON string.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    let mut bytes = Vec::new();
    canonical::escape(&mut bytes, text);
    // What was escaped is the text it was, and so UTF-8.
    String::from_utf8_lossy(&bytes).chars().for_each(|letter| push_json(&mut out, letter));
    out.push('"');
    out
}
