use super::check::{Document, check_as};
use super::error::{Place, PolicyError, Problem};
use super::explain::Explanation;
use super::named::NamedTool;
use super::shape::Shape::{Anything, Filled, List, OneOf, Open, Section, Text};
use super::shape::{Key, WORDS};
use super::tree::Node;
use super::verdict::Ruling;
use super::{words, yaml};
use crate::call::{Arguments, Found};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use std::path::Path;

/// Calls, and what a policy is meant to say of them: a file of `sec0 policy test`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fixture {
    /// The policy as the file names it, relative to the file; `None` where it names none.
    pub policy: Option<String>,
    /// The server's tools, in the same way.
    pub server_tools: Option<String>,
    /// The calls, in the order of the file; at least one.
    pub cases: Vec<Case>,
}

/// One call, and the verdict that it is meant to get.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Case {
    /// The line on which it begins, from 1.
    pub line: u32,
    /// What it is called in reports.
    pub name: String,
    /// The tool of the call.
    pub tool: NamedTool,
    /// The arguments of the call; `None` where it has none.
    pub arguments: Option<Arguments>,
    /// The idempotency key that the caller sends.
    pub idempotency_key: Option<String>,
    /// What it is meant to come to.
    pub expect: Expected,
}

/// A verdict, as far as a fixture says it. It serialises with what it says, and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Expected {
    /// The decision.
    pub decision: Ruling,
    /// The reason of the decision; `None` where any will do.
    pub reason: Option<String>,
    /// All reasons, in their order; `None` where any will do.
    pub reasons: Option<Vec<String>>,
}

const FIXTURE: Document = Document { what: "fixture", keys: KEYS, home_of: |_| None };

const KEYS: &[Key] = &[
    Key::new("policy", WORDS),
    Key::new("server_tools", WORDS),
    Key::new("tests", Filled(&Section(CASE))).required(),
];

const CASE: &[Key] = &[
    Key::new("name", Text(words::test_name)).required(),
    Key::new("tool", Text(words::one_tool)).required(),
    Key::new("arguments", Open(&Anything)),
    Key::new("idempotency_key", Text(|_| Ok(()))),
    Key::new("expect", Section(EXPECT)).required(),
];

const EXPECT: &[Key] = &[
    Key::new("decision", OneOf(&["allow", "would_deny", "deny", "ask"])).required(),
    Key::new("reason", WORDS),
    Key::new("reasons", List(&WORDS)),
];

impl Fixture {
    /// Reads a fixture from a file, with the bounds and the YAML of policies.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or everything that is wrong with it, each with its place.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        Self::from_yaml_named(&yaml::read(path, &name)?, &name)
    }

    /// Reads a fixture from its text, which came from `name`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn from_yaml_named(text: &str, name: &str) -> Result<Self, PolicyError> {
        let tree = yaml::parse(text).map_err(|problem| PolicyError::new(name, vec![problem]))?;
        check_as(&tree, &FIXTURE).map_err(|problems| PolicyError::new(name, problems))?;
        let tests = tree.get("tests").map_or(&[][..], Node::items);
        let cases = tests.iter().map(Case::read).collect::<Option<_>>().ok_or_else(|| {
            let message = "the file is valid but could not be read; please report it".to_owned();
            PolicyError::new(name, vec![Problem::new(Place::WHOLE, "", message)])
        })?;
        let named = |key: &str| tree.get(key).and_then(Node::text).map(str::to_owned);
        Ok(Self { policy: named("policy"), server_tools: named("server_tools"), cases })
    }
}

impl Case {
    fn read(node: &Node) -> Option<Self> {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let arguments = match node.get("arguments").map(serde_json::to_value) {
            None => None,
            Some(Ok(Value::Object(arguments))) => Some(arguments),
            Some(_) => return None,
        };
        Some(Self {
            line: node.place.line,
            name: text("name")?.to_owned(),
            tool: NamedTool::parse(text("tool")?).ok()?,
            arguments,
            idempotency_key: text("idempotency_key").map(str::to_owned),
            expect: Expected::read(node.get("expect")?)?,
        })
    }
}

impl Expected {
    fn read(node: &Node) -> Option<Self> {
        let decision = node.get("decision")?.text()?;
        let all = [Ruling::Allow, Ruling::WouldDeny, Ruling::Ask, Ruling::Deny];
        let words = |list: &Node| {
            let words = list.items().iter().map(|word| word.text().map(str::to_owned));
            words.collect::<Option<Vec<_>>>()
        };
        let reasons = match node.get("reasons") {
            None => None,
            Some(list) => Some(words(list)?),
        };
        Some(Self {
            decision: all.into_iter().find(|ruling| ruling.as_str() == decision)?,
            reason: node.get("reason").and_then(Node::text).map(str::to_owned),
            reasons,
        })
    }

    /// True when this is what came out.
    pub fn holds(&self, got: &Explanation) -> bool {
        let is = |word: &str, found: &Found| word == found.as_str();
        let reason = self.reason.as_deref();
        let reasons = self.reasons.as_deref();
        self.decision == got.decision()
            && reason.is_none_or(|word| got.found().is_some_and(|found| is(word, found)))
            && reasons.is_none_or(|words| {
                words.len() == got.reasons().len()
                    && words.iter().zip(got.reasons()).all(|(word, found)| is(word, found))
            })
    }
}

impl Serialize for Expected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("decision", self.decision.as_str())?;
        if let Some(reason) = &self.reason {
            out.serialize_entry("reason", reason)?;
        }
        if let Some(reasons) = &self.reasons {
            out.serialize_entry("reasons", reasons)?;
        }
        out.end()
    }
}
