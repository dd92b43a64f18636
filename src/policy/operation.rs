use super::compiled::Policy;
use super::entry::Override;
use super::heuristic::by_name;
use crate::call::{Arguments, Basis, Hints, Op, Operation, ToolRef};

/// What there is to tell by what a call does.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Evidence<'a> {
    /// The tool, with its declared version.
    pub tool: ToolRef<'a>,
    /// What its annotations say.
    pub hints: Hints,
    /// False where the annotations are claims, which may add a side effect and take none away.
    pub hints_believed: bool,
    /// The argument `method`, where it is a text.
    pub method: Option<&'a str>,
    /// All arguments, for the rules on them.
    pub arguments: Option<&'a Arguments>,
}

impl<'a> Evidence<'a> {
    /// What the tool's definition says, for a call without arguments.
    pub fn new(tool: ToolRef<'a>, hints: Hints, hints_believed: bool) -> Self {
        Self { tool, hints, hints_believed, method: None, arguments: None }
    }

    /// The same for a call with these arguments.
    #[must_use]
    pub fn with_arguments(mut self, arguments: Option<&'a Arguments>) -> Self {
        self.method = arguments.and_then(|arguments| arguments.get("method")?.as_str());
        self.arguments = arguments;
        self
    }

    /// What the name of the tool says.
    pub(super) fn by_name(&self) -> Operation {
        by_name(self.tool, self.method)
    }
}

/// What calls do.
impl Policy {
    /// What a call does: by the first entry of `tools.overrides` that matches its tool, else by the
    /// tool's annotations, else by its name.
    ///
    /// An entry that says nothing of one of the two leaves it to the next source; but what an entry
    /// calls `create`, `update` or `delete` has a side effect unless the entry says otherwise.
    /// `readOnlyHint: true` together with `destructiveHint: true` contradicts itself and counts as
    /// a side effect. Allocates nothing for names in ASCII.
    pub fn operation(&self, evidence: &Evidence<'_>) -> Operation {
        let said = self.override_of(evidence.tool);
        let known = by_annotations(evidence).unwrap_or_else(|| evidence.by_name());
        said.map_or(known, |said| said.over(known))
    }
}

impl Override {
    pub(super) fn decides(&self, tool: ToolRef<'_>) -> bool {
        self.entry.pattern.matches(tool).is_some()
    }

    /// What this entry says, over what the weaker sources say.
    pub(super) fn over(&self, known: Operation) -> Operation {
        let changes = self.op.is_some_and(|op| op != Op::Read);
        Operation {
            op: self.op.unwrap_or(known.op),
            side_effect: self.side_effect.unwrap_or(known.side_effect || changes),
            basis: Basis::Policy,
        }
    }
}

/// What the annotations say. `None` where they say nothing of side effects, or where they only say
/// that there is none and are not believed.
pub(super) fn by_annotations(evidence: &Evidence<'_>) -> Option<Operation> {
    let basis = Basis::Annotations;
    match (evidence.hints.read_only, evidence.hints.destructive) {
        (None, None) => None,
        (Some(true), None | Some(false)) => {
            let reads = Operation { op: Op::Read, side_effect: false, basis };
            evidence.hints_believed.then_some(reads)
        }
        (None | Some(false), _) | (Some(true), Some(true)) => {
            let op = match evidence.by_name().op {
                Op::Read => Op::Update,
                op @ (Op::Create | Op::Delete | Op::Update) => op,
            };
            Some(Operation { op, side_effect: true, basis })
        }
    }
}
