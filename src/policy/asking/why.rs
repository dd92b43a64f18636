use super::terms::{ApprovalStrategy, EscalationTerms, TimeoutAction};
use crate::call::{Severity, ToolRef};
use crate::policy::compiled::Policy;
use crate::policy::error::shown;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use std::fmt;

/// What would be asked about a call, and of whom.
///
/// `Display` is one line for people; it serialises as `sec0 policy explain --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldAsk {
    terms: Option<EscalationTerms>,
    members: Option<usize>,
    on_timeout: TimeoutAction,
}

impl Policy {
    /// What would be asked about a call of this tool, for a reason of this severity.
    pub fn would_ask(&self, tool: ToolRef<'_>, severity: Severity) -> WouldAsk {
        let terms = self.terms(tool);
        let set = terms.and_then(|terms| self.approvers(terms));
        WouldAsk {
            members: set.map(|set| set.members.len()),
            on_timeout: terms.map_or(TimeoutAction::AutoReject, |terms| terms.on_timeout(severity)),
            terms: terms.cloned(),
        }
    }
}

impl WouldAsk {
    /// The terms; `None` where the policy has none for the tool.
    pub fn terms(&self) -> Option<&EscalationTerms> {
        self.terms.as_ref()
    }

    /// How many people may decide; `None` where the terms name no set.
    pub fn members(&self) -> Option<usize> {
        self.members
    }
}

impl fmt::Display for WouldAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(terms) = &self.terms else {
            return f.write_str("nobody: no `human_escalation` is set for this tool");
        };
        if terms.strategy == ApprovalStrategy::AutoAllow {
            return write!(f, "nobody: `auto_allow` lets it run, by `{}`", terms.scope);
        }
        let (Some(set), Some(members)) = (&terms.approval_set_id, self.members) else {
            return write!(f, "nobody: `{}` has no `approval_set_id`", terms.scope);
        };
        write!(f, "{} of the {members} in `{}`", approvals(terms), shown(set))?;
        roles(f, ", approved by", &terms.required_roles)?;
        match terms.min_rejections {
            1 => f.write_str("; 1 rejection refuses")?,
            count => write!(f, "; {count} rejections refuse")?,
        }
        roles(f, ", or one by", &terms.veto_roles)?;
        let ttl = terms.ttl.as_secs_f64();
        write!(f, "; after {ttl} s without a decision: {}", self.on_timeout)?;
        if terms.wait.is_zero() {
            f.write_str("; refused at once, with the id")?;
        } else {
            write!(f, "; held for {} ms", terms.wait.as_secs_f64() * 1000.0)?;
        }
        if let Some(user) = &terms.connected_user {
            write!(f, "; the connected user is asked as `{}`", shown(user))?;
        }
        write!(f, "; by `{}`", terms.scope)
    }
}

impl Serialize for WouldAsk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let terms = self.terms.as_ref();
        let mut out = serializer.serialize_struct("WouldAsk", 13)?;
        out.serialize_field("scope", &terms.map(|it| &it.scope))?;
        out.serialize_field("approval_strategy", &terms.map(|it| it.strategy.as_str()))?;
        out.serialize_field(
            "approval_set_id",
            &terms.and_then(|it| it.approval_set_id.as_deref()),
        )?;
        out.serialize_field("connected_user", &terms.and_then(|it| it.connected_user.as_deref()))?;
        out.serialize_field("members", &self.members)?;
        out.serialize_field("min_approvals", &terms.map(|it| it.min_approvals))?;
        out.serialize_field("min_rejections", &terms.map(|it| it.min_rejections))?;
        out.serialize_field("required_roles", &terms.map(|it| &it.required_roles))?;
        out.serialize_field("veto_roles", &terms.map(|it| &it.veto_roles))?;
        out.serialize_field("timeout_action", &terms.map(|_| self.on_timeout.as_str()))?;
        out.serialize_field("wait_ms", &terms.map(|it| it.wait.as_secs_f64() * 1000.0))?;
        out.serialize_field("ttl_seconds", &terms.map(|it| it.ttl.as_secs_f64()))?;
        out.serialize_field("unattended", &terms.map(EscalationTerms::may_run_unattended))?;
        out.end()
    }
}

fn approvals(terms: &EscalationTerms) -> String {
    match terms.strategy {
        ApprovalStrategy::AutoAllow | ApprovalStrategy::SingleApprover => "one".to_owned(),
        ApprovalStrategy::HumanQuorum => terms.min_approvals.to_string(),
    }
}

fn roles(f: &mut fmt::Formatter<'_>, before: &str, roles: &[Box<str>]) -> fmt::Result {
    if roles.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = roles.iter().map(|role| format!("`{}`", shown(role))).collect();
    write!(f, "{before} {}", names.join(", "))
}
