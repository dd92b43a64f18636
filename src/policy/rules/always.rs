//! What rules say of a tool before anybody calls it.

use super::judge::Rules;
use super::operator::Reading;
use super::rule::{ArgumentRule, Does};
use crate::call::ToolRef;
use crate::policy::document::Mode;
use crate::policy::verdict::Ruling;

impl Rules {
    /// True when the rules deny every call of the tool, whatever its arguments are. Where that
    /// depends on more than one rule it is seen for a pointer that must and must not be there, and
    /// not looked for beyond that: such a tool is one that may be called.
    pub(in crate::policy) fn deny_everything(&self, tool: ToolRef<'_>, mode: Mode) -> bool {
        let mut shut = Vec::new();
        let (mut closes, mut opens) = (false, false);
        for rule in self.of(tool).filter(|rule| rule.acts) {
            let always = rule.reads_always();
            if rule.does == Does::Allow {
                closes |= rule.is_on_everything();
                opens |= rule.is_on_everything() && always.is_none_or(|it| it == Reading::Met);
                continue;
            }
            let found = always.and_then(|reading| rule.finds(reading, mode));
            if found.is_some_and(|(_, ruling)| ruling == Ruling::Deny) {
                return true;
            }
            if let Some(there) = rule.operator.asks_presence()
                && rule.does == Does::Deny
                && mode == Mode::Enforce
            {
                if shut.contains(&(rule.spot, !there)) {
                    return true;
                }
                shut.push((rule.spot, there));
            }
        }
        closes && !opens && mode == Mode::Enforce
    }
}

impl ArgumentRule {
    /// True when it is about the arguments as a whole, which every call has.
    fn is_on_everything(&self) -> bool {
        self.pointer.as_str().is_empty()
    }

    /// What its operator says of every call; `None` where that depends on the arguments.
    fn reads_always(&self) -> Option<Reading> {
        if self.is_on_everything() { self.operator.holds_every_map() } else { None }
    }
}
