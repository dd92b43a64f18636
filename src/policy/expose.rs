use super::compiled::Policy;
use super::document::Mode;
use super::operation::Evidence;
use super::rule::Asked;
use super::verdict::{Ruling, Verdict};
use crate::call::{Hints, ToolRef};
use serde::Deserialize;

/// Which tools a list of them shows: `expose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a third way must be handled by every door")]
pub enum Expose {
    /// Every tool that the server lists.
    #[default]
    All,
    /// Those that may be called.
    Filtered,
}

/// What a list shows.
impl Policy {
    /// True when a list of tools leaves this one out: `expose` is `filtered`, and the policy denies
    /// every call of the tool, whatever its arguments are. What an idempotency key or an approval
    /// would let through is shown, and in observe nothing is left out.
    pub fn withholds(&self, tool: ToolRef<'_>) -> bool {
        self.expose() == Expose::Filtered && self.mode() == Mode::Enforce && self.bars(tool)
    }

    /// True when no call of the tool is let through.
    fn bars(&self, tool: ToolRef<'_>) -> bool {
        let operation = self.operation(&Evidence::new(tool, Hints::default(), true));
        // The call against which the least speaks: it has a key, and no argument that leads anywhere.
        let asked = Asked::new(tool, operation).with_idempotency_key(true);
        let mut verdict = Verdict::allow();
        self.fold(&mut verdict, tool, &self.hold_call(&asked));
        verdict.ruling() == Ruling::Deny || self.rules().deny_everything(tool, self.mode())
    }
}
