//! One sentence for each rule on arguments: what the file says, and never a value of an argument.

use super::judge::{Rules, in_mode};
use super::operator::{OpName, Reading};
use super::rule::{ArgumentRule, Does};
use super::seen::Seen;
use crate::call::{Arguments, Found, Reason, ToolRef};
use crate::policy::document::Mode;
use crate::policy::error::shown;
use crate::policy::verdict::Ruling;
use crate::policy::why::{LookedAt, OnMatch};
use std::sync::Arc;

impl Rules {
    /// Every rule, in the order of the file, and then every pointer that `allow` rules close.
    pub(in crate::policy) fn why(
        &self,
        tool: ToolRef<'_>,
        arguments: Option<&Arguments>,
        mode: Mode,
    ) -> Vec<LookedAt> {
        let none = Arguments::new();
        let arguments = arguments.unwrap_or(&none);
        let rows = self.all().iter().enumerate();
        let mut rows: Vec<_> =
            rows.map(|(index, rule)| rule.why(index, tool, arguments, mode)).collect();
        let closed = self.closed(tool, arguments);
        let mut seen = Vec::new();
        for rule in self.of(tool).filter(|rule| rule.does == Does::Allow) {
            if seen.contains(&rule.spot) {
                continue;
            }
            seen.push(rule.spot);
            let pointer = shown(rule.pointer.as_str());
            let id = format!("rules:{pointer}");
            let found = closed.iter().find(|closed| closed.rule.spot == rule.spot);
            rows.push(match found {
                None => {
                    let why = format!("a rule allows the argument `{pointer}`");
                    LookedAt::new(id, false, in_mode(Ruling::Deny, true, mode).into(), why)
                }
                Some(closed) => {
                    let why = format!(
                        "no `allow` rule on `{pointer}` matches; send a value that one of them \
                         takes, or add a rule"
                    );
                    let effect = in_mode(Ruling::Deny, closed.acts, mode).into();
                    let found =
                        Found::from(Reason::NoRuleAllows).by(&Arc::clone(&closed.rule.cited));
                    LookedAt { reason: Some(found), ..LookedAt::new(id, true, effect, why) }
                }
            });
        }
        rows
    }
}

impl ArgumentRule {
    fn why(&self, index: usize, tool: ToolRef<'_>, arguments: &Arguments, mode: Mode) -> LookedAt {
        let id = self.cited.id.to_string();
        let ruling = match self.does {
            Does::Allow => None,
            Does::Ask => Some(in_mode(Ruling::Ask, self.acts, mode)),
            Does::Deny => Some(in_mode(Ruling::Deny, self.acts, mode)),
        };
        let effect = ruling.map_or(OnMatch::Allow, OnMatch::from);
        if self.tool.pattern.matches(tool).is_none() {
            let why =
                format!("`rules[{index}]` is for `{}`, not this tool", shown(&self.tool.text));
            return LookedAt::new(id, false, effect, why);
        }
        let seen = self.pointer.find(arguments);
        let reading = self.operator.holds(seen);
        let why = format!("`rules[{index}]`: {}{}", self.said(seen, reading), self.aside());
        let Some((reason, ruling)) = self.finds(reading, mode) else {
            return LookedAt::new(id, reading == Reading::Met, effect, why);
        };
        let found = Found::from(reason).by(&self.cited);
        LookedAt { reason: Some(found), ..LookedAt::new(id, true, ruling.into(), why) }
    }

    fn said(&self, seen: Option<Seen<'_>>, reading: Reading) -> String {
        let pointer = shown(self.pointer.as_str());
        let Some(seen) = seen else {
            return format!("the call has no argument `{pointer}`");
        };
        let (op, kind) = (self.op, seen.kind().as_str());
        match reading {
            Reading::Met => format!("the argument `{pointer}` {}", self.test(true)),
            Reading::Unmet => format!("the argument `{pointer}` {}", self.test(false)),
            Reading::Unreadable => format!(
                "the argument `{pointer}` is of the type `{kind}`, and `{}` reads {}; {}",
                op.as_str(),
                op.reads(),
                if self.does == Does::Allow { "it counts as no match" } else { "that is refused" }
            ),
        }
    }

    /// What the operator asks, in words that follow the argument.
    fn test(&self, is: bool) -> String {
        let value = shown(&self.value);
        let (yes, no) = match self.op {
            OpName::Eq => ("is", "is not"),
            OpName::Ne => ("is not", "is"),
            OpName::In | OpName::NotIn => {
                let count = self.operator.count().unwrap_or_default();
                let is_one = is == (self.op == OpName::In);
                let one = if is_one { "is one" } else { "is none" };
                return format!("{one} of the {count} values of the rule");
            }
            OpName::Prefix => ("begins with", "does not begin with"),
            OpName::Suffix => ("ends with", "does not end with"),
            OpName::Glob => ("fits the pattern", "does not fit the pattern"),
            OpName::Regex => ("has a match of", "has no match of"),
            OpName::Gt => ("is more than", "is not more than"),
            OpName::Ge => ("is at least", "is less than"),
            OpName::Lt => ("is less than", "is not less than"),
            OpName::Le => ("is at most", "is more than"),
            OpName::LenGt => ("is longer than", "is not longer than"),
            OpName::LenLe => ("is not longer than", "is longer than"),
            OpName::Exists => return "is there".to_owned(),
            OpName::Type => ("is of the type", "is not of the type"),
        };
        format!("{} `{value}`", if is { yes } else { no })
    }

    fn aside(&self) -> &'static str {
        if self.acts { "" } else { " (`mode: audit`, so it never decides)" }
    }
}
