use crate::call::{LockRule, Reason, ServerIdent};
use crate::digest::Digest;
use crate::registry::lock::digest_of_this_program;
use crate::registry::{Lock, LockDrift, LockError, LockRefused, Snapshot};
use std::collections::HashSet;
use std::path::Path;
use std::sync::OnceLock;

/// The lock file of a layer, and what came of the comparison with it.
#[derive(Debug)]
pub(super) struct LockGate {
    rule: LockRule,
    locked: Result<Lock, LockError>,
    /// The executable that runs, where the lock names one.
    binary: Option<Digest>,
    finding: OnceLock<Finding>,
}

/// What the comparison came to: once, when the tools are frozen.
#[derive(Debug)]
pub(super) struct Finding {
    rule: LockRule,
    /// How the server differs; `None` where there is nothing to compare with.
    pub(super) drift: Option<LockDrift>,
    /// The digest that the registry would have, had nothing changed.
    pub(super) locked: Option<Digest>,
    /// The names of tools that are there and are not as they were locked.
    tools: HashSet<Box<str>>,
    is_other_server: bool,
    /// Why nothing of this server is called.
    pub(super) refused: Option<LockRefused>,
}

impl LockGate {
    /// Reads the lock file. Without one that can be read there is a gate all the same: by its rule
    /// it refuses everything, or says so.
    pub(super) fn open(rule: LockRule, file: &Path) -> Self {
        let locked = Lock::from_file(file);
        // A program that cannot be read is not the locked one.
        let binary = match &locked {
            Ok(lock) if lock.binary().is_some() => this_program(),
            Ok(_) | Err(_) => None,
        };
        if let Err(error) = &locked {
            tracing::error!(%error, "the server's tools cannot be held against a lock file");
        }
        Self { rule, locked, binary, finding: OnceLock::new() }
    }

    /// # Errors
    ///
    /// The lock file is required, and cannot be read.
    pub(super) fn admit(self) -> Result<Self, LockError> {
        match self {
            Self { rule: LockRule::Require, locked: Err(error), .. } => Err(error),
            gate => Ok(gate),
        }
    }

    /// What the comparison of the frozen tools came to. It is made once, and shown to `tell`.
    pub(super) fn finding(
        &self,
        frozen: &Snapshot,
        server: &ServerIdent,
        tell: impl FnOnce(&Finding),
    ) -> &Finding {
        self.finding.get_or_init(|| {
            let finding = self.compare(frozen, server);
            if !finding.is_empty() {
                tell(&finding);
            }
            finding
        })
    }

    /// What was found, if anything was compared yet.
    pub(super) fn found(&self) -> Option<&Finding> {
        self.finding.get()
    }

    fn compare(&self, frozen: &Snapshot, server: &ServerIdent) -> Finding {
        let mut now = Lock::of(frozen).with_server(server.clone());
        if let Some(binary) = self.binary {
            now = now.with_binary(binary);
        }
        let drift = self.locked.as_ref().map(|locked| locked.drift(&now));
        let (why, is_other_server) = match &drift {
            Ok(drift) if drift.is_empty() => (None, false),
            Ok(drift) => {
                (Some(drift.to_string()), drift.server.is_some() || drift.binary.is_some())
            }
            // Nobody can say that it is the same.
            Err(error) => (Some(error.to_string()), true),
        };
        let drift = drift.ok();
        let changed = drift.iter().flat_map(|drift| &drift.tools);
        Finding {
            rule: self.rule,
            tools: changed.filter_map(|change| Some(change.now()?.name.clone())).collect(),
            is_other_server,
            drift,
            locked: self.locked.as_ref().ok().map(Lock::registry_digest),
            refused: why
                .filter(|_| self.rule == LockRule::Require)
                .map(|why| LockRefused::new(&why)),
        }
    }
}

impl Finding {
    /// True when the server is the locked one.
    fn is_empty(&self) -> bool {
        self.drift.as_ref().is_some_and(LockDrift::is_empty)
    }

    /// What follows from a difference.
    pub(super) fn rule(&self) -> LockRule {
        self.rule
    }

    /// What is found against a call of this tool, in order.
    pub(super) fn reasons(&self, tool: &str) -> impl Iterator<Item = Reason> + use<> {
        let is_other_tool = self.tools.contains(tool);
        // A server that is refused for some of its tools is refused for all of them.
        let is_other_server = self.is_other_server || (self.refused.is_some() && !is_other_tool);
        let server = is_other_server.then_some(Reason::ServerCodeChanged);
        server.into_iter().chain(is_other_tool.then_some(Reason::ToolCodeChanged))
    }
}

fn this_program() -> Option<Digest> {
    match digest_of_this_program() {
        Ok(digest) => Some(digest),
        Err(error) => {
            tracing::error!(%error, "the executable cannot be held against the lock file");
            None
        }
    }
}
