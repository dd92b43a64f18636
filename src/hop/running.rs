use super::door::HopDoor;
use super::error::AppError;
use super::handover::{Handover, HopLeaf};
use super::run::RunParts;
use crate::call::{
    ApprovalToken, Arguments, Call, Hints, HopIdent, HopMember, Op, ServerIdent, SpanIds, ToolName,
    ToolVersion, Work,
};
use crate::config::{Hop, HopType, Resolved, Strategy, WithoutPolicy};
use crate::digest::Digest;
use crate::policy::{Enforced, Mode, Policy};
use crate::registry::{Definition, Freeze as _, Snapshot};
use crate::stack::{Invoke, Reserve, Sec0SecurityLayer, Secured};
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower::Layer as _;

/// A hop behind its steps.
pub(super) struct Running {
    pub(super) hop: Hop,
    /// Whether its record, or what it intends, has to be durable before it goes on.
    pub(super) is_durable: bool,
    ident: Arc<HopIdent>,
    server: Arc<ServerIdent>,
    registry: Arc<Snapshot>,
    way: Way,
}

/// The steps of a hop.
pub(super) type Way = Secured<Reserve<Invoke<HopLeaf>>>;

/// What is asked of a hop.
pub(super) struct Asked<'r> {
    pub(super) arguments: Option<Arguments>,
    pub(super) run: &'r RunParts,
    pub(super) trace: Option<SpanIds>,
    pub(super) cause: Option<SpanIds>,
    pub(super) state: Option<String>,
    pub(super) idempotency_key: Option<Box<str>>,
    pub(super) approval: Option<ApprovalToken>,
    pub(super) may_wait: bool,
}

impl Running {
    /// The hop over this log, under its part of the policy.
    pub(super) fn new(
        hop: Hop,
        resolved: &Resolved,
        base: &Sec0SecurityLayer,
    ) -> Result<Self, AppError> {
        let policy = policy_of(&hop, resolved, &base.policy())?;
        let version = hop.version.as_deref().and_then(ToolVersion::new);
        let server = Arc::new(ServerIdent::unversioned(&hop.server));
        let definition = Definition::new(&hop.name, version, digest_of(&hop))
            .with_hints(hints(hop.operation), true);
        let reads = hop.operation == Some(Op::Read);
        let layer = base.beside(policy);
        let way = layer.layer(HopLeaf);
        let registry = way.freeze(Arc::new(Snapshot::new([definition])));
        let is_durable = layer.waits_for_the_disk(!reads);
        Ok(Self { ident: Arc::new(ident(&hop)), is_durable, server, registry, way, hop })
    }

    /// The call, and where its body waits for it.
    pub(super) fn call(&self, asked: Asked<'_>) -> (Call<HopDoor>, Arc<Handover>) {
        let handover = Arc::new(Handover::default());
        let door = HopDoor {
            handover: Arc::clone(&handover),
            registry: Arc::clone(&self.registry),
            node: self.hop.node_id.as_str().into(),
            run: asked.run.id.as_str().into(),
            parent: asked.run.parent.as_ref().map(|parent| parent.as_str().into()),
            state: asked.state,
            cause: asked.cause,
            idempotency_key: asked.idempotency_key,
            approval: asked.approval,
            may_wait: asked.may_wait,
        };
        let tool = ToolName::new(self.hop.name.clone());
        let mut call = Call::new(Arc::clone(&self.server), tool, CancellationToken::new(), door)
            .with_arguments(asked.arguments);
        call.hop = Some(Arc::clone(&self.ident));
        call.work = work(self.hop.kind);
        if let Some(trace) = asked.trace {
            call.span = SpanIds::new(trace.trace_id, [0; 8]);
        }
        (call, handover)
    }

    pub(super) fn way(&self) -> Way {
        self.way.clone()
    }
}

/// In the words that OpenTelemetry has for agents.
fn work(kind: HopType) -> Work {
    Work::Inner(match kind {
        HopType::Agent | HopType::Orchestrator => "invoke_agent",
        HopType::Gateway
        | HopType::Server
        | HopType::Middleware
        | HopType::Tool
        | HopType::Skill => "execute_tool",
    })
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("key", &self.hop.key).finish_non_exhaustive()
    }
}

/// What of the policy is done at this hop.
fn policy_of(hop: &Hop, resolved: &Resolved, policy: &Policy) -> Result<Policy, AppError> {
    let said = &hop.enforcement;
    if resolved.policy().is_none() || !said.enabled {
        let refuses = said.enabled
            && match resolved.without_policy() {
                WithoutPolicy::Allow => false,
                WithoutPolicy::Refuse => true,
                WithoutPolicy::ReadsOnly => hop.operation != Some(Op::Read),
            };
        return Ok(Policy::absent(policy.tenant(), refuses)?);
    }
    let so = Enforced {
        observes: said.mode == Mode::Observe,
        denies_any: said.strategy == Strategy::DenyOnAny,
        deny_on: said.deny_on.clone(),
        escalate_on: said.escalate_on.clone(),
    };
    Ok(policy.clone().enforced(&so))
}

/// The definition of a hop is what the configuration says of it.
fn digest_of(hop: &Hop) -> Digest {
    let said = serde_json::json!({
        "key": hop.key,
        "type": hop.kind.as_str(),
        "nodeId": hop.node_id.as_str(),
        "server": hop.server,
        "name": hop.name,
        "version": hop.version,
        "operation": hop.operation.map(Op::as_str),
    });
    Digest::of(said.to_string().as_bytes())
}

fn hints(operation: Option<Op>) -> Hints {
    Hints {
        read_only: operation.map(|op| op == Op::Read),
        destructive: operation.map(|op| matches!(op, Op::Delete | Op::Update)),
        ..Hints::default()
    }
}

fn ident(hop: &Hop) -> HopIdent {
    let at_version = match &hop.version {
        Some(version) => format!("{}@{version}", hop.name),
        None => hop.name.clone(),
    };
    let named = match hop.kind {
        HopType::Agent => Some(HopMember::Agent),
        HopType::Orchestrator => Some(HopMember::Orchestrator),
        HopType::Gateway => Some(HopMember::Gateway),
        HopType::Middleware => Some(HopMember::Middleware),
        HopType::Skill => Some(HopMember::Skill),
        HopType::Server | HopType::Tool => None,
    };
    let of = |member| match member {
        HopMember::Middleware => hop.server.as_str().into(),
        HopMember::Agent | HopMember::Orchestrator | HopMember::Gateway | HopMember::Skill => {
            at_version.as_str().into()
        }
    };
    HopIdent {
        key: hop.key.as_str().into(),
        node_type: match hop.kind {
            HopType::Orchestrator => "agent_orchestrator",
            kind @ (HopType::Agent
            | HopType::Gateway
            | HopType::Server
            | HopType::Middleware
            | HopType::Tool
            | HopType::Skill) => kind.as_str(),
        },
        server: hop.server.as_str().into(),
        tool_ref: hop.tool_ref.as_str().into(),
        named: named.map(|member| (member, of(member))),
        tool: at_version.into(),
    }
}
