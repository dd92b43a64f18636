use super::judge::Rules;
use super::operator::{OpName, Operator};
use super::pointer::{MAX_POINTER, Pointer};
use super::rule::{ArgumentRule, Does};
use crate::call::Cited;
use crate::policy::entry::Entry;
use crate::policy::error::{Place, Problem, shown};
use crate::policy::tree::Node;
use std::collections::HashMap;
use std::sync::Arc;

/// The most rules of a policy.
const MAX_RULES: usize = 10_000;

/// The most rules with a `regex`: each takes memory of its own.
const MAX_REGEXES: usize = 1_000;

/// Compiles `rules` and says what the schema cannot: values that do not suit their operator, ids
/// that stand twice, and more rules than a policy may have.
///
/// An entry that the schema refuses is left out; the check says why.
pub(in crate::policy) fn read(root: &Node) -> (Rules, Vec<Problem>) {
    let Some(node) = root.get("rules") else { return (Rules::default(), Vec::new()) };
    let mut reader = Reader::default();
    let items = node.items();
    if items.len() > MAX_RULES {
        let message = format!(
            "`rules` has {} entries, and a policy has at most {MAX_RULES}; put several values into \
             one rule with `in`",
            items.len()
        );
        return (Rules::default(), vec![Problem::new(node.place, "rules", message)]);
    }
    let rules = items.iter().enumerate();
    let rules = rules.filter_map(|(index, item)| reader.rule(index, item)).collect();
    (Rules::new(rules), reader.problems)
}

#[derive(Default)]
struct Reader<'n> {
    problems: Vec<Problem>,
    /// Where each id was first.
    ids: HashMap<&'n str, Place>,
    spots: HashMap<&'n str, u32>,
    regexes: usize,
}

impl<'n> Reader<'n> {
    fn rule(&mut self, index: usize, node: &'n Node) -> Option<ArgumentRule> {
        let text = |key: &str| node.get(key).and_then(Node::text);
        let op = OpName::parse(text("op")?)?;
        let operator = self.operator(index, node, op);
        let (id, does) = (text("id")?, Does::parse(text("effect")?)?);
        self.is_new(index, id, node);
        let pointer = text("pointer")?;
        if pointer.len() > MAX_POINTER {
            let message = format!(
                "`rules[{index}].pointer` must be at most {MAX_POINTER} bytes, found {}",
                pointer.len()
            );
            self.say(node, index, "pointer", message);
        }
        let next = u32::try_from(self.spots.len()).ok()?;
        let spot = *self.spots.entry(pointer).or_insert(next);
        let value = node.get("value").and_then(|value| serde_json::to_string(value).ok());
        Some(ArgumentRule {
            cited: Arc::new(Cited::new(id, text("reason"))),
            place: node.place,
            tool: Entry::read(text("tool")?, node.place).ok()?,
            pointer: Pointer::parse(pointer)?,
            spot,
            op,
            operator: operator?,
            value: value.unwrap_or_default().into(),
            does,
            acts: text("mode") != Some("audit"),
        })
    }

    fn operator(&mut self, index: usize, node: &Node, op: OpName) -> Option<Operator> {
        self.regexes = self.regexes.saturating_add(usize::from(op == OpName::Regex));
        if op == OpName::Regex && self.regexes > MAX_REGEXES {
            if self.regexes == MAX_REGEXES.saturating_add(1) {
                let message = format!(
                    "`rules[{index}].op` is the {}th `regex`, and a policy has at most \
                     {MAX_REGEXES}; write a `glob`, `prefix` or `in`",
                    self.regexes
                );
                self.say(node, index, "op", message);
            }
            return None;
        }
        let value = match node.get("value").map(serde_json::to_value).transpose() {
            Ok(value) => value,
            Err(error) => {
                let message =
                    format!("`rules[{index}].value` cannot be read: {error}; write it anew");
                self.say(node, index, "value", message);
                return None;
            }
        };
        // That it is missing is said by the schema.
        if value.is_none() && op != OpName::Exists {
            return None;
        }
        match Operator::read(op, value.as_ref()) {
            Ok(operator) => Some(operator),
            Err(fault) => {
                self.say(node, index, "value", format!("`rules[{index}].value` {fault}"));
                None
            }
        }
    }

    fn is_new(&mut self, index: usize, id: &'n str, node: &Node) {
        let place = node.get("id").map_or(node.place, |id| id.place);
        if let Some(first) = self.ids.get(id) {
            let message = format!(
                "`rules[{index}].id` is `{}` a second time, the first is at {}:{}; give each rule \
                 an id of its own",
                shown(id),
                first.line,
                first.column
            );
            self.say(node, index, "id", message);
        } else {
            self.ids.insert(id, place);
        }
    }

    fn say(&mut self, node: &Node, index: usize, key: &str, message: String) {
        let place = node.get(key).map_or(node.place, |value| value.place);
        self.problems.push(Problem::new(place, &format!("rules[{index}].{key}"), message));
    }
}
