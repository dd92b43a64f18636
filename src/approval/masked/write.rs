use super::credential;
use super::name::{self, Says};
use super::page::Page;
use super::sight::{Escaped, Sight};
use crate::approval::Shown;
use crate::call::Arguments;
use serde_json::Value;
use std::ops::Range;

/// Maps and lists in each other beyond this are left out.
const MAX_DEPTH: usize = 32;

/// The members that name what stands beside them in `value`, as lists of headers have it.
const NAMING: &[&str] = &["name", "key", "header"];

impl Shown {
    /// What approvers are shown of these arguments. The same arguments always give the same text.
    ///
    /// It is indented JSON, with these departures:
    ///
    /// - A secret is `[masked, 40 characters]`, one inside a text `"user:" [masked, 8 characters]
    ///   "@host"`. Masked are the values of members whose names say so (`password`, `apiKey`,
    ///   `session-id`), what follows such a name inside a text, and credentials that are known by
    ///   their look. Nothing, `true` and `false` are shown under any name.
    /// - What is nested more than 32 deep is `[not shown, deeper than 32 levels]`; what is more than
    ///   [`Shown::MAX_TEXT`] bytes is cut off, and the last line is `[cut here, 5000 bytes left
    ///   out]`.
    /// - Without arguments it is `[no arguments]`.
    ///
    /// All of these stand outside quotes, where a value never has a bracket and a letter: a value
    /// that looks like one stands inside quotes.
    ///
    /// Control characters, those that turn or hide text and blanks that are no space are escaped as
    /// `\u202e`; newlines of the text are those of its lines.
    pub fn of(arguments: Option<&Arguments>, salt: [u8; 16]) -> Self {
        let mut page = Page::default();
        match arguments {
            Some(arguments) => page.map(arguments, 0),
            None => page.put("[no arguments]"),
        }
        Self { text: page.end().into(), salt }
    }
}

impl Page {
    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.put(&value.to_string()),
            Value::String(text) => self.text(text),
            Value::Array(items) => self.list(items, depth),
            Value::Object(members) => self.map(members, depth),
        }
    }

    fn map(&mut self, members: &Arguments, depth: usize) {
        if !self.opens("{}", members.is_empty(), depth) {
            return;
        }
        let names_secret = NAMING.iter().any(|naming| {
            let name = members.get(*naming).and_then(Value::as_str);
            name.is_some_and(|name| name::says(name).is_some())
        });
        for (at, (name, value)) in members.iter().enumerate() {
            self.put(if at == 0 { "" } else { "," });
            self.line(depth + 1);
            self.text(name);
            self.put(": ");
            match name::says(name) {
                Some(says) => self.secret(value, says, depth + 1),
                None if names_secret && name == "value" => {
                    self.secret(value, Says::Secret, depth + 1);
                }
                None => self.value(value, depth + 1),
            }
        }
        self.line(depth);
        self.put("}");
    }

    fn list(&mut self, items: &[Value], depth: usize) {
        if !self.opens("[]", items.is_empty(), depth) {
            return;
        }
        let mut is_secret = false;
        for (at, item) in items.iter().enumerate() {
            self.put(if at == 0 { "" } else { "," });
            self.line(depth + 1);
            if is_secret {
                self.secret(item, Says::Secret, depth + 1);
            } else {
                self.value(item, depth + 1);
            }
            // A command line: `["--password", "…"]`.
            is_secret = item.as_str().is_some_and(is_option_of_secret);
        }
        self.line(depth);
        self.put("]");
    }

    /// Opens a map or a list; `false` where there is nothing to write in it.
    fn opens(&mut self, brackets: &str, is_empty: bool, depth: usize) -> bool {
        let is_shown = depth < MAX_DEPTH;
        if is_empty {
            self.put(brackets);
        } else if is_shown {
            self.put(if brackets == "{}" { "{" } else { "[" });
        } else {
            self.put(&format!("[not shown, deeper than {MAX_DEPTH} levels]"));
        }
        is_shown && !is_empty
    }

    /// A value that its name says is a secret.
    fn secret(&mut self, value: &Value, says: Says, depth: usize) {
        match value {
            Value::Number(number) if says == Says::Secret => self.mask(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::Number(_) => self.value(value, depth),
            Value::String(text) if text.is_empty() => self.put("\"\""),
            Value::String(text) => self.mask(text),
            Value::Array(items) => self.put(&format!("[masked, a list of {}]", items.len())),
            Value::Object(members) => self.put(&format!("[masked, a map of {}]", members.len())),
        }
    }

    fn mask(&mut self, secret: &str) {
        let count = secret.chars().count();
        let plural = if count == 1 { "" } else { "s" };
        self.put(&format!("[masked, {count} character{plural}]"));
    }

    /// A text in quotes, with what is secret in it outside them.
    fn text(&mut self, text: &str) {
        let mut shown_to = 0;
        for secret in credential::find(text) {
            self.quoted(text, shown_to..secret.start);
            self.put(if shown_to < secret.start { " " } else { "" });
            shown_to = secret.end;
            self.mask(text.get(secret).unwrap_or_default());
            self.put(if shown_to < text.len() { " " } else { "" });
        }
        if text.is_empty() {
            self.put("\"\"");
        }
        self.quoted(text, shown_to..text.len());
    }

    /// This part of a text in quotes; nothing where it is empty.
    fn quoted(&mut self, text: &str, part: Range<usize>) {
        let Some(part) = text.get(part).filter(|part| !part.is_empty()) else { return };
        let mut sight = Sight::default();
        self.put("\"");
        for c in part.chars() {
            match c {
                '"' => self.put("\\\""),
                '\\' => self.put("\\\\"),
                '\n' => self.put("\\n"),
                '\r' => self.put("\\r"),
                '\t' => self.put("\\t"),
                c if sight.misses(c) => self.put(&Escaped(c).to_string()),
                c => self.put(c.encode_utf8(&mut [0; 4])),
            }
        }
        self.put("\"");
    }
}

/// True for `--password`, and what else begins like an option and has no value of its own.
fn is_option_of_secret(text: &str) -> bool {
    let name = text.strip_prefix('-').map(|text| text.trim_start_matches('-'));
    name.is_some_and(|name| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && name::says(name).is_some()
    })
}
