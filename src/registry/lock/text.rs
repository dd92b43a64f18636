//! A lock as text: JSON, one member a line, in a fixed order, without a character that hides.

use super::contents::Lock;
use super::hidden::push_json;
use crate::canonical;
use std::fmt;

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = format!("{{\n  \"version\": {}", Self::FORMAT);
        if let Some(server) = &self.server {
            let (name, version) = (string(server.name()), string(server.version()));
            out += &format!(
                ",\n  \"server\": {{\n    \"name\": {name},\n    \"version\": {version}\n  }}"
            );
        }
        if let Some(binary) = self.binary {
            out += &format!(",\n  \"binary_sha256\": \"{binary}\"");
        }
        out += ",\n  \"tools\": [";
        for (index, tool) in self.tools.iter().enumerate() {
            out += if index == 0 { "\n    {\n" } else { ",\n    {\n" };
            out += &format!("      \"name\": {},\n", string(&tool.name));
            if let Some(version) = &tool.version {
                out += &format!("      \"version\": {},\n", string(version.as_str()));
            }
            out += &format!("      \"sha256\": \"{}\",\n      \"definition\": ", tool.digest);
            spread(&mut out, &tool.definition, 3);
            out += "\n    }";
        }
        out += if self.tools.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" };
        f.write_str(&out)
    }
}

/// The lines of a canonical text, spread out.
pub(super) fn lines(canonical: &str) -> Vec<String> {
    let mut out = String::new();
    spread(&mut out, canonical, 0);
    out.lines().map(str::to_owned).collect()
}

/// Appends a canonical text with each member and item on a line of its own. The first line is not
/// indented, the others by `levels` and their own depth.
fn spread(out: &mut String, canonical: &str, levels: usize) {
    let mut depth = levels;
    let mut letters = canonical.chars().peekable();
    let mut within = Within::Structure;
    let start = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(letter) = letters.next() {
        match (within, letter) {
            (Within::Escape, _) => within = Within::Text,
            (Within::Text, '\\') => within = Within::Escape,
            (Within::Text, '"') => within = Within::Structure,
            (Within::Text, _) => {}
            (Within::Structure, '"') => within = Within::Text,
            (Within::Structure, '{' | '[') => {
                out.push(letter);
                if let Some(close) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(close);
                } else {
                    depth = depth.saturating_add(1);
                    start(out, depth);
                }
                continue;
            }
            (Within::Structure, '}' | ']') => {
                depth = depth.saturating_sub(1);
                start(out, depth);
            }
            (Within::Structure, ',') => {
                out.push(letter);
                start(out, depth);
                continue;
            }
            (Within::Structure, ':') => {
                out.push_str(": ");
                continue;
            }
            (Within::Structure, _) => {}
        }
        push_json(out, letter);
    }
}

/// Where in a JSON text a letter stands.
#[derive(Clone, Copy)]
enum Within {
    Structure,
    Text,
    Escape,
}

/// How many arrays and objects are open at once at the deepest place of a canonical text.
pub(super) fn depth(canonical: &str) -> usize {
    let (mut deepest, mut depth) = (0_usize, 0_usize);
    let mut within = Within::Structure;
    for letter in canonical.chars() {
        match (within, letter) {
            (Within::Escape, _) | (Within::Structure, '"') => within = Within::Text,
            (Within::Text, '\\') => within = Within::Escape,
            (Within::Text, '"') => within = Within::Structure,
            (Within::Structure, '{' | '[') => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            (Within::Structure, '}' | ']') => depth = depth.saturating_sub(1),
            (Within::Text | Within::Structure, _) => {}
        }
    }
    deepest
}

/// A text as a JSON string.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    let mut bytes = Vec::new();
    canonical::escape(&mut bytes, text);
    let escaped = String::from_utf8(bytes).unwrap_or_default();
    escaped.chars().for_each(|letter| push_json(&mut out, letter));
    out.push('"');
    out
}
