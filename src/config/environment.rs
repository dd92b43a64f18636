use super::error::ConfigProblem;
use crate::policy::reading::{Kind, Node, Place};
use std::collections::HashMap;
use std::ffi::OsString;

/// The most variables that one file may name.
const MAX_REFERENCES: usize = 1000;
/// The most bytes of one variable.
const MAX_VALUE: usize = 64 * 1024;
/// The most bytes that all variables may add to one file.
const MAX_TOTAL: usize = 1 << 20;
/// The most bytes of a variable's name.
const MAX_NAME: usize = 128;

/// Where variables come from.
pub(super) type Lookup<'e> = dyn Fn(&str) -> Option<OsString> + 'e;

/// What stood in the file at the places whose values are from the environment.
#[derive(Debug, Default)]
pub(super) struct Written(HashMap<Place, String>);

impl Written {
    /// The text of the file, where the value there is another.
    pub(super) fn at(&self, node: &Node) -> Option<&str> {
        self.0.get(&node.place).map(String::as_str)
    }

    /// The problem without the value that it is about, where that is from the environment.
    pub(super) fn veil(&self, problem: ConfigProblem) -> ConfigProblem {
        let place = Place { line: problem.line, column: problem.column };
        let Some(written) = self.0.get(&place) else { return problem };
        let subject = format!("`{}` ", problem.path);
        let said = problem.message.strip_prefix(&subject);
        let said =
            said.filter(|said| said.starts_with("must ")).and_then(|s| s.split(", found").next());
        let said = said.unwrap_or("is not what it may be");
        let message =
            format!("{subject}{said}, found the value of `{written}`, which is not shown");
        let fix = "set the variable otherwise".to_owned();
        ConfigProblem { message, fix, ..problem }
    }
}

/// Puts the variables into all texts: `${NAME}` is the variable's value, `$${` is the text `${`.
/// A value is text and is not looked into again. Keys stay as they are.
pub(super) fn expand(root: &mut Node, lookup: &Lookup<'_>) -> (Written, Vec<ConfigProblem>) {
    let mut expansion = Expansion {
        lookup,
        written: Written::default(),
        problems: Vec::new(),
        left: MAX_REFERENCES,
        room: MAX_TOTAL,
    };
    expansion.node(root, &mut String::new());
    (expansion.written, expansion.problems)
}

struct Expansion<'e> {
    lookup: &'e Lookup<'e>,
    written: Written,
    problems: Vec<ConfigProblem>,
    left: usize,
    room: usize,
}

/// What is wrong with a reference, and what to do.
type Fault = (String, String);

impl Expansion<'_> {
    fn node(&mut self, node: &mut Node, path: &mut String) {
        let length = path.len();
        match &mut node.kind {
            Kind::Text(text) if text.contains("${") => match self.text(text) {
                Ok(value) => {
                    self.written.0.insert(node.place, std::mem::replace(text, value));
                }
                Err((message, fix)) => {
                    let message = format!("`{path}` {message}");
                    self.problems.push(ConfigProblem::new(node.place, path, message, fix));
                    text.clear();
                    node.kind = Kind::Nothing;
                }
            },
            Kind::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    path.extend(["[", &index.to_string(), "]"]);
                    self.node(item, path);
                    path.truncate(length);
                }
            }
            Kind::Map(entries) => {
                for (name, value) in entries {
                    path.push_str(&step(name.text().unwrap_or_default(), length > 0));
                    self.node(value, path);
                    path.truncate(length);
                }
            }
            Kind::Nothing | Kind::Flag(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }

    fn text(&mut self, text: &str) -> Result<String, Fault> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = behind;
                continue;
            }
            let (name, behind) =
                behind.split_once('}').filter(|(name, _)| is_name(name)).ok_or_else(no_name)?;
            out.push_str(before);
            out.push_str(&self.value(name)?);
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&mut self, name: &str) -> Result<String, Fault> {
        let fault = |what: &str, fix: String| {
            Err((format!("names the environment variable `{name}`, {what}"), fix))
        };
        self.left = match self.left.checked_sub(1) {
            Some(left) => left,
            None => {
                return fault("one of more than 1000, the most of a file", "name fewer".to_owned());
            }
        };
        let Some(value) = (self.lookup)(name) else {
            let fix = format!("set it, or write `$${{{name}}}` for the text itself");
            return fault("which is not set", fix);
        };
        let Ok(value) = value.into_string() else {
            return fault("which is not valid UTF-8", "set it anew".to_owned());
        };
        match self.room.checked_sub(value.len()) {
            Some(room) if value.len() <= MAX_VALUE => self.room = room,
            Some(_) | None => {
                let what = "whose value is longer than 65536 bytes, or all of them than 1048576";
                return fault(what, "shorten it".to_owned());
            }
        }
        Ok(value)
    }
}

/// The part of a path that leads to `name`.
pub(super) fn step(name: &str, below: bool) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match (name.chars().all(plain) && name.len() <= MAX_NAME, below) {
        (true, true) => format!(".{name}"),
        (true, false) => name.to_owned(),
        (false, _) => format!("[\"{}\"]", crate::policy::reading::shown(name)),
    }
}

fn no_name() -> Fault {
    let message = "has a `${` without the name of a variable and a `}` behind it".to_owned();
    (message, "write `${NAME}`, or `$${` for the text `${`".to_owned())
}

fn is_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.len() <= MAX_NAME && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
