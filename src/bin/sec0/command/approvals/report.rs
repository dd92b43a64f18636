use super::standing::Standing;
use crate::command::when;
use crate::failure::Failure;
use sec0::approval::{Cast, Uncounted};
use sec0::store::sqlite::DamagedApproval;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;

/// What scripts are told of an escalation, in lists and elsewhere.
pub(super) fn report(standing: &Standing<'_>) -> Value {
    let (escalation, kept) = (standing.escalation(), &standing.listed.kept);
    let binding = escalation.binding();
    json!({
        "id": escalation.id(),
        "status": standing.status(),
        "finalization_reason": standing.finalization,
        "contradicted": standing.is_contradicted(),
        "tool": binding.tool,
        "server": binding.server,
        "tenant": binding.tenant,
        "principal": binding.principal,
        "reason": escalation.reasons().first(),
        "reasons": escalation.reasons(),
        "rules": escalation.rules(),
        "severity": escalation.severity().as_str(),
        "created_at": when(escalation.created_at()),
        "expires_at": when(escalation.expires_at()),
        "spent_at": kept.spent_at.map(when),
        "approvals_needed": standing.needed(),
        "approvals_missing": standing.missing_approvals(),
        "roles_missing": standing.missing_roles(),
        "votes": votes(standing),
    })
}

/// The same, with everything else that whoever decides should know.
pub(super) fn whole(standing: &Standing<'_>) -> Value {
    let escalation = standing.escalation();
    let (binding, terms) = (escalation.binding(), escalation.terms());
    let mut report = report(standing);
    let more = json!({
        "arguments_shown": standing.listed.shown.text,
        "terms": terms,
        "time_out_approves": standing.time_approves(),
        "escalation_sha256": escalation.digest().to_string(),
        "arguments": binding.arguments.to_string(),
        "definition_sha256": binding.definition.to_string(),
        "policy_sha256": binding.policy.to_string(),
        "shown_sha256": escalation.shown().to_string(),
    });
    if let (Some(report), Value::Object(more)) = (report.as_object_mut(), more) {
        report.extend(more);
    }
    report
}

/// The same of one that cannot be read.
pub(super) fn damaged(damaged: &DamagedApproval) -> Value {
    json!({ "id": damaged.id, "status": "damaged", "what": damaged.what })
}

/// One JSON value on a line of its own. What is not ASCII is escaped: the same value, and nothing
/// that a terminal obeys or hides.
pub(super) fn line(out: &mut impl Write, value: &Value) -> Result<(), Failure> {
    let mut line = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            line.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(line, "\\u{unit:04x}").map_err(Failure::internal)?;
        }
    }
    Ok(writeln!(out, "{line}")?)
}

fn votes(standing: &Standing<'_>) -> Vec<Value> {
    let casts = &standing.listed.kept.casts;
    casts.iter().zip(&standing.verdict.uncounted).map(|(cast, why)| vote(cast, *why)).collect()
}

fn vote(cast: &Cast, why: Option<Uncounted>) -> Value {
    let vote = &cast.vote;
    json!({
        "approver": vote.approver(),
        "decision": vote.choice(),
        "ts": when(vote.at()),
        "note": vote.note(),
        "taken_at": when(cast.taken_at),
        "counts": why.is_none(),
        "why_not": why.map(Uncounted::as_str),
    })
}
