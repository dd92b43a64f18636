//! Rules that decide nothing, since another rule of the same condition does.

use super::judge::Rules;
use super::rule::{ArgumentRule, Does};
use crate::policy::error::{Problem, shown};
use std::collections::HashMap;

/// The most rules of one condition that are held against each other: it takes time with the square
/// of their number.
const MOST: usize = 300;

impl Rules {
    /// The rules behind which another one stands: on the same pointer, with the same operator and
    /// value, for the same tools or more, and with a stronger effect or the same one.
    pub(super) fn shadowed(&self) -> Vec<Problem> {
        let mut alike: HashMap<_, Vec<(usize, &ArgumentRule)>> = HashMap::new();
        for (index, rule) in self.all().iter().enumerate() {
            alike.entry(rule.condition()).or_default().push((index, rule));
        }
        let mut found = Vec::new();
        for rules in alike.values().filter(|rules| rules.len() > 1) {
            for (index, rule) in rules.iter().take(MOST) {
                let mut others = rules.iter().take(MOST);
                let Some((by, other)) = others.find(|(_, other)| other.shadows(rule)) else {
                    continue;
                };
                let path = format!("rules[{index}]");
                let message = format!(
                    "`{path}` (`{}`) decides nothing: `rules[{by}]` (`{}`) is for the same values of \
                     the same tools, and its effect is `{}`; take one of the two out",
                    shown(&rule.cited.id),
                    shown(&other.cited.id),
                    other.does.as_str()
                );
                found.push(Problem::new(rule.place, &path, message));
            }
        }
        found
    }
}

impl ArgumentRule {
    fn condition(&self) -> (u32, &'static str, &str) {
        (self.spot, self.op.as_str(), &self.value)
    }

    /// True when `narrow`, of the same condition, never decides because of this rule. What is the
    /// same in every way is a rule that stands there twice, and told as that.
    fn shadows(&self, narrow: &Self) -> bool {
        let wider = self.tool.pattern.covers(&narrow.tool.pattern);
        let acts = self.acts || !narrow.acts;
        let decides = match (self.does, narrow.does) {
            (Does::Deny, Does::Allow | Does::Ask) => true,
            // The narrow one has a word of its own for the caller.
            (Does::Deny, Does::Deny) | (Does::Ask, Does::Ask) => {
                let says_more =
                    narrow.cited.token.is_some() && narrow.cited.token != self.cited.token;
                !says_more && self.tool.text != narrow.tool.text && self.is_wider(narrow)
            }
            (Does::Allow | Does::Ask, _) => false,
        };
        wider && acts && decides
    }

    /// Of two that are for the same tools in two spellings neither stands behind the other.
    fn is_wider(&self, narrow: &Self) -> bool {
        !narrow.tool.pattern.covers(&self.tool.pattern)
    }
}
