use super::lock::LockGate;
use super::options::Sec0Options;
use super::reload::{Reload, watch};
use super::shared::Shared;
use super::start::StartError;
use super::{
    Approve, ApproveLayer, Authorize, AuthorizeLayer, Dedupe, DedupeLayer, Identify, IdentifyLayer,
    Invoke, InvokeLayer, Limit, LimitLayer, Record, RecordLayer, Reserve, ReserveLayer, Settle,
    SettleLayer, Trace, TraceLayer, Verify, VerifyLayer,
};
use crate::audit::{Event, ShutdownError};
use crate::call::{AuditMode, ServerIdent, SpanIds, ToolName};
use crate::policy::Policy;
use crate::registry::lock::digest_of_this_program;
use crate::registry::{Drift, Freeze, Lock, LockError, LockRefused, Manner, Snapshot, Withheld};
use crate::sign::Signer;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tower::layer::util::{Identity, Stack};
use tower::{Layer, ServiceBuilder};

/// The whole way of a call as one tower layer: what an author puts on a server.
///
/// One layer is for one server. Build it once and clone it for every session: the clones share the
/// policy, the log and the frozen registry, which is that of the first server they wrap; a session
/// with other tools is refused. Wrap the server once, too, and clone what comes out, if it holds
/// its routes: what is wrapped again is compared by its definitions, and by its handlers only
/// where they come from one shared router.
///
/// Ordinary tower layers go between with [`around`](Self::around).
#[derive(Debug, Clone)]
pub struct Sec0SecurityLayer<M = Identity> {
    shared: Arc<Shared>,
    between: M,
}

impl Sec0SecurityLayer {
    /// The layer with these options.
    ///
    /// When the log or the key cannot be opened, the cause goes to `tracing` as an error, and
    /// every call is refused with `AUDIT_UNAVAILABLE`: there is no way to run unrecorded by
    /// accident. A program that would rather not start uses [`try_new`](Self::try_new).
    pub fn new(options: Sec0Options) -> Self {
        let layer = Self::over(options.start_or_refuse());
        if let Err(error) = watch(&layer.shared) {
            tracing::error!(%error, "the policy cannot be watched; it stays what it is");
        }
        layer
    }

    /// The layer with these options.
    ///
    /// # Errors
    ///
    /// The key cannot be used, or the audit directory cannot be opened.
    pub fn try_new(options: Sec0Options) -> Result<Self, StartError> {
        let layer = Self::over(options.start()?);
        watch(&layer.shared).map_err(StartError::Watch)?;
        Ok(layer)
    }

    fn over(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        shared.be_measured();
        Self { shared, between: Identity::new() }
    }
}

impl<M> Sec0SecurityLayer<M> {
    /// A layer for another server of the same program: its own frozen registry under this policy, over
    /// the same log, approvals and keys. What this one forbids that one forbids by its own policy
    /// alone, which is never reloaded.
    pub(crate) fn beside(&self, policy: Policy) -> Sec0SecurityLayer {
        Sec0SecurityLayer::over(self.shared.beside(policy))
    }

    /// Whether something of a call's record has to be on the disk before the call goes on.
    pub(crate) fn waits_for_the_disk(&self, has_side_effect: bool) -> bool {
        self.shared.modes.of(Some(has_side_effect)) != AuditMode::Batch
    }

    /// The policy that judges the calls that enter now.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.shared.regime.load().policy)
    }

    /// Puts an ordinary tower layer round the handler: below `approve`, so that a call that waits
    /// for a human holds none of its permits, and above `reserve`, so that what it refuses has not
    /// run. The layer added last is the outermost of them.
    ///
    /// ```
    /// # fn doc(options: sec0::Sec0Options) {
    /// // One limit for all sessions; `ConcurrencyLimitLayer` would be one for each.
    /// use tower::limit::GlobalConcurrencyLimitLayer;
    /// let eight = GlobalConcurrencyLimitLayer::new(8);
    /// let sec0 = sec0::Sec0SecurityLayer::new(options).around(eight);
    /// # }
    /// ```
    pub fn around<N>(self, layer: N) -> Sec0SecurityLayer<Stack<M, N>> {
        Sec0SecurityLayer { shared: self.shared, between: Stack::new(self.between, layer) }
    }

    /// The layers of the steps, for a stack that is put together by hand.
    pub fn steps(&self) -> Steps {
        Steps { shared: Arc::clone(&self.shared) }
    }

    /// Whether the server is the one in its lock file, where the policy requires that: for a program
    /// that would rather not start than refuse. Ask when the server is wrapped. One whose tools are
    /// only seen at its first request about tools is not refused before.
    ///
    /// # Errors
    ///
    /// `registry.lock` is `require`, and the server differs; every tool that does is named, up to
    /// eight.
    pub fn check_lock(&self) -> Result<(), LockRefused> {
        let found = self.shared.gate.as_ref().and_then(LockGate::found);
        match found.and_then(|finding| finding.refused.clone()) {
            Some(refused) => Err(refused),
            None => Ok(()),
        }
    }

    /// The frozen tools as a lock, and the server that has them. The executable is not in it:
    /// [`Lock::with_binary`] adds it, which is for programs that are not built anew every day.
    ///
    /// # Errors
    ///
    /// Nothing is frozen yet.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let frozen = self.shared.frozen.get().ok_or(LockError::NothingFrozen)?;
        let lock = Lock::of(frozen);
        Ok(match self.shared.frozen_of.get() {
            Some(server) => lock.with_server((**server).clone()),
            None => lock,
        })
    }

    /// Writes the lock file of this server as it is now: the deliberate act after a change. It
    /// counts from the next start on.
    ///
    /// # Errors
    ///
    /// Nothing is frozen yet, or the file cannot be written.
    pub fn write_lock(&self, file: impl AsRef<Path>) -> Result<(), LockError> {
        self.lock()?.write(file)
    }

    /// As [`write_lock`](Self::write_lock), with the digest of the executable that runs: any other
    /// build of it then counts as another server.
    ///
    /// # Errors
    ///
    /// As [`write_lock`](Self::write_lock), or the executable cannot be read.
    pub fn write_lock_with_binary(&self, file: impl AsRef<Path>) -> Result<(), LockError> {
        self.lock()?.with_binary(digest_of_this_program()?).write(file)
    }

    /// Looks for a newer version of the policy now, and takes it if it is one; the layer does so by
    /// itself from time to time. Without [`Sec0Options::policy_source`](super::Sec0Options::policy_source)
    /// there is never a newer one.
    ///
    /// Blocks while the source does, and for 20 ms between its two looks: a file that is still being
    /// written by then is taken as it stands, if it is a policy. Call it when the file is whole.
    pub fn reload(&self) -> Reload {
        self.shared.reload()
    }

    /// Goes on under another signing key. A line that the old key signs introduces the new one, so a
    /// reader who knows the old key can follow. A layer that could not start has no log to go on
    /// with.
    pub fn change_key(&self, signer: impl Signer + 'static) {
        if let Some(log) = &self.shared.log {
            log.change_key(Arc::new(signer));
        }
    }

    /// Ends admission, waits for the records of calls under way (at most five seconds), writes and
    /// syncs everything, and closes the log. Telemetry has five seconds to leave; what has not by
    /// then is dropped. Calls after it are refused.
    ///
    /// # Errors
    ///
    /// What could not be written, and why.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the writer at work; calling it again waits again.
    pub async fn try_shutdown(&self) -> Result<(), ShutdownError> {
        if let Some(approvals) = &self.shared.approvals {
            approvals.flush().await;
        }
        let ended = match &self.shared.log {
            Some(log) => log.shutdown(Duration::from_secs(5)).await,
            None => Ok(()),
        };
        if let Some(approvals) = &self.shared.approvals {
            approvals.settle().await;
        }
        if let Some(keeping) = &self.shared.dedupe {
            // What is lost here leaves a key that counts as unknown: no call runs twice for it.
            match tokio::time::timeout(Duration::from_secs(5), keeping.store.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "the idempotency store was not closed cleanly");
                }
                Err(_elapsed) => {
                    tracing::error!("the idempotency store did not end in five seconds");
                }
            }
        }
        self.shared.telemetry.let_go(Duration::from_secs(5)).await;
        ended
    }

    /// [`try_shutdown`](Self::try_shutdown), with the error sent to `tracing`.
    pub async fn shutdown(&self) {
        if let Err(error) = self.try_shutdown().await {
            tracing::error!(%error, "the audit log was not closed cleanly");
        }
    }
}

/// The layers of the steps of one [`Sec0SecurityLayer`].
#[derive(Debug, Clone)]
pub struct Steps {
    shared: Arc<Shared>,
}

impl Steps {
    /// The span of the call.
    pub fn trace(&self) -> TraceLayer {
        TraceLayer::new(&self.shared)
    }

    /// Exactly one record per call.
    pub fn record(&self) -> RecordLayer {
        RecordLayer::new(&self.shared)
    }

    /// Faults become refusals.
    pub fn settle(&self) -> SettleLayer {
        SettleLayer
    }

    /// Who calls.
    pub fn identify(&self) -> IdentifyLayer {
        IdentifyLayer
    }

    /// How large, how long.
    pub fn limit(&self) -> LimitLayer {
        LimitLayer
    }

    /// The tool is the frozen tool.
    pub fn verify(&self) -> VerifyLayer {
        VerifyLayer
    }

    /// What the policy says.
    pub fn authorize(&self) -> AuthorizeLayer {
        AuthorizeLayer
    }

    /// A repeated key gets its stored result.
    pub fn dedupe(&self) -> DedupeLayer {
        DedupeLayer
    }

    /// What a human says.
    pub fn approve(&self) -> ApproveLayer {
        ApproveLayer
    }

    /// The intent is recorded.
    pub fn reserve(&self) -> ReserveLayer {
        ReserveLayer
    }

    /// The handler.
    pub fn invoke(&self) -> InvokeLayer {
        InvokeLayer
    }
}

/// A handler's service behind all steps.
pub type Secured<S> = Trace<Record<Settle<Identify<Limit<Verify<Authorize<Dedupe<Approve<S>>>>>>>>>;

impl<M, L> Layer<L> for Sec0SecurityLayer<M>
where
    M: Layer<Reserve<Invoke<L>>>,
{
    type Service = Secured<M::Service>;

    fn layer(&self, handler: L) -> Self::Service {
        let steps = self.steps();
        let reserved = ServiceBuilder::new()
            // The last thing before the handler: only a call that will run leaves an intent.
            .layer(steps.reserve())
            // Innermost: makes what a handler accepts.
            .layer(steps.invoke())
            .service(handler);
        ServiceBuilder::new()
            // Outermost: whatever is logged below lies in the span.
            .layer(steps.trace())
            // Above everything that may fail: no call without its record.
            .layer(steps.record())
            // Below it nothing fails any more: every fault has become an answer.
            .layer(steps.settle())
            // Before everything that counts: it counts on the principal.
            .layer(steps.identify())
            // Before everything that works on arguments: they have a size and a time.
            .layer(steps.limit())
            // Before the policy: the tool that it judges is the tool that runs.
            .layer(steps.verify())
            // Before a human is asked: the policy says whether to.
            .layer(steps.authorize())
            // `inspect` has its place here.
            // Before a human is asked: a replay spends no grant.
            .layer(steps.dedupe())
            // Above all limits on concurrency: a waiting human starves nobody.
            .layer(steps.approve())
            .service(self.between.layer(reserved))
    }
}

impl<S> Freeze for Trace<S> {
    fn freeze(&self, seen: Arc<Snapshot>) -> Arc<Snapshot> {
        Arc::clone(self.shared.frozen.get_or_init(|| seen))
    }

    fn refused(&self, server: &Arc<ServerIdent>) -> Option<LockRefused> {
        self.shared.finding(server)?.refused.clone()
    }

    fn withheld(&self, server: &Arc<ServerIdent>) -> Option<Arc<Withheld>> {
        self.shared.withheld(server)
    }

    fn tampering(&self, server: &Arc<ServerIdent>, drift: &Drift) {
        tracing::error!(server = server.name(), %drift, "the frozen tool registry was to be changed");
        let shared = &self.shared;
        if let Some(log) = shared.log.as_ref().filter(|_| shared.has_tampering_left()) {
            let name = ToolName::from(drift.tool());
            let server = Arc::clone(server);
            let at = shared.clock.wall();
            log.event(Event::registry_mutation(at, SpanIds::default(), server, &name));
        }
    }

    fn manner(&self) -> &Manner {
        &self.shared.manner
    }
}
