use super::future::StepFuture;
use super::identify::Identified;
use super::step::step;
use crate::audit::{Direction, RawContext};
use crate::call::{Reason, Refusal, Retry, ToolRef, TrailWatch};
use crate::canonical::{self, CanonicalError, Limits};
use crate::clock::Clock;
use crate::limit::Deadline;
use crate::policy::{Effect, Ruling};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tower::Service;

step! {
    /// Bounds the call: how often its caller may call, the size of its arguments, and the time it
    /// may take.
    ///
    /// The rate comes first: a caller who is over it costs a lookup, whatever the arguments are. Such
    /// a call spends nothing; every other one does, refused later or not.
    ///
    /// The arguments are measured once; their length decides here, their digest goes to the
    /// record. A deadline that denies ends the call where it stands: the handler's future is
    /// dropped, work that the handler spawned may go on.
    ///
    /// # Order
    ///
    /// Before the policy, so that nothing works on what is too large; after `identify`, since
    /// limits are counted on the principal.
    stateless Limit, LimitLayer
}

impl<S, X, E> Service<Identified<X>> for Limit<S>
where
    S: Service<Identified<X>, Error = E>,
    E: From<Refusal>,
{
    type Response = S::Response;
    type Error = E;
    type Future = LimitFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, identified: Identified<X>) -> Self::Future {
        if let Err(refusal) = rate(&identified).and_then(|()| size(&identified)) {
            return LimitFuture { step: StepFuture::refused(refusal), deadline: None, limit: None };
        }
        let limit = TimeLimit::of(&identified);
        let deadline = limit.as_ref().and_then(TimeLimit::timer);
        LimitFuture { step: StepFuture::passed(self.inner.call(identified)), deadline, limit }
    }
}

/// Spends a call of the quotas of the caller, where the policy has any for this tool.
fn rate<X>(identified: &Identified<X>) -> Result<(), Refusal> {
    let entered = identified.entered();
    let shared = entered.shared();
    let Some(rates) = &entered.regime().rates else { return Ok(()) };
    let (server, tool) = (entered.call().server.name(), entered.call().tool.as_str());
    let frozen = shared.frozen.get();
    let known = frozen.and_then(|frozen| frozen.get(tool));
    let tool = ToolRef::new(server, tool, known.and_then(|known| known.version.as_ref()));
    let which = entered.policy().rates().matching(tool, frozen.is_some());
    match rates.spend(identified.principal().name(), which, shared.clock.monotonic()) {
        Ok(()) => Ok(()),
        Err(wait) if entered.policy().effect(Reason::RateLimited) == Effect::Deny => {
            Err(Refusal::new(Reason::RateLimited).with_retry(Retry::After(wait)))
        }
        Err(_) => {
            entered.trail().with(|facts| facts.found(Reason::RateLimited));
            Ok(())
        }
    }
}

/// Measures the arguments and holds them against the hard bound and the policy's.
fn size<X>(identified: &Identified<X>) -> Result<(), Refusal> {
    let entered = identified.entered();
    let Some(arguments) = &entered.call().arguments else { return Ok(()) };
    let shared = entered.shared();
    let limits = Limits { max_len: shared.max_arguments, ..Limits::default() };
    let (len, input) = canonical::fingerprint(arguments, limits, shared.digest_key.as_ref())
        .map_err(|error| Refusal::new(malformed(error)))?;
    let payload = shared.capture().and_then(|capture| {
        let (server, tool) = (&entered.call().server, entered.call().tool.bounded());
        capture.take(arguments, &RawContext::new(Direction::Input, server, &tool))
    });
    entered.trail().with(|facts| {
        if payload.is_some() {
            facts.payloads.get_or_insert_default().input = payload;
        }
        facts.input_sha256 = input.sha256();
        if let Some(keyed) = &mut facts.keyed {
            keyed.input = input.hmac();
        }
    });
    let verdict = entered.policy().judge_size(u64::try_from(len).unwrap_or(u64::MAX));
    match (verdict.ruling(), verdict.deciding()) {
        (Ruling::Deny, reason) => Err(Refusal::new(reason.unwrap_or(Reason::PayloadTooLarge))),
        (Ruling::Allow | Ruling::WouldDeny | Ruling::Ask, None) => Ok(()),
        (Ruling::Allow | Ruling::WouldDeny | Ruling::Ask, Some(reason)) => {
            entered.trail().with(|facts| facts.found(reason));
            Ok(())
        }
    }
}

/// Arguments that cannot be measured are refused whatever the policy says.
fn malformed(error: CanonicalError) -> Reason {
    if matches!(error, CanonicalError::TooLong) {
        Reason::PayloadTooLarge
    } else {
        Reason::MalformedArguments
    }
}

/// Between two looks at the time limit of a call that waits for somebody's decision.
const LOOKS: Duration = Duration::from_millis(50);

/// A time limit that denies. One that does not is only noted, by `record`.
#[derive(Debug)]
struct TimeLimit {
    deadline: Deadline,
    watch: TrailWatch,
    clock: Arc<dyn Clock>,
}

impl TimeLimit {
    fn of<X>(identified: &Identified<X>) -> Option<Self> {
        let entered = identified.entered();
        let allowed = entered.policy().max_duration()?;
        if entered.policy().effect(Reason::DurationTooLong) != Effect::Deny {
            return None;
        }
        Some(Self {
            deadline: Deadline::new(entered.entered(), allowed),
            watch: entered.trail().watch(),
            clock: Arc::clone(&entered.shared().clock),
        })
    }

    fn timer(&self) -> Option<Sleep> {
        Some(tokio::time::sleep_until(self.deadline.at()?.into()))
    }

    /// When the time is up as it looks now: what a call waits for somebody's decision does not count.
    fn ends(&self) -> Option<Instant> {
        let waited = self.watch.waited_by(self.clock.monotonic());
        self.deadline.after(waited).at().map(Instant::from)
    }
}

pin_project! {
    /// The future of [`Limit`].
    #[derive(Debug)]
    pub struct LimitFuture<F> {
        #[pin]
        step: StepFuture<F>,
        #[pin]
        deadline: Option<Sleep>,
        limit: Option<TimeLimit>,
    }
}

impl<F, R, E> Future for LimitFuture<F>
where
    F: Future<Output = Result<R, E>>,
    E: From<Refusal>,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let too_long = || Poll::Ready(Err(Refusal::new(Reason::DurationTooLong).into()));
        // The deadline first: what has no time left does not begin.
        if let (Some(mut timer), Some(limit)) = (this.deadline.as_mut().as_pin_mut(), &this.limit) {
            while timer.as_mut().poll(cx).is_ready() {
                match limit.ends() {
                    // It has waited for somebody meanwhile, or waits still.
                    Some(ends) if ends > Instant::now() => {
                        timer.as_mut().reset(ends.max(Instant::now() + LOOKS));
                    }
                    Some(_) => return too_long(),
                    None => break,
                }
            }
        }
        let answer = ready!(this.step.poll(cx));
        // A handler that blocks its thread keeps the timer from firing; its reply is late all the
        // same.
        match this.limit.as_ref().and_then(TimeLimit::ends) {
            Some(ends) if ends < Instant::now() => too_long(),
            Some(_) | None => Poll::Ready(answer),
        }
    }
}
