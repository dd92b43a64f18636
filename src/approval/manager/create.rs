use super::finding::{Finding, FindingSource};
use crate::approval::form;
use crate::approval::terms::Terms;
use crate::approval::words::{Strategy, TimeoutAction};
use crate::call::{Reason, Severity};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// What a reporter is to ask. It serialises in the spelling of the control plane's API; the tenant
/// is not part of that body.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "whoever asks fills in what it has")]
pub struct Create {
    /// What happened, as a sentence.
    pub content: Box<str>,
    /// The reason, in the spelling of replies and records. Without one nothing is asked.
    pub violation: Box<str>,
    /// The rule behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<Box<str>>,
    /// What it is about, for people; the reason with spaces where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Box<str>>,
    /// How grave it is; that of the reason where there is none.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "severity")]
    pub severity: Option<Severity>,
    /// The node that called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<Box<str>>,
    /// The agent that called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_ref: Option<Box<str>>,
    /// On whose behalf the server works.
    #[serde(skip)]
    pub tenant: Option<Box<str>>,
    /// Who found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding_source: Option<FindingSource>,
    /// Of the evaluator's finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluator_fingerprint: Option<Box<str>>,
    /// How sure the evaluator is, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluator_confidence: Option<f64>,
    /// What the evaluator went by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evaluator_principles: Vec<Box<str>>,
    /// What the evaluator saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluator_snapshot: Option<Value>,
    /// Whatever else helps to decide.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// How long there is to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// What becomes of it when nobody decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_action: Option<TimeoutAction>,
    /// How it is decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_strategy: Option<Strategy>,
    /// Who decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_set_id: Option<Box<str>>,
    /// How many must approve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_approvals: Option<u32>,
    /// How many must reject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_rejections: Option<u32>,
    /// The roles that must be among those who approve.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required_roles: Vec<Box<str>>,
    /// The roles of which one rejection is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub veto_roles: Vec<Box<str>>,
}

/// What goes with an escalation besides its own fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "`more` is the place for anything else")]
pub struct Metadata {
    /// What was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Everything else, by name.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Create {
    /// Asks about a call that was refused for `reason`; `tool_uri` is `mcp://server/tool@version`.
    pub fn denied(tool_uri: &str, reason: Reason) -> Self {
        Self::denied_as(tool_uri, reason.as_str(), reason.severity())
    }

    /// Asks about a call that was refused for a reason with a spelling of its own, as a rule of the
    /// policy can give it.
    pub fn denied_as(tool_uri: &str, violation: &str, severity: Severity) -> Self {
        Self {
            content: format!("Policy denied {tool_uri} due to {violation}.").into(),
            violation: violation.into(),
            message: Some(in_words(violation)),
            severity: Some(severity),
            ..Self::default()
        }
    }

    /// Fills in by which rules it is to be decided.
    #[must_use]
    pub fn with_terms(mut self, terms: &Terms) -> Self {
        self.ttl_seconds = Some(terms.ttl_seconds);
        self.timeout_action = Some(terms.timeout_action);
        self.approval_strategy = Some(terms.strategy);
        self.approval_set_id.clone_from(&terms.approval_set_id);
        self.min_approvals = Some(terms.min_approvals.max(1));
        self.min_rejections = Some(terms.min_rejections.max(1));
        self.required_roles.clone_from(&terms.required_roles);
        self.veto_roles.clone_from(&terms.veto_roles);
        self
    }

    /// Puts in what was found, in the order in which people should read it, and with its bounds.
    /// Rule, message and severity are then those of the first finding.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        let findings = Finding::for_sending(findings);
        let Some(first) = findings.first() else { return self };
        self.rule_id.clone_from(&first.rule_id);
        self.message = Some(first.message.clone());
        self.severity = Some(first.severity);
        let by = |source| move |one: &&Finding| one.source == Some(source);
        let evaluated = findings.iter().find(by(FindingSource::Evaluator));
        let is_evaluated = evaluated.is_some() && !findings.iter().any(Finding::is_by_rule);
        self.finding_source =
            Some(if is_evaluated { FindingSource::Evaluator } else { FindingSource::Rule });
        if let Some(evaluated) = evaluated {
            self.evaluator_fingerprint.clone_from(&evaluated.fingerprint);
            self.evaluator_confidence = evaluated.confidence;
            self.evaluator_principles.clone_from(&evaluated.principles);
        }
        self.metadata.findings = findings;
        self
    }

    /// With what is missing taken from `defaults`, and then from the reason.
    #[expect(clippy::cognitive_complexity, reason = "the same for one field after the other")]
    pub(super) fn completed(mut self, defaults: &Self, tenant: Option<&str>) -> Self {
        macro_rules! fill {
            ($is_missing:ident: $($field:ident)*) => {
                $( if self.$field.$is_missing() { self.$field.clone_from(&defaults.$field); } )*
            };
        }
        fill!(is_empty: content violation evaluator_principles required_roles veto_roles);
        fill!(is_none: rule_id message severity node_id agent_ref tenant finding_source
            evaluator_fingerprint evaluator_confidence evaluator_snapshot ttl_seconds
            timeout_action approval_strategy approval_set_id min_approvals min_rejections);
        if self.metadata.findings.is_empty() {
            self.metadata.findings.clone_from(&defaults.metadata.findings);
        }
        for (name, value) in &defaults.metadata.more {
            self.metadata.more.entry(name).or_insert_with(|| value.clone());
        }
        self.metadata.findings = Finding::for_sending(self.metadata.findings);
        self.violation = self.violation.trim().into();
        self.min_approvals = self.min_approvals.filter(|least| *least > 0);
        self.min_rejections = self.min_rejections.filter(|least| *least > 0);
        self.tenant = self.tenant.or_else(|| tenant.map(Into::into));
        let message = self.message.get_or_insert_with(|| in_words(&self.violation));
        if self.content.is_empty() {
            self.content.clone_from(message);
        }
        self.severity.get_or_insert_with(|| severity_of(&self.violation));
        self
    }
}

impl Metadata {
    /// True where there is nothing.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.more.is_empty()
    }
}

fn in_words(violation: &str) -> Box<str> {
    violation.replace('_', " ").into()
}

/// The table's; `low` for a reason that is not in it.
fn severity_of(violation: &str) -> Severity {
    Reason::from_wire(violation).map_or(Severity::Low, Reason::severity)
}

#[expect(clippy::trivially_copy_pass_by_ref, clippy::ref_option, reason = "serde calls it so")]
fn severity<S: Serializer>(severity: &Option<Severity>, to: S) -> Result<S::Ok, S::Error> {
    match severity {
        Some(severity) => form::severity::serialize(severity, to),
        None => to.serialize_none(),
    }
}
