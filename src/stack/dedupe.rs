use super::authorize::Judged;
use super::exact::{NO_ARGUMENTS, exactly};
use super::future::StepFuture;
use super::step::step;
use crate::call::{
    Dedupe as Became, Facts, Lasting, Reason, Refusal, Reply, Retry, ToolVersion, TrailWatch,
};
use crate::clock::Clock;
use crate::dedupe::{Answer, Asked, Begun, DedupeStore, Ending, Scope, StoreError, Ticket};
use crate::digest::Fingerprint;
use crate::identity::{Claimant, sent_idempotency_key};
use crate::limit::Deadline;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tower::Service;

/// How long the store may take for one answer.
const ANSWERED: Duration = Duration::from_secs(5);

/// After how long a caller that was told to come again does best to come.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Between two looks at a key whose call still runs: at first, and at most.
const LOOKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

step! {
    /// Gives a repeated call the stored result of the first: calls that have side effects and an
    /// idempotency key. All others pass untouched.
    ///
    /// # Security
    ///
    /// A key belongs to tenant, principal, server and tool in its version: nobody gets the result
    /// of another's call. Where the store cannot be asked, the call is refused.
    ///
    /// # Order
    ///
    /// After `authorize`: a repeat is judged by today's policy before it gets anything. Before
    /// `approve`: a replay spends no grant, and before `reserve`: it leaves no intent.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the handler has started, the key is free again. Dropped later, nobody knows
    /// how far the handler came: the key stays taken until an operator releases it.
    stateless Dedupe, DedupeLayer
}

impl<S, X, R, E> Service<Judged<X>> for Dedupe<S>
where
    S: Service<Judged<X>, Response = R, Error = E> + Clone,
    E: From<Refusal>,
    R: Reply,
    X: Claimant,
{
    type Response = R;
    type Error = E;
    type Future = StepFuture<DedupeFuture<S, X, R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, judged: Judged<X>) -> Self::Future {
        let state = match question(&judged) {
            None => State::Running { below: self.inner.call(judged), held: None },
            Some(question) => {
                // The one that is ready goes with the call.
                let next = self.inner.clone();
                let below = std::mem::replace(&mut self.inner, next);
                State::Asking { question, waiting: Some((below, judged)) }
            }
        };
        StepFuture::passed(DedupeFuture { state })
    }
}

/// The key of this call, put to the store; `None` where the call has none or no side effect.
fn question<X: Claimant>(judged: &Judged<X>) -> Option<Question> {
    let identified = judged.intact().identified();
    let entered = identified.entered();
    let (call, shared) = (entered.call(), entered.shared());
    let keeping = shared.dedupe.as_ref()?;
    let recorded = entered.trail().with(noted)??;
    let sent = sent_idempotency_key(&call.door)?;
    let definition = judged.intact().definition();
    let scope = Scope {
        tenant: entered.policy().tenant(),
        principal: identified.principal().name(),
        server: call.server.name(),
        tool: &definition.name,
        version: definition.version.as_ref().map(ToolVersion::as_str),
        key: &sent,
    };
    let (Fingerprint::Sha256(arguments) | Fingerprint::Hmac(arguments)) =
        exactly(entered).unwrap_or(NO_ARGUMENTS);
    let asked = Arc::new(Asked::new(&scope, &recorded, arguments));
    // Until when it may wait: never longer than the call.
    let deadline = entered.policy().max_duration();
    let deadline = deadline.and_then(|most| Deadline::new(entered.entered(), most).at());
    let now = shared.clock.monotonic();
    let left = deadline.map(|at| at.saturating_duration_since(now));
    let wait = left.map_or(keeping.wait, |left| left.min(keeping.wait));
    let (store, clock) = (Arc::clone(&keeping.store), Arc::clone(&shared.clock));
    let cancel = call.cancel.clone();
    Some(Box::pin(async move {
        let asking = ask(&*store, &asked, &*clock, wait);
        match cancel.run_until_cancelled(asking).await {
            Some(begun) => begun,
            None => Err(Refusal::new(Reason::Cancelled)),
        }
    }))
}

/// The key as it is recorded, of a call with side effects.
fn noted(facts: &mut Facts) -> Option<Box<str>> {
    let key = facts.claimed.idempotency_key.clone()?;
    let has_effect = facts.operation.is_some_and(|operation| operation.side_effect);
    has_effect.then_some(key)
}

type Question = Pin<Box<dyn Future<Output = Result<Begun, Refusal>> + Send>>;

/// Asks until the key is not held by a running call any more, or the time is up.
async fn ask(
    store: &dyn DedupeStore,
    asked: &Arc<Asked>,
    clock: &dyn Clock,
    wait: Duration,
) -> Result<Begun, Refusal> {
    let started = Instant::now();
    let mut pause = LOOKS.0;
    loop {
        let told = answered(store.begin(asked, clock.wall())).await;
        let told = told.map_err(|error| {
            tracing::error!(%error, "an idempotency key could not be looked up; the call is refused");
            Refusal::new(Reason::IdempotencyUnavailable).with_retry(Retry::Soon)
        })?;
        if !matches!(told, Begun::Running) {
            return Ok(told);
        }
        let left = wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            let retry = Retry::After(COME_AGAIN);
            return Err(Refusal::new(Reason::IdempotencyInProgress).with_retry(retry));
        }
        sleep(pause.min(left)).await;
        pause = pause.saturating_mul(2).min(LOOKS.1);
    }
}

async fn answered<T>(answer: Answer<T>) -> Result<T, StoreError> {
    timeout(ANSWERED, answer).await.unwrap_or(Err(StoreError::Slow))
}

/// The key that this call holds. Whatever happens to the call, the store hears of it.
#[derive(Debug)]
struct Held {
    ticket: Option<Ticket>,
    watch: TrailWatch,
    clock: Arc<dyn Clock>,
}

impl Held {
    fn end(&mut self, ending: Ending) -> Option<Answer<()>> {
        Some(self.ticket.take()?.end(ending, self.clock.wall()))
    }

    /// The call ended without a reply: what may have begun is not known to have ended.
    fn end_without_reply(&mut self) {
        let ending = if self.watch.has_started() { Ending::Unknown } else { Ending::Freed };
        // It is on its way; nobody waits for it.
        drop(self.end(ending));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end_without_reply();
    }
}

pin_project! {
    /// The future of [`Dedupe`].
    pub struct DedupeFuture<S, X, R>
    where
        S: Service<Judged<X>>,
    {
        #[pin]
        state: State<S, X, R>,
    }
}

type Storing = Pin<Box<dyn Future<Output = ()> + Send>>;

pin_project! {
    #[project = StateProj]
    enum State<S, X, R>
    where
        S: Service<Judged<X>>,
    {
        Asking { question: Question, waiting: Option<(S, Judged<X>)> },
        // `below` first: what it notes while it is dropped, the key's end goes by.
        Running { #[pin] below: S::Future, held: Option<Held> },
        Storing { storing: Storing, reply: Option<R> },
    }
}

impl<S: Service<Judged<X>>, X, R> fmt::Debug for DedupeFuture<S, X, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DedupeFuture").finish_non_exhaustive()
    }
}

impl<S, X, R, E> Future for DedupeFuture<S, X, R>
where
    S: Service<Judged<X>, Response = R, Error = E>,
    E: From<Refusal>,
    R: Reply,
{
    type Output = Result<R, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Asking { question, waiting } => {
                    let begun = ready!(question.as_mut().poll(cx));
                    let Some((mut below, judged)) = waiting.take() else { return Poll::Pending };
                    match begun.and_then(|begun| first(begun, &judged)) {
                        Err(refusal) => return Poll::Ready(Err(refusal.into())),
                        Ok(Turn::Replay(reply)) => return Poll::Ready(Ok(reply)),
                        Ok(Turn::First(held)) => {
                            State::Running { below: below.call(judged), held: Some(held) }
                        }
                    }
                }
                StateProj::Running { below, held } => {
                    let answer = ready!(below.poll(cx));
                    let Some(held) = held else { return Poll::Ready(answer) };
                    match answer {
                        Ok(reply) => match stored(&reply, held) {
                            Some(storing) => State::Storing { storing, reply: Some(reply) },
                            None => return Poll::Ready(Ok(reply)),
                        },
                        Err(fault) => {
                            held.end_without_reply();
                            return Poll::Ready(Err(fault));
                        }
                    }
                }
                StateProj::Storing { storing, reply } => {
                    ready!(storing.as_mut().poll(cx));
                    return reply.take().map_or(Poll::Pending, |reply| Poll::Ready(Ok(reply)));
                }
            };
            state.set(next);
        }
    }
}

/// What a call does whose key was looked up.
enum Turn<R> {
    First(Held),
    Replay(R),
}

fn first<X, R: Reply>(begun: Begun, judged: &Judged<X>) -> Result<Turn<R>, Refusal> {
    let entered = judged.intact().identified().entered();
    let refuse = |reason| Err(Refusal::new(reason));
    match begun {
        Begun::First(ticket) => {
            let clock = Arc::clone(&entered.shared().clock);
            let held = Held { ticket: Some(ticket), watch: entered.trail().watch(), clock };
            entered.trail().with(|facts| facts.dedupe = Some(Became::First));
            Ok(Turn::First(held))
        }
        Begun::Stored(bytes) => {
            let Some(reply) = R::from_lasting(&bytes) else {
                tracing::error!("a stored result could not be read; the repeat is refused");
                return refuse(Reason::IdempotencyNotKept);
            };
            entered.trail().with(|facts| {
                facts.dedupe = Some(Became::Replay);
                // `approve` does it for calls that run.
                facts.permit();
            });
            Ok(Turn::Replay(reply))
        }
        Begun::OtherArguments => refuse(Reason::IdempotencyConflict),
        Begun::Running => refuse(Reason::IdempotencyInProgress),
        Begun::NotKept => refuse(Reason::IdempotencyNotKept),
        Begun::Unknown => refuse(Reason::IdempotencyUnknown),
    }
}

/// Says what became of a call that replied; what there is to wait for is the result's being stored.
///
/// The tool has run whatever becomes of that: its caller gets the reply, and a repeat is refused.
fn stored<R: Reply>(reply: &R, held: &mut Held) -> Option<Storing> {
    let lasting = if reply.failed() { Lasting::Open } else { reply.lasting() };
    let ending = match lasting {
        Lasting::Final(bytes) => Ending::Done(Some(bytes)),
        Lasting::Open => Ending::Freed,
        Lasting::Unfit => Ending::Done(None),
    };
    let waits = matches!(ending, Ending::Done(_));
    let answer = held.end(ending).filter(|_| waits)?;
    Some(Box::pin(async move {
        if let Err(error) = answered(answer).await {
            tracing::error!(%error, "the result of a call with an idempotency key was not stored; a repeat is refused");
        }
    }))
}
