use super::error::{Place, PolicyError, Problem, shown};
use super::schema::{self, home_of};
use super::shape::{Key, Shape, Stands, Unless, hint, listed};
use super::tree::{Kind, Node};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Holds a document against the schema: what of it is enforced, or everything that is wrong.
pub(super) fn check(root: &Node) -> Result<Value, Vec<Problem>> {
    check_as(root, &POLICY)
}

/// Holds a document of another kind against its own keys.
pub(crate) fn check_as(root: &Node, document: &'static Document) -> Result<Value, Vec<Problem>> {
    check_at(root, document, (String::new(), Place::START))
}

/// Holds a part of a document against keys of its own: the part at this path, whose key stands there.
pub(crate) fn check_at(
    root: &Node,
    document: &'static Document,
    (path, above): (String, Place),
) -> Result<Value, Vec<Problem>> {
    let problems = Vec::new();
    let mut check = Check { document, problems, path, quiet: false, switch: None };
    let value = check.value(root, &Shape::Section(document.keys), above);
    if check.problems.is_empty() { Ok(value) } else { Err(check.problems) }
}

/// A kind of document: what it is called, its keys, and where a key of this name belongs.
pub(crate) struct Document {
    pub(crate) what: &'static str,
    pub(crate) keys: &'static [Key],
    pub(crate) home_of: fn(&str) -> Option<String>,
}

const POLICY: Document = Document { what: "policy", keys: schema::ROOT, home_of };

struct Check {
    document: &'static Document,
    problems: Vec<Problem>,
    path: String,
    /// Inside a section that is off, where no key asks for anything.
    quiet: bool,
    /// The innermost section around that `enabled: false` turns off.
    switch: Option<String>,
}

impl Check {
    /// Checks one value and gives what of it is enforced. `above` is where its key stands.
    fn value(&mut self, node: &Node, shape: &Shape, above: Place) -> Value {
        match (shape, &node.kind) {
            (Shape::Flag, Kind::Flag(flag)) => return Value::Bool(*flag),
            (Shape::Number(least, most), Kind::Number(number)) => {
                if !within(number, *least, *most) {
                    self.must_be(node, shape, &format!("`{number}`"));
                }
                return Value::Number(number.clone());
            }
            (Shape::Positive, Kind::Number(number)) => {
                if number.as_f64().is_none_or(|number| number <= 0.0) {
                    self.must_be(node, shape, &format!("`{number}`"));
                }
                return Value::Number(number.clone());
            }
            (Shape::OneOf(words), Kind::Text(text)) => return self.word(node, text, words, shape),
            (Shape::Text(check) | Shape::Told(check, _), Kind::Text(text)) => {
                if let Err(fault) = check(text) {
                    self.say(node.place, &fault);
                }
                return Value::String(text.clone());
            }
            (Shape::Filled(_), Kind::List(items)) if items.is_empty() => {
                self.must_be(node, shape, "an empty one");
            }
            (Shape::List(item) | Shape::Filled(item), Kind::List(items)) => {
                return self.list(items, item);
            }
            (Shape::Section(keys), Kind::Map(entries)) => {
                return self.section(node, entries, keys, above);
            }
            (Shape::Saying(one_of, keys), Kind::Map(entries)) => {
                if one_of.iter().all(|name| node.get(name).is_none()) {
                    let names = listed(one_of);
                    self.say(node.place, &format!("says nothing; give it one of {names}"));
                }
                return self.section(node, entries, keys, above);
            }
            (Shape::Open(item), Kind::Map(entries)) => self.open(entries, item),
            (Shape::Either(_, map), Kind::Map(_)) => return self.value(node, map, above),
            (Shape::Either(other, _), _) if !matches!(node.kind, Kind::List(_)) => {
                return self.value(node, other, above);
            }
            (Shape::Anything, _) => self.anything(node),
            _ => self.wrong_kind(node, shape),
        }
        Value::Null
    }

    fn word(&mut self, node: &Node, text: &str, words: &[&str], shape: &Shape) -> Value {
        if !words.contains(&text) {
            let hint = hint(text, words);
            let found = format!("`{}`{}", shown(text), hint.trim_end_matches(';'));
            self.must_be(node, shape, &found);
        }
        Value::String(text.to_owned())
    }

    fn list(&mut self, items: &[Node], shape: &Shape) -> Value {
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if self.is_full() {
                break;
            }
            let value =
                self.under(&format!("[{index}]"), |check| check.value(item, shape, item.place));
            values.push(value);
        }
        Value::Array(values)
    }

    fn section(
        &mut self,
        node: &Node,
        entries: &[(Node, Node)],
        keys: &'static [Key],
        above: Place,
    ) -> Value {
        self.repeated(entries);
        let off = matches!(node.get("enabled").map(|node| &node.kind), Some(Kind::Flag(false)));
        let around = self.switch.clone();
        if keys.iter().any(|key| key.name == "enabled") {
            self.switch = Some(self.path.clone());
        }
        let mut kept = Map::new();
        for (name, value) in entries {
            if self.is_full() {
                break;
            }
            let Some(text) = name.text() else { continue };
            let Some(key) = keys.iter().find(|key| key.name == text) else {
                self.unknown(name.place, text, keys);
                continue;
            };
            if let Some(value) = self.known(key, name.place, value, off) {
                kept.insert(key.name.to_owned(), value);
            }
        }
        for key in keys.iter().filter(|key| node.get(key.name).is_none()) {
            if key.required || key.needed.is_some_and(|needed| needed.holds(node)) {
                self.missing(key, above);
            }
        }
        self.switch = around;
        Value::Object(kept)
    }

    /// Checks the value of a key that the schema has, and gives it where it is enforced. `off`
    /// says that the section around it is.
    fn known(&mut self, key: &Key, above: Place, node: &Node, off: bool) -> Option<Value> {
        let dot = if self.path.is_empty() { "" } else { "." };
        self.under(&format!("{dot}{}", key.name), |check| {
            let (outside, before) = (check.quiet, check.problems.len());
            // The switch itself is judged even where it turns the rest of its section off.
            check.quiet = outside || (off && key.name != "enabled");
            let value = check.value(node, &key.shape, above);
            // A value of the wrong kind asks for nothing yet; one with a fault inside does.
            let found = check.problems.get(before..).unwrap_or_default();
            let judged = !check.quiet && found.iter().all(|problem| problem.path != check.path);
            check.quiet = outside;
            match key.stands {
                Stands::Enforced => return Some(value),
                Stands::Refused(unless, why) if judged => check.refuse(key, node, unless, why),
                Stands::Refused(..) | Stands::Noted | Stands::Parts | Stands::Inner => {}
            }
            None
        })
    }

    fn open(&mut self, entries: &[(Node, Node)], shape: &Shape) {
        self.repeated(entries);
        for (name, value) in entries {
            let Some(text) = name.text() else { continue };
            self.under(&format!(".{}", shown(text)), |check| {
                check.value(value, shape, name.place);
            });
        }
    }

    fn anything(&mut self, node: &Node) {
        match &node.kind {
            Kind::List(items) => {
                self.list(items, &Shape::Anything);
            }
            Kind::Map(entries) => self.open(entries, &Shape::Anything),
            Kind::Nothing | Kind::Flag(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }

    /// Refuses keys that are no text, and keys that stand in the map twice.
    fn repeated(&mut self, entries: &[(Node, Node)]) {
        let mut seen: HashMap<&str, Place> = HashMap::new();
        for (name, _) in entries {
            let Some(text) = name.text() else {
                let what = name.what();
                let within = self.within();
                self.raw(name.place, format!("a key{within} must be text, found {what}; quote it"));
                continue;
            };
            if let Some(first) = seen.get(text) {
                let message = format!(
                    "the key `{}`{} stands here a second time, the first is at {}:{}; keep one",
                    shown(text),
                    self.within(),
                    first.line,
                    first.column
                );
                self.raw(name.place, message);
            } else {
                seen.insert(text, name.place);
            }
        }
    }

    fn unknown(&mut self, place: Place, found: &str, keys: &[Key]) {
        let names: Vec<_> = keys.iter().map(|key| key.name).collect();
        let advice = match (self.document.home_of)(found) {
            Some(home) => format!("; did you mean `{home}`?"),
            None => hint(found, &names),
        };
        let (within, allowed) = (self.within(), listed(&names));
        self.raw(
            place,
            format!("unknown key `{}`{within}{advice} allowed here: {allowed}", shown(found)),
        );
    }

    fn missing(&mut self, key: &Key, above: Place) {
        let (within, wanted) = (self.within(), key.shape.wanted());
        let message = format!("missing key `{}`{within}; it must be {wanted}", key.name);
        self.raw(above, message);
    }

    fn refuse(&mut self, key: &Key, node: &Node, unless: Unless, why: &str) {
        if !unless.accepts(node) {
            let fix = unless.fix(key);
            let switch = match &self.switch {
                Some(section) if key.name != "enabled" => {
                    format!(", or turn `{section}` off with `enabled: false`")
                }
                _ => String::new(),
            };
            self.say(node.place, &format!("is refused: {why}; {fix}{switch}"));
        }
    }

    fn wrong_kind(&mut self, node: &Node, shape: &Shape) {
        if matches!(node.kind, Kind::Nothing) {
            if self.path.is_empty() {
                let keys = self.document.keys.iter().filter(|key| key.required);
                let names: Vec<_> = keys.map(|key| key.name).collect();
                let (what, names) = (self.document.what, listed(&names));
                self.raw(Place::START, format!("the file is empty; a {what} must have {names}"));
                return;
            }
            let wanted = shape.wanted();
            self.say(node.place, &format!("has no value; it must be {wanted}"));
            return;
        }
        let found = match (shape, node.text()) {
            (Shape::Flag, Some(text)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" => format!("`{text}`, which is text in YAML 1.2; write `true`"),
                "no" | "off" | "n" => format!("`{text}`, which is text in YAML 1.2; write `false`"),
                "true" | "false" => "text; take off the quotes".to_owned(),
                _ => node.what().to_owned(),
            },
            (Shape::Number(..) | Shape::Positive, Some(text)) if text.parse::<f64>().is_ok() => {
                "text; write the number without quotes, leading zeros and `_`".to_owned()
            }
            (Shape::List(_) | Shape::Filled(_), Some(_)) => {
                "text; write it as a list, `[…]`".to_owned()
            }
            (Shape::Text(_) | Shape::Told(..), None)
                if !matches!(node.kind, Kind::List(_) | Kind::Map(_)) =>
            {
                format!("{}; quote it", node.what())
            }
            _ => node.what().to_owned(),
        };
        self.must_be(node, shape, &found);
    }

    fn must_be(&mut self, node: &Node, shape: &Shape, found: &str) {
        let wanted = shape.wanted();
        self.say(node.place, &format!("must be {wanted}, found {found}"));
    }

    /// Reports what `predicate` says of the value under way.
    fn say(&mut self, place: Place, predicate: &str) {
        let subject =
            if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path) };
        self.raw(place, format!("{subject} {predicate}"));
    }

    fn raw(&mut self, place: Place, message: String) {
        if !self.is_full() {
            self.problems.push(Problem::new(place, &self.path, message));
        }
    }

    /// A file of nothing but faults must not cost seconds. More are looked for than are shown,
    /// so that those shown are the first of the file.
    fn is_full(&self) -> bool {
        self.problems.len() >= 10 * PolicyError::MAX_PROBLEMS
    }

    fn within(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) }
    }

    fn under<T>(&mut self, part: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(part);
        let done = work(self);
        self.path.truncate(length);
        done
    }
}

fn within(number: &serde_json::Number, least: u32, most: u32) -> bool {
    let Some(number) = number.as_f64() else { return false };
    number >= f64::from(least) && (most == u32::MAX || number <= f64::from(most))
}
