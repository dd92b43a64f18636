//! Whether rules can ever match, by the schemas of the tools that they are for.

use super::judge::Rules;
use super::operator::{OpName, Reading};
use super::rule::{ArgumentRule, Does};
use super::seen::Seen;
use super::shape::{self, Declared};
use crate::call::{Arguments, ToolVersion};
use crate::policy::error::{Problem, shown};

/// A tool, and the schema of its arguments.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Schemed<'t> {
    pub(in crate::policy) name: &'t str,
    pub(in crate::policy) version: Option<&'t ToolVersion>,
    pub(in crate::policy) schema: Option<&'t Arguments>,
}

/// Why a rule finds nothing in the calls of a tool.
enum Misfit {
    NoArgument,
    /// The types that the argument may have.
    Kinds(String),
    Values,
}

impl Rules {
    /// The rules that fit none of the tools that they are for. Which of them are for none at all is
    /// told elsewhere.
    pub(in crate::policy) fn misfits(
        &self,
        server: Option<&str>,
        tools: &[Schemed<'_>],
    ) -> Vec<Problem> {
        let rules = self.all().iter().enumerate();
        rules
            .filter_map(|(index, rule)| {
                let pattern = &rule.tool.pattern;
                let mut ours =
                    tools.iter().filter(|it| pattern.is_for(server, it.name, it.version));
                let first = ours.next()?;
                let misfit = rule.misfit(first.schema?)?;
                // One tool that it fits is enough.
                let fits = |it: &Schemed<'_>| it.schema.and_then(|it| rule.misfit(it)).is_none();
                (!ours.any(fits)).then(|| rule.tell(index, first.name, &misfit))
            })
            .collect()
    }
}

impl ArgumentRule {
    fn misfit(&self, schema: &Arguments) -> Option<Misfit> {
        // Whether an argument is there is asked of those that nobody declared.
        if self.op == OpName::Exists {
            return None;
        }
        let schema = match shape::declared(schema, &self.pointer) {
            Declared::Unknown => return None,
            Declared::Nothing => return Some(Misfit::NoArgument),
            // The arguments as a whole are a map, whatever the schema says.
            Declared::Value(_) if self.pointer.steps().is_empty() => return None,
            Declared::Value(schema) => schema,
        };
        if let Some(kinds) = shape::kinds(schema)
            && !kinds.iter().any(|kind| self.operator.may_match(*kind))
        {
            let words: Vec<_> = kinds.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
            return Some(Misfit::Kinds(words.join(" or ")));
        }
        let is_met = |value| self.operator.holds(Some(Seen::Value(value))) == Reading::Met;
        let values = shape::values(schema).filter(|_| self.op.looks_for_values())?;
        (!values.iter().any(is_met)).then_some(Misfit::Values)
    }

    fn tell(&self, index: usize, tool: &str, misfit: &Misfit) -> Problem {
        let (id, tool) = (shown(&self.cited.id), shown(tool));
        let pointer = shown(self.pointer.as_str());
        let (key, said) = match misfit {
            Misfit::NoArgument => (
                "pointer",
                format!("is `{pointer}`, where the tool `{tool}` takes no argument by its schema"),
            ),
            Misfit::Kinds(kinds) if self.op == OpName::Type => (
                "value",
                format!("never matches: for the tool `{tool}` the argument is of {kinds}"),
            ),
            Misfit::Kinds(kinds) => {
                let (op, reads) = (self.op.as_str(), self.op.reads());
                let then = match self.does {
                    Does::Allow => "so it never matches",
                    Does::Ask | Does::Deny => "so every call that has it is a `rule_error`",
                };
                (
                    "op",
                    format!(
                        "is `{op}`, which reads {reads}, but for the tool `{tool}` the argument is of \
                         {kinds}, {then}"
                    ),
                )
            }
            Misfit::Values => (
                "value",
                format!("matches none of the values that the schema of the tool `{tool}` allows"),
            ),
        };
        let path = format!("rules[{index}].{key}");
        let message = format!("`{path}` (of `{id}`) {said}");
        Problem::new(self.place, &path, message)
    }
}
