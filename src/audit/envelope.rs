use super::chain::Ties;
use super::json::Object;
use crate::call::{Decision, Dedupe, Facts, Found, HopMember, Reason, Status};
use crate::digest::Digest;

/// What is the same in every record that one door writes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Site {
    /// Who recorded: `server`, as `name@version`.
    pub server: Box<str>,
    /// What it did: `tool`.
    pub tool: Box<str>,
    /// What kind of node the door is: `node_type`.
    pub node_type: &'static str,
    /// On whose behalf: `tenant`, and `actor`.
    pub tenant: Box<str>,
    /// The program that records.
    pub program: Program,
    /// How long records are kept, as the policy says it: `policy.retention`.
    pub retention: Box<str>,
}

impl Site {
    /// The door inside an MCP server, with the constants of the original.
    pub fn middleware(tenant: &str, retention: &str) -> Self {
        Self {
            server: concat!("sec0-middleware@", env!("CARGO_PKG_VERSION")).into(),
            tool: "mcp.enforce@1.0".into(),
            node_type: "middleware",
            tenant: tenant.into(),
            program: Program::default(),
            retention: retention.into(),
        }
    }
}

/// What a program says of itself in each record.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Program {
    /// Where it runs: `env`.
    pub env: Option<Box<str>>,
    /// Its name: `client`.
    pub client: Option<Box<str>>,
    /// Its version: `clientVersion`.
    pub client_version: Option<Box<str>>,
}

/// What the members of a call are written for.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    /// The line of the log, tied to the one before it.
    Line(&'a Ties<'a>),
    /// The journal, when the call has ended: recovery makes the line of it.
    Outcome,
    /// The journal, before the handler runs: the line that recovery makes of it says that the
    /// outcome is not known.
    Intent,
}

/// Appends the record of a call without its `sig` and says where `sig` belongs.
///
/// The members stand in the order of RFC 8785, so that the line is written once and signed as it
/// is; a test compares it with an independent writer.
pub(super) fn write_call(out: &mut Vec<u8>, facts: &Facts, site: &Site, form: Form<'_>) -> usize {
    let mut line = Object::open(out);
    actor_to_cause(&mut line, facts, site);
    check_to_output(&mut line, facts, site, form);
    policy_to_snapshot(&mut line, facts, site, form);
    let sig_at = line.position();
    span_to_ts(&mut line, facts, site, form);
    line.close();
    sig_at
}

impl Form<'_> {
    fn ties(&self) -> Option<&Ties<'_>> {
        match self {
            Self::Line(ties) => Some(ties),
            Self::Outcome | Self::Intent => None,
        }
    }

    /// The reason that decided a refusal; where nothing was refused, the first thing found.
    fn deciding(self, facts: &Facts) -> Option<&str> {
        match self {
            Self::Intent => Some(Reason::OutcomeUnknown.as_str()),
            Self::Line(_) | Self::Outcome => decided(facts).map(Found::as_str),
        }
    }

    /// The rule of the policy behind the deciding reason.
    fn rule(self, facts: &Facts) -> Option<&str> {
        match self {
            Self::Intent => None,
            Self::Line(_) | Self::Outcome => Some(&decided(facts)?.rule()?.id),
        }
    }

    /// What was found, in order.
    fn reasons(self, facts: &Facts) -> impl ExactSizeIterator<Item = &str> + Clone {
        let found = facts.reasons.len() + usize::from(matches!(self, Self::Intent));
        let unknown = Reason::OutcomeUnknown.as_str();
        (0..found).map(move |at| facts.reasons.get(at).map_or(unknown, Found::as_str))
    }
}

fn actor_to_cause(line: &mut Object<'_>, facts: &Facts, site: &Site) {
    let claimed = &facts.claimed;
    line.text("actor", &site.tenant);
    let rare = claimed.rare.as_deref();
    let hop = facts.hop.as_deref();
    let named = |member| hop.and_then(|hop| hop.member(member));
    line.text_if("agent", named(HopMember::Agent));
    line.text_if("agentParentRef", rare.and_then(|rare| rare.parent_ref.as_deref()));
    line.text_if("agentRef", claimed.agent_ref.as_deref());
    if let Some(rare) = rare {
        line.json_if("agentVariables", rare.variables.as_ref());
    }
    line.text_if("agent_orchestrator", named(HopMember::Orchestrator));
    if let Some(rare) = rare {
        if let Some(state) = &rare.state_hmac_sha256 {
            line.hex("agent_state_hmac_sha256", state);
        }
        if let Some(state) = &rare.state_sha256 {
            line.hex("agent_state_sha256", state);
        }
        line.json_if("auth", rare.auth.as_ref());
    }
    if let Some(cause) = claimed.cause {
        line.hex("cause_span_id", &cause.span_id);
        line.hex("cause_trace_id", &cause.trace_id);
    }
}

fn check_to_output(line: &mut Object<'_>, facts: &Facts, site: &Site, form: Form<'_>) {
    let claimed = &facts.claimed;
    let rare = claimed.rare.as_deref();
    let hop = facts.hop.as_deref();
    let named = |member| hop.and_then(|hop| hop.member(member));
    line.text("check_kind", if is_dynamic(facts) { "dynamic" } else { "static" });
    line.text("check_level", "middleware");
    if let Some(rare) = rare.filter(|rare| !rare.rejected.is_empty()) {
        let rejected = rare.rejected.iter().map(|one| (one.claim, one.why.as_str()));
        line.pairs("claims_rejected", rejected);
    }
    line.text_if("client", site.program.client.as_deref());
    line.text_if("clientVersion", site.program.client_version.as_deref());
    line.text_if("decision_reason", form.deciding(facts));
    line.text_if("dedupe", facts.dedupe.map(Dedupe::as_str));
    if facts.decision == Decision::Deny {
        let level = if hop.is_some() { "decorator" } else { "middleware" };
        line.text("denial_level", level);
    }
    let keyed = facts.keyed.as_deref();
    if let Some(keyed) = keyed {
        line.hex("digest_key_id", &keyed.key_id);
    }
    line.text_if("egress_violation_at", facts.egress_violation_at.as_deref());
    line.text_if("env", site.program.env.as_deref());
    escalation_to_violation(line, facts, form);
    line.text_if("gateway", named(HopMember::Gateway));
    line.text_if("hop", hop.map(|hop| &*hop.key));
    match claimed.idempotency_key.as_deref() {
        Some(key) => line.text("idempotency_key", key),
        None => line.null("idempotency_key"),
    }
    if let Some(keyed) = keyed {
        line.hex_or_null("input_hmac_sha256", keyed.input.as_ref().map(<[u8; 32]>::as_slice));
    }
    line.hex_or_null("input_sha256", facts.input_sha256.as_ref().map(<[u8; 32]>::as_slice));
    line.text_if("key_id", form.ties().map(|ties| ties.key_id));
    line.whole("latency_ms", u64::try_from(facts.latency.as_millis()).unwrap_or(u64::MAX));
    line.text_if("middleware", named(HopMember::Middleware));
    line.text_if("nodeId", claimed.node_id.as_deref());
    line.text("node_type", hop.map_or(site.node_type, |hop| hop.node_type));
    if let Some(operation) = facts.operation {
        line.text("op", operation.op.as_str());
        line.text("op_basis", operation.basis.as_str());
    }
    if let Some(keyed) = keyed {
        line.hex_or_null("output_hmac_sha256", keyed.output.as_ref().map(<[u8; 32]>::as_slice));
    }
    line.hex_or_null("output_sha256", facts.output_sha256.as_ref().map(<[u8; 32]>::as_slice));
}

fn escalation_to_violation(line: &mut Object<'_>, facts: &Facts, form: Form<'_>) {
    let escalation = facts.escalation.as_deref();
    if let Some(escalation) = escalation {
        line.text_if("escalation_error", escalation.error.as_deref());
        line.text("escalation_id", &escalation.id);
        line.text("escalation_status", escalation.status.as_str());
    }
    // Nobody may read an unknown outcome as if nothing had happened.
    line.flag("executed", facts.executed() || matches!(form, Form::Intent));
    line.text_if("finalization_reason", escalation.and_then(|it| it.finalization));
    line.text_if("fs_violation_at", facts.fs_violation_at.as_deref());
}

fn policy_to_snapshot(line: &mut Object<'_>, facts: &Facts, site: &Site, form: Form<'_>) {
    let mut policy = line.object("policy");
    policy.text("decision", facts.decision.as_str());
    policy.text_if("reason", form.deciding(facts));
    policy.text("retention", &site.retention);
    policy.text_if("rule", form.rule(facts));
    if !facts.rules.is_empty() {
        policy.list("rules", facts.rules.iter().map(|rule| &*rule.id));
    }
    policy.close();
    line.digest("policy_digest", &Digest::from_bytes(facts.policy_sha256));
    if let Some(ties) = form.ties() {
        line.digest("prev_sha256", &ties.chain.prev);
    }
    if let Some(principal) = facts.principal.as_deref() {
        line.text("principal", principal);
        line.flag("principal_verified", facts.principal_verified);
    }
    line.flag("registry_frozen", true);
    line.whole("retries", u64::from(facts.retries));
    let reasons = form.reasons(facts);
    if reasons.len() > 0 {
        let tags = u64::try_from(reasons.len()).unwrap_or(u64::MAX);
        line.whole("risk_score", tags.saturating_mul(25).min(100));
        line.words("risk_tags", reasons);
    }
    if let Some(ties) = form.ties() {
        line.whole("seq", ties.chain.seq);
    }
    let hop = facts.hop.as_deref();
    line.text("server", hop.map_or(&site.server, |hop| &hop.server));
    if let Some(registry) = &facts.registry_sha256 {
        line.hex("server_snapshot", registry);
    }
    if let Some(operation) = facts.operation {
        line.flag("side_effect", operation.side_effect);
    }
    if let Some((skill, hop)) = hop.and_then(|hop| Some((hop.member(HopMember::Skill)?, hop))) {
        line.text("skill", skill);
        line.text("skill_ref", &hop.tool_ref);
    }
}

fn span_to_ts(line: &mut Object<'_>, facts: &Facts, site: &Site, form: Form<'_>) {
    let server = facts.server.at_version();
    let (at, version) = match &facts.version {
        Some(version) => ("@", version.as_str()),
        None => ("", ""),
    };
    line.hex("span_id", &facts.span.span_id);
    let status = if matches!(form, Form::Intent) { Status::Unknown } else { facts.status };
    line.text("status", status.as_str());
    line.text("target_server", server);
    line.texts("target_tool", &[&facts.tool, at, version]);
    line.texts("target_tool_ref", &[server, " ", &facts.tool, at, version]);
    line.text_if("task_id", facts.task_id.as_deref());
    line.text("tenant", &site.tenant);
    if let Some(hop) = &facts.hop {
        line.text("tool", &hop.tool);
        line.text("tool_ref", &hop.tool_ref);
    } else {
        line.text("tool", &site.tool);
        line.texts("tool_ref", &[&site.server, " ", &site.tool]);
    }
    line.hex("trace_id", &facts.span.trace_id);
    line.ts("ts", facts.arrived);
}

/// What refused; where nothing did, the first thing found.
fn decided(facts: &Facts) -> Option<&Found> {
    facts.refused_for.as_ref().or_else(|| facts.reasons.first())
}

/// True when something changed while the server ran.
fn is_dynamic(facts: &Facts) -> bool {
    let changed =
        |found: &Found| matches!(found.reason(), Reason::RegistryMutation | Reason::HandlerSwap);
    facts.reasons.iter().chain(&facts.refused_for).any(changed)
}
