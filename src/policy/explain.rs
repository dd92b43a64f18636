use super::asking::WouldAsk;
use super::compiled::Policy;
use super::document::Mode;
use super::error::shown;
use super::question::Question;
use super::rule::Asked;
use super::verdict::{Ruling, Verdict};
use super::why::LookedAt;
use crate::call::{Found, Operation, Reason};
use crate::digest::Digest;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// The verdict on one call, and why: every rule that was looked at, in the order in which a call
/// meets them.
///
/// It serialises as `sec0 policy explain --json` prints it.
#[derive(Debug, Clone)]
pub struct Explanation {
    tool: String,
    mode: Mode,
    digest: Digest,
    operation: Option<Operation>,
    verdict: Verdict,
    rules: Vec<LookedAt>,
    asks: Option<WouldAsk>,
}

/// Explanations.
impl Policy {
    /// Judges a call as the layer would, and says why. The rules are those of
    /// [`judge_size`](Self::judge_size) and [`judge`](Self::judge), in the same order; between the
    /// two a tool that the server does not have is refused.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let tool = question.evidence.tool;
        let operation = self.operation(&question.evidence);
        let mut asked = Asked::new(tool, operation)
            .with_idempotency_key(question.has_idempotency_key)
            .with_arguments(question.evidence.arguments);
        asked.places = question.places;
        let (size, call) = (self.hold_size(question.argument_bytes), self.hold_call(&asked));

        let mut verdict = Verdict::allow();
        self.fold(&mut verdict, tool, &size);
        let mut rules = self.why_size(question, &size);
        let sized = verdict.ruling() != Ruling::Deny;
        if sized && question.listed == Some(false) {
            verdict.add(Reason::UnknownTool, Ruling::Deny);
        }
        rules.extend(LookedAt::registry(question).map(|rule| rule.reached(sized)));
        let known = verdict.ruling() != Ruling::Deny;
        if known {
            self.fold(&mut verdict, tool, &call);
            self.rules().judge(tool, asked.arguments, self.mode(), &mut verdict);
        }
        let arguments = self.rules().why(tool, asked.arguments, self.mode());
        let call = self.why_call(&asked, &call);
        let later = self.why_operation(question).into_iter().chain(call).chain(arguments);
        rules.extend(later.map(|rule| rule.reached(known)));
        self.mark(&mut rules, &verdict, &asked);
        let asks = verdict.deciding().filter(|_| verdict.ruling() == Ruling::Ask);
        Explanation {
            asks: asks.map(|reason| self.would_ask(tool, reason.severity())),
            tool: shown(&tool.to_string()),
            mode: self.mode(),
            digest: self.digest(),
            operation: (question.listed != Some(false)).then_some(operation),
            verdict,
            rules,
        }
    }

    /// Marks the rule that decided: that of the deciding reason; where nothing was found, the most
    /// exact entry of the allowlist, and of those the first.
    fn mark(&self, rules: &mut [LookedAt], verdict: &Verdict, asked: &Asked<'_>) {
        let entry = self.allowing(asked.tool);
        for rule in rules.iter_mut().filter(|rule| rule.matched && rule.reached) {
            rule.decided = match verdict.decided_by() {
                Some(found) => rule.reason.as_ref() == Some(found),
                None => entry.as_deref() == Some(&*rule.id),
            };
        }
    }
}

impl Explanation {
    /// What the layer would do with the call.
    pub fn decision(&self) -> Ruling {
        self.verdict.ruling()
    }

    /// The reason of the decision; `None` where nothing was found.
    pub fn reason(&self) -> Option<Reason> {
        self.verdict.deciding()
    }

    /// The same, with the rule that found it.
    pub fn found(&self) -> Option<&Found> {
        self.verdict.decided_by()
    }

    /// All that would be found, in order.
    pub fn reasons(&self) -> &[Found] {
        self.verdict.reasons()
    }

    /// Every rule that was looked at.
    pub fn rules(&self) -> &[LookedAt] {
        &self.rules
    }

    /// What the call does; `None` where the server has no such tool.
    pub fn operation(&self) -> Option<Operation> {
        self.operation
    }

    /// What would be asked, and of whom, where the decision is to ask.
    pub fn asks(&self) -> Option<&WouldAsk> {
        self.asks.as_ref()
    }

    /// The tool, as `mcp://server/tool@version`.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The mode of the policy.
    pub fn mode(&self) -> Mode {
        self.mode
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reasons: Vec<_> = self.reasons().iter().map(Found::as_str).collect();
        let operation = self.operation;
        let mut out = serializer.serialize_struct("Explanation", 11)?;
        out.serialize_field("decision", self.decision().as_str())?;
        out.serialize_field("reason", &self.found().map(Found::as_str))?;
        out.serialize_field("reasons", &reasons)?;
        out.serialize_field("rules", &self.rules)?;
        out.serialize_field("tool", &self.tool)?;
        out.serialize_field("mode", self.mode.as_str())?;
        out.serialize_field("op", &operation.map(|it| it.op.as_str()))?;
        out.serialize_field("side_effect", &operation.map(|it| it.side_effect))?;
        out.serialize_field("op_basis", &operation.map(|it| it.basis.as_str()))?;
        out.serialize_field("asks", &self.asks)?;
        out.serialize_field("digest", &self.digest.to_string())?;
        out.end()
    }
}
