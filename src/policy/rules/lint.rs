use super::judge::Rules;
use super::rule::{ArgumentRule, Does};
use crate::policy::document::Mode;
use crate::policy::entry::Entry;
use crate::policy::error::{Problem, shown};
use std::collections::HashMap;

/// What of the rules is valid and probably not meant.
impl Rules {
    pub(in crate::policy) fn lint(&self, mode: Mode, implied: bool) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut seen: HashMap<_, usize> = HashMap::new();
        for (index, rule) in self.all().iter().enumerate() {
            let mut say = |said: String| {
                let path = format!("rules[{index}]");
                let message = format!("`{path}` (`{}`) {said}", shown(&rule.cited.id));
                found.push(Problem::new(rule.place, &path, message));
            };
            if rule.does == Does::Allow && rule.cited.token.is_some() {
                say("has a `reason` that nobody gets: where no `allow` rule matches, the reason is \
                     `no_rule_allows`"
                    .to_owned());
            }
            if let Some(first) = seen.get(&rule.same()) {
                say(format!("is for the same values as `rules[{first}]`; take one of the two out"));
            } else {
                seen.insert(rule.same(), index);
            }
        }
        found.extend(self.shadowed());
        let acting = self.all().iter().find(|rule| rule.acts);
        if let Some(first) = acting.filter(|_| implied && mode == Mode::Observe) {
            let message = "`rules` are only recorded, since `enforcement` has no `mode` and no \
                           `deny_on`, which is to observe; write `mode: enforce` or `mode: observe`";
            found.push(Problem::new(first.place, "rules", message.to_owned()));
        }
        found
    }

    /// The rules that ask in earnest, each with its number, its tools and its id.
    pub(in crate::policy) fn asking(&self) -> impl Iterator<Item = (usize, &Entry, &str)> {
        let rules = self.all().iter().enumerate();
        let asking = rules.filter(|(_, rule)| rule.does == Does::Ask && rule.acts);
        asking.map(|(index, rule)| (index, &rule.tool, &*rule.cited.id))
    }

    /// True where a rule of this policy can refuse.
    pub(in crate::policy) fn can_refuse(&self) -> bool {
        self.all().iter().any(|rule| rule.acts)
    }
}

impl ArgumentRule {
    /// What two rules of which one is too many have in common.
    fn same(&self) -> (&str, u32, &'static str, &str, u8, bool) {
        let does = match self.does {
            Does::Allow => 0,
            Does::Ask => 1,
            Does::Deny => 2,
        };
        (&self.tool.text, self.spot, self.op.as_str(), &self.value, does, self.acts)
    }
}
