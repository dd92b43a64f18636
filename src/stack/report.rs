use super::authorize::Judged;
use super::reporting::Reporting;
use crate::approval::{Create, Escalation, FindingSource, report_within};
use crate::call::{Found, Severity};
use serde_json::{Map, Value, json};

/// What a reporter is told of one call.
#[derive(Debug)]
pub(super) struct Report {
    reporting: Reporting,
    create: Create,
}

impl Report {
    /// What there is to say of a call for which the policy asks. Of its arguments there is nothing.
    pub(super) fn about<X>(reporting: &Reporting, judged: &Judged<X>, severity: Severity) -> Self {
        let intact = judged.intact();
        let entered = intact.identified().entered();
        let call = entered.call();
        let tool = intact.tool_ref().at_version().to_string();
        let uri = intact.tool_ref().to_string();
        let verdict = judged.verdict();
        let violation = verdict.decided_by().map_or("approval_required", Found::as_str);
        let mut create = Create::denied_as(&uri, violation, severity);
        create.rule_id = verdict.decided_by().and_then(Found::rule).map(|rule| rule.id.clone());
        create.finding_source = Some(FindingSource::Rule);
        create.tenant = Some(entered.policy().tenant().into());
        let mut more = Map::new();
        let mut say = |name: &str, value: Value| more.insert(name.to_owned(), value);
        say("source", "sec0".into());
        say("layer", "middleware".into());
        say("tool_ref", uri.into());
        say("server", call.server.name().into());
        say("tool", tool.into());
        say("decision_reason", violation.into());
        say("trace_id", call.span.trace_hex().to_string().into());
        say("span_id", call.span.span_hex().to_string().into());
        let tags: Vec<_> = verdict.reasons().iter().map(Found::as_str).collect();
        say("risk_tags", tags.into());
        let said = entered.trail().with(|facts| {
            let op = facts.operation.map(|operation| operation.op.as_str());
            (op, facts.claimed.node_id.clone(), facts.claimed.agent_ref.clone())
        });
        if let Some((op, node_id, agent_ref)) = said {
            if let Some(op) = op {
                say("op", op.into());
            }
            (create.node_id, create.agent_ref) = (node_id, agent_ref);
        }
        create.metadata.more = more;
        Self { reporting: reporting.clone(), create }
    }

    /// Tells the reporter of the escalation; what is given back is why that could not be done.
    pub(super) async fn send(&self, escalation: &Escalation) -> Option<Box<str>> {
        let mut create = self.create.clone().with_terms(escalation.terms());
        let terms = json!({
            "approval_strategy": create.approval_strategy,
            "timeout_action": create.timeout_action,
            "min_approvals": create.min_approvals,
            "min_rejections": create.min_rejections,
            "required_roles": create.required_roles,
            "veto_roles": create.veto_roles,
            "approval_set_id": create.approval_set_id,
        });
        let more = &mut create.metadata.more;
        more.insert("escalation_id".to_owned(), escalation.id().to_string().into());
        more.insert("human_escalation".to_owned(), terms.clone());
        more.insert("security_side_effects_human_escalation".to_owned(), terms);
        let Reporting { reporter, limit } = &self.reporting;
        match report_within(&**reporter, create, *limit).await {
            Ok(_created) => None,
            Err(error) => {
                tracing::warn!(%error, "an escalation was not reported; it can be decided here");
                Some(error.to_string().into())
            }
        }
    }
}
