use crate::approval::form;
use crate::call::Severity;
use serde::Serialize;
use std::cmp::Reverse;

/// Who found something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the contract has these two")]
pub enum FindingSource {
    /// A rule.
    Rule,
    /// An evaluator, which weighs.
    Evaluator,
}

/// Where something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the contract has these three")]
pub enum FindingLocation {
    /// The arguments.
    Input,
    /// The result.
    Output,
    /// The calls of the run together.
    Run,
}

/// Something that was found in a call, for whoever decides. Secrets in it must be masked before.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "whoever finds fills in what it has")]
pub struct Finding {
    /// Who found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<FindingSource>,
    /// Its kind, for programs.
    pub code: Box<str>,
    /// How grave it is.
    #[serde(with = "form::severity")]
    pub severity: Severity,
    /// Where it is.
    pub location: FindingLocation,
    /// What it is, for people; at most [`Finding::MAX_TEXT`] characters of it are sent.
    pub message: Box<str>,
    /// What was found; at most [`Finding::MAX_EVIDENCE`] characters of it are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<str>>,
    /// Where in the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Box<str>>,
    /// Words to sort findings by; at most [`Finding::MOST`] are sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Box<str>>,
    /// The pack of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_id: Option<Box<str>>,
    /// The policy of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<Box<str>>,
    /// The rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<Box<str>>,
    /// How sure the evaluator is, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What the evaluator went by; at most [`Finding::MAX_PRINCIPLES`] are sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub principles: Vec<Box<str>>,
    /// The same for the same finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Box<str>>,
    /// How the evaluator came to it; at most [`Finding::MAX_TEXT`] characters of it are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Box<str>>,
}

impl Finding {
    /// The most findings of one escalation.
    pub const MOST: usize = 25;

    /// The most characters of the evidence.
    pub const MAX_EVIDENCE: usize = 320;

    /// The most characters of the message, and of the reasoning.
    pub const MAX_TEXT: usize = 1000;

    /// The most principles.
    pub const MAX_PRINCIPLES: usize = 10;

    /// A finding with what every finding has.
    pub fn new(
        code: &str,
        severity: Severity,
        location: FindingLocation,
        message: impl Into<Box<str>>,
    ) -> Self {
        Self {
            source: None,
            code: code.into(),
            severity,
            location,
            message: message.into(),
            evidence: None,
            path: None,
            tags: Vec::new(),
            pack_id: None,
            policy_id: None,
            rule_id: None,
            confidence: None,
            principles: Vec::new(),
            fingerprint: None,
            reasoning: None,
        }
    }

    /// True where a rule, a policy or a pack stands behind it, and no evaluator.
    pub fn is_by_rule(&self) -> bool {
        let named = [&self.rule_id, &self.policy_id, &self.pack_id];
        named.into_iter().any(Option::is_some) && self.source != Some(FindingSource::Evaluator)
    }

    /// As they are sent: those by rules first, then the gravest, then by their messages, none too
    /// long and not too many.
    pub(super) fn for_sending(mut findings: Vec<Self>) -> Vec<Self> {
        findings.sort_by(|one, other| one.rank().cmp(&other.rank()));
        findings.truncate(Self::MOST);
        findings.into_iter().map(Self::cut).collect()
    }

    fn rank(&self) -> (bool, Reverse<Severity>, &str) {
        (!self.is_by_rule(), Reverse(self.severity), &self.message)
    }

    fn cut(mut self) -> Self {
        self.message = start(self.message, Self::MAX_TEXT);
        self.evidence = self.evidence.map(|text| start(text, Self::MAX_EVIDENCE));
        self.reasoning = self.reasoning.map(|text| start(text, Self::MAX_TEXT));
        self.principles.truncate(Self::MAX_PRINCIPLES);
        self.tags.truncate(Self::MOST);
        self
    }
}

/// The first so many characters.
fn start(text: Box<str>, most: usize) -> Box<str> {
    match text.char_indices().nth(most) {
        None => text,
        Some(_) => text.chars().take(most).collect(),
    }
}
