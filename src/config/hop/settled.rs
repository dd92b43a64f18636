use super::automation::Automation;
use super::enforcement::HopEnforcement;
use super::kind::HopType;
use super::read::{WrittenHop, path};
use crate::call::Op;
use crate::config::error::ConfigProblem;
use crate::config::said::Said;
use crate::identity::agent_state::NodeId;
use crate::secret::Secret;

/// A hop, settled: what a program needs to know of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Hop {
    /// Its name in `app.hops`, such as `OrderAgent.run`.
    pub key: String,
    /// What it is.
    pub kind: HopType,
    /// The node that acts, normalised.
    pub node_id: NodeId,
    /// The server that records and policies name: `sec0-agent`, `sec0-orchestrator` and
    /// `sec0-gateway` for hops without one, the skill's `source` or `skill` for a skill.
    pub server: String,
    /// The tool that records and policies name, without its version: the agent, the operation, the
    /// tool, the skill; `server` for a server.
    pub name: String,
    /// The version: of an agent or orchestrator, and what stands behind the last `@` of a tool,
    /// skill or operation.
    pub version: Option<String>,
    /// How records spell the target as one word.
    pub tool_ref: String,
    /// `operation`: what it does, by the configuration's word.
    pub operation: Option<Op>,
    /// What is put into the headers of what it calls.
    pub automation: Automation,
    /// What of the policy is done.
    pub enforcement: HopEnforcement,
    /// Where it runs, when that is elsewhere.
    pub remote_url: Option<String>,
    /// `Authorization` for what it calls.
    pub auth_header: Option<Secret<String>>,
}

impl WrittenHop {
    /// What is left of it for a program, with the name that it has in the file.
    pub(in crate::config) fn settle(&self, key: &str) -> Result<Hop, ConfigProblem> {
        let refused = |said: &Said<'_>| ConfigProblem::said(self.place, &path(key), said);
        // There is one thing that can be wrong with it: that nothing is left.
        let node_id = NodeId::new(self.text("nodeId"))
            .map_err(|_empty| refused(&Said::HopNode(self.kind, key)))?;
        if self.kind == HopType::Agent
            && (self.text("agentName").is_empty() || self.text("agentVersion").is_empty())
        {
            return Err(refused(&Said::HopAgent(key)));
        }
        let Target { server, name, version, tool_ref } = self.target();
        Ok(Hop {
            key: key.to_owned(),
            kind: self.kind,
            node_id,
            server,
            name,
            version,
            tool_ref,
            operation: self.operation,
            automation: self.automation.clone(),
            enforcement: self.enforcement.clone(),
            remote_url: self.texts.get("remoteUrl").cloned(),
            auth_header: self.auth_header.clone(),
        })
    }

    fn target(&self) -> Target {
        let of = |name: &'static str| self.text(name);
        let own = |reference: &'static str, usual: String| {
            self.texts.get(reference).cloned().unwrap_or(usual)
        };
        match self.kind {
            HopType::Agent => Target::named("sec0-agent", of("agentName"), of("agentVersion")),
            HopType::Orchestrator => Target::named(
                "sec0-orchestrator",
                of("orchestratorName"),
                of("orchestratorVersion"),
            ),
            HopType::Gateway => Target::pinned("sec0-gateway", of("gateway")),
            HopType::Server => Target::pinned(of("server"), "server"),
            HopType::Middleware => Target::pinned(of("middleware"), of("op")),
            HopType::Tool => {
                let target = Target::pinned(of("server"), of("tool"));
                Target { tool_ref: own("toolRef", target.tool_ref), ..target }
            }
            HopType::Skill => {
                let source = of("source");
                let server = if source.is_empty() { "skill" } else { source };
                let target = Target::pinned(server, of("skill"));
                let usual = format!("{source} {}", of("skill")).trim().to_owned();
                Target { tool_ref: own("skillRef", usual), ..target }
            }
        }
    }

    fn text(&self, name: &'static str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }
}

/// How records and policies name a hop.
struct Target {
    server: String,
    name: String,
    version: Option<String>,
    tool_ref: String,
}

impl Target {
    fn named(server: &str, name: &str, version: &str) -> Self {
        let tool_ref = format!("{server} {name}@{version}");
        let (name, version) = (name.to_owned(), Some(version.to_owned()));
        Self { server: server.to_owned(), name, version, tool_ref }
    }

    /// What stands behind the last `@` is the version.
    fn pinned(server: &str, tool: &str) -> Self {
        let parts =
            tool.rsplit_once('@').filter(|(name, version)| !name.is_empty() && !version.is_empty());
        let (name, version) = parts.map_or((tool, None), |(name, version)| (name, Some(version)));
        let tool_ref = format!("{server} {tool}");
        let version = version.map(str::to_owned);
        Self { server: server.to_owned(), name: name.to_owned(), version, tool_ref }
    }
}
