use super::approvals::Approvals;
use super::authorize::Judged;
use super::connected::Granted;
use super::exact::exactly;
use super::future::StepFuture;
use super::report::Report;
use super::rounds::keep_round;
use super::seek::Seek;
use super::step::step;
use super::terms::terms;
use super::verify::still_intact;
use crate::approval::{Binding, Connected, EscalationId, Presentation, RoundId, Unspendable};
use crate::call::{
    AsksBack, Decision, Found, Reason, Refusal, Reply, Retry, Severity, Trail, TrailWatch,
};
use crate::clock::Clock;
use crate::policy::Ruling;
use crate::registry::Sighted;
use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Service;

step! {
    /// Turns an allowed call into a permitted one, and a call for which the policy asks, if somebody
    /// approves it.
    ///
    /// A call that is asked about is refused with the id of its escalation, or held until somebody
    /// decides, as long as the policy says; it may come again and present its grant. An approval is
    /// for exactly one call: this tool, these arguments, this caller, this policy. What permits the
    /// call is worked out anew from the signed votes when the grant is spent.
    ///
    /// A call that waits here, for a decision or for room in a concurrency limit, stops waiting when
    /// its caller gives up. Its time limit does not run while it waits for a decision.
    ///
    /// # Security
    ///
    /// Where the store of approvals cannot be asked, the call is refused. A grant is spent before the
    /// call runs: one whose record then cannot be reserved has to be asked about again.
    ///
    /// # Order
    ///
    /// After `authorize`, which asks; above every concurrency limit, so that a call that waits for a
    /// human holds nothing that others need.
    stateless Approve, ApproveLayer
}

/// A call that may run.
#[derive(Debug)]
pub struct Permitted<X> {
    judged: Judged<X>,
}

impl<X> Permitted<X> {
    /// The call with the policy's verdict.
    pub fn judged(&self) -> &Judged<X> {
        &self.judged
    }

    pub(super) fn into_judged(self) -> Judged<X> {
        self.judged
    }
}

impl<S, X, E> Service<Judged<X>> for Approve<S>
where
    S: Service<Permitted<X>, Error = E> + Clone,
    E: From<Refusal>,
    X: Connected + Sighted,
    S::Response: Reply,
{
    type Response = S::Response;
    type Error = E;
    type Future = StepFuture<ApproveFuture<S, X>>;

    /// Always ready: what is not ready below, such as a full concurrency limit, waits inside the
    /// future, so that it keeps no other call from being judged.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, judged: Judged<X>) -> Self::Future {
        let seeking = match judged.verdict().ruling() {
            Ruling::Allow | Ruling::WouldDeny => None,
            Ruling::Ask => match seek(&judged) {
                Ok(seek) => {
                    let keeps = Keeps::of(&seek, judged.intact().identified().entered().trail());
                    let seeking: Seeking = Box::pin(seek.run());
                    Some((seeking, keeps))
                }
                Err(refusal) => return StepFuture::refused(refusal),
            },
            // `authorize` refuses these. If it ever did not, this would.
            Ruling::Deny => return StepFuture::refused(Refusal::new(required(&judged))),
        };
        StepFuture::passed(ApproveFuture::new(self.inner.clone(), judged, seeking))
    }
}

type Seeking = Pin<Box<dyn Future<Output = Result<Granted, Refusal>> + Send>>;

type Keeping = Pin<Box<dyn Future<Output = Option<RoundId>> + Send>>;

/// What it takes to keep what the tool of an approved call asks the client.
struct Keeps {
    approvals: Arc<Approvals>,
    presentation: Arc<Presentation>,
    clock: Arc<dyn Clock>,
    watch: TrailWatch,
}

impl Keeps {
    fn of(seek: &Seek, trail: &Trail) -> Self {
        Self {
            approvals: Arc::clone(&seek.approvals),
            presentation: Arc::clone(&seek.presentation),
            clock: Arc::clone(&seek.shared.clock),
            watch: trail.watch(),
        }
    }

    fn keep(&self, granted: Granted, state: Option<Box<str>>) -> Keeping {
        let parts = (Arc::clone(&self.approvals), Arc::clone(&self.presentation));
        Box::pin(keep_round(parts, granted, state, self.clock.wall()))
    }
}

/// What the caller is told of a call that nobody has decided on, with the rule that asks.
fn required<X>(judged: &Judged<X>) -> Found {
    let required = Found::from(Reason::ApprovalRequired);
    let asking = judged.verdict().decided_by().and_then(Found::rule);
    asking.map_or(required.clone(), |rule| required.by(rule))
}

/// What it takes to get an approval for this call.
fn seek<X: Connected>(judged: &Judged<X>) -> Result<Seek, Refusal> {
    let entered = judged.intact().identified().entered();
    let (call, shared) = (entered.call(), entered.shared());
    let unavailable = || Refusal::new(Reason::ApprovalUnavailable).with_retry(Retry::Soon);
    let approvals = shared.approvals.as_ref().ok_or_else(unavailable)?;
    let (policy, tool) = (entered.policy(), judged.intact().tool_ref());
    let verdict = judged.verdict();
    // Of all that was found: what is grave stays so, whatever was found besides.
    let severity = severity(verdict.reasons());
    let presentation = Presentation {
        binding: binding(judged).ok_or_else(unavailable)?,
        terms: terms(policy, tool),
        severity,
    };
    let token = call.approval.as_ref().map(|token| {
        let id = token.text().map(str::parse::<EscalationId>);
        id.and_then(Result::ok).ok_or(Unspendable::Unknown)
    });
    Ok(Seek {
        shared: Arc::clone(shared),
        approvals: Arc::clone(approvals),
        presentation: Arc::new(presentation),
        arguments: call.arguments.clone(),
        reasons: verdict.reasons().iter().map(|found| found.as_str().into()).collect(),
        rules: verdict.rules().iter().map(|rule| rule.id.clone()).collect(),
        required: required(judged),
        token,
        wait: policy
            .terms(tool)
            .filter(|_| call.door.may_wait())
            .map_or(Duration::ZERO, |terms| terms.wait),
        cancel: call.cancel.clone(),
        watch: entered.trail().watch(),
        caller: call.door.caller(),
        user: policy.terms(tool).and_then(|terms| terms.connected_user.clone()),
        reach: call.door.user(),
        round: call.door.round().cloned(),
        report: shared.reporting.as_ref().map(|to| Report::about(to, judged, severity)),
    })
}

fn severity(found: &[Found]) -> Severity {
    found.iter().map(|found| found.reason().severity()).max().unwrap_or(Severity::High)
}

/// The call that an approval is for; `None` where the record is closed already, or the arguments
/// cannot be measured.
fn binding<X>(judged: &Judged<X>) -> Option<Binding> {
    let intact = judged.intact();
    let entered = intact.identified().entered();
    let (call, definition) = (entered.call(), intact.definition());
    let arguments = exactly(entered)?;
    Some(Binding {
        tenant: entered.policy().tenant().into(),
        server: call.server.name().into(),
        tool: intact.tool_ref().at_version().to_string().into(),
        definition: definition.digest,
        arguments,
        principal: (&**intact.identified().principal().name()).into(),
        policy: entered.policy().digest(),
    })
}

pin_project! {
    /// The future of [`Approve`]: waits for an approval where one is asked for, then until what lies
    /// below takes the call, unless the caller gives up first; then it is the future of what lies
    /// below. What the tool of an approved call asks the client is kept before it is answered.
    pub struct ApproveFuture<S, X>
    where
        S: Service<Permitted<X>>,
    {
        below: S,
        seeking: Option<Seeking>,
        // There where the call is asked about.
        keeps: Option<Keeps>,
        granted: Option<Granted>,
        // Taken when the call goes on.
        waiting: Option<Judged<X>>,
        // Made when there is something to wait for.
        given_up: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
        #[pin]
        running: Option<S::Future>,
        keeping: Option<(Keeping, Option<S::Response>)>,
    }
}

impl<S: Service<Permitted<X>>, X> ApproveFuture<S, X> {
    fn new(below: S, judged: Judged<X>, asked: Option<(Seeking, Keeps)>) -> Self {
        let (seeking, keeps) = asked.unzip();
        Self {
            below,
            seeking,
            keeps,
            granted: None,
            waiting: Some(judged),
            given_up: None,
            running: None,
            keeping: None,
        }
    }
}

impl<S: Service<Permitted<X>>, X> fmt::Debug for ApproveFuture<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApproveFuture").finish_non_exhaustive()
    }
}

impl<S, X, E> Future for ApproveFuture<S, X>
where
    S: Service<Permitted<X>, Error = E>,
    S::Response: Reply,
    E: From<Refusal>,
    X: Connected + Sighted,
{
    type Output = Result<S::Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(seeking) = this.seeking {
            match ready!(seeking.as_mut().poll(cx)) {
                Ok(granted) => *this.granted = Some(granted),
                Err(refusal) => return Poll::Ready(Err(refusal.into())),
            }
            *this.seeking = None;
        }
        if let Some(judged) = this.waiting.take() {
            match this.below.poll_ready(cx) {
                Poll::Ready(Ok(())) => match permit(judged, this.granted.as_mut()) {
                    Ok(permitted) => this.running.set(Some(this.below.call(permitted))),
                    Err(refusal) => return Poll::Ready(Err(refusal.into())),
                },
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(fault)),
                Poll::Pending => {
                    let cancel = &judged.intact().identified().entered().call().cancel;
                    let given_up = this
                        .given_up
                        .get_or_insert_with(|| Box::pin(cancel.clone().cancelled_owned()));
                    if given_up.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Err(Refusal::new(Reason::Cancelled).into()));
                    }
                    *this.waiting = Some(judged);
                    return Poll::Pending;
                }
            }
        }
        if this.keeping.is_none() {
            let Some(running) = this.running.as_mut().as_pin_mut() else { return Poll::Pending };
            let reply = ready!(running.poll(cx))?;
            let Some((keeps, granted)) = this.keeps.as_ref().zip(this.granted.take()) else {
                return Poll::Ready(Ok(reply));
            };
            let Some(AsksBack { state }) = reply.asks_back() else {
                return Poll::Ready(Ok(reply));
            };
            let keeping = keeps.keep(granted, state.map(Into::into));
            *this.keeping = Some((keeping, Some(reply)));
        }
        let Some((keeping, reply)) = this.keeping else { return Poll::Pending };
        if let (Some(round), Some(keeps)) = (ready!(keeping.as_mut().poll(cx)), &*this.keeps) {
            keeps.watch.next_round(round.to_string().into());
        }
        reply.take().map_or(Poll::Pending, |reply| Poll::Ready(Ok(reply)))
    }
}

/// The call may run. One that has waited is held against the registry once more: the tool that was
/// approved is the one that runs.
fn permit<X: Connected + Sighted>(
    judged: Judged<X>,
    granted: Option<&mut Granted>,
) -> Result<Permitted<X>, Refusal> {
    let entered = judged.intact().identified().entered();
    let was_asked = granted.is_some();
    if let Some(granted) = granted {
        still_intact(judged.intact()).map_err(Refusal::new)?;
        if let Some(state) = granted.restored.take() {
            entered.call().door.restore(state);
        }
    }
    entered.trail().with(|facts| {
        let asked = judged.verdict();
        if was_asked && !asked.has_noted() && facts.reasons.len() == asked.reasons().len() {
            // All that was found is what somebody has approved.
            facts.decision = Decision::Allow;
        } else {
            facts.permit();
        }
    });
    Ok(Permitted { judged })
}
