use super::future::StepFuture;
use super::identify::Identified;
use super::record::Entered;
use super::step::step;
use crate::call::{Reason, Refusal, ToolRef};
use crate::policy::Effect;
use crate::registry::{Definition, Look, Sighted, check};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, mem};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tower::Service;

step! {
    /// Holds the tool against the frozen registry: unknown, changed and swapped tools end here,
    /// before policy and approval, in observe as in enforce.
    ///
    /// The cost does not depend on the number of tools: what a session registered is compared as
    /// one digest, made when the session was wrapped. A server whose tools could not be seen then is
    /// asked for them here, before its first call: the one thing for which this step waits.
    ///
    /// A server that is not the one in its lock file is found out when its tools are frozen; here
    /// the calls that it concerns are refused, or it is noted, by the policy.
    ///
    /// # Order
    ///
    /// Before the policy: what the policy names must be what runs.
    stateless Verify, VerifyLayer
}

/// A call of a tool that is the one that was frozen.
#[derive(Debug)]
pub struct Intact<X> {
    identified: Identified<X>,
    definition: Arc<Definition>,
}

impl<X> Intact<X> {
    /// The call with its principal.
    pub fn identified(&self) -> &Identified<X> {
        &self.identified
    }

    /// The frozen tool.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// The tool as policies name it.
    pub fn tool_ref(&self) -> ToolRef<'_> {
        let call = self.identified.entered().call();
        ToolRef::new(call.server.name(), &self.definition.name, self.definition.version.as_ref())
    }

    pub(super) fn into_identified(self) -> Identified<X> {
        self.identified
    }
}

impl<S, X, E> Service<Identified<X>> for Verify<S>
where
    S: Service<Intact<X>, Error = E> + Clone,
    E: From<Refusal>,
    X: Sighted,
{
    type Response = S::Response;
    type Error = E;
    type Future = VerifyFuture<S, X>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, identified: Identified<X>) -> Self::Future {
        let call = identified.entered().call();
        let Some(look) = call.door.first_look() else {
            return VerifyFuture { state: State::Step { step: pass(&mut self.inner, identified) } };
        };
        let given_up = Box::pin(call.cancel.clone().cancelled_owned());
        // The clone is not ready; what was made ready goes with the call.
        let clone = self.inner.clone();
        let below = mem::replace(&mut self.inner, clone);
        VerifyFuture { state: State::Looking { look, given_up, held: Some((below, identified)) } }
    }
}

fn pass<S, X>(below: &mut S, identified: Identified<X>) -> StepFuture<S::Future>
where
    S: Service<Intact<X>>,
    X: Sighted,
{
    match verify(&identified) {
        Ok(definition) => StepFuture::passed(below.call(Intact { identified, definition })),
        Err(reason) => StepFuture::refused(Refusal::new(reason)),
    }
}

pin_project! {
    /// The future of [`Verify`]: where the registry could not be seen when the server was wrapped,
    /// it is seen first, unless the caller gives up.
    pub struct VerifyFuture<S, X>
    where
        S: Service<Intact<X>>,
    {
        #[pin]
        state: State<S, X>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, X>
    where
        S: Service<Intact<X>>,
    {
        Step { #[pin] step: StepFuture<S::Future> },
        Looking {
            look: Look,
            given_up: Pin<Box<WaitForCancellationFutureOwned>>,
            held: Option<(S, Identified<X>)>,
        },
    }
}

impl<S: Service<Intact<X>>, X> fmt::Debug for VerifyFuture<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyFuture").finish_non_exhaustive()
    }
}

impl<S, X, E> Future for VerifyFuture<S, X>
where
    S: Service<Intact<X>, Error = E>,
    E: From<Refusal>,
    X: Sighted,
{
    type Output = Result<S::Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let StateProj::Looking { look, given_up, held } = state.as_mut().project() {
            let step = match look.as_mut().poll(cx) {
                Poll::Ready(seen) => {
                    let Some((mut below, identified)) = held.take() else { return Poll::Pending };
                    if let Some(seen) = seen {
                        identified.entered().shared().frozen.get_or_init(|| seen);
                    }
                    pass(&mut below, identified)
                }
                Poll::Pending if given_up.as_mut().poll(cx).is_ready() => {
                    StepFuture::refused(Refusal::new(Reason::Cancelled))
                }
                Poll::Pending => return Poll::Pending,
            };
            state.set(State::Step { step });
        }
        match state.project() {
            StateProj::Step { step } => step.poll(cx),
            StateProj::Looking { .. } => Poll::Pending,
        }
    }
}

/// Whether the tool is still the one that was frozen, for a call that has waited since it was
/// verified.
pub(super) fn still_intact<X: Sighted>(intact: &Intact<X>) -> Result<(), Reason> {
    verify(&intact.identified).map(|_definition| ())
}

fn verify<X: Sighted>(identified: &Identified<X>) -> Result<Arc<Definition>, Reason> {
    let entered = identified.entered();
    let call = entered.call();
    // A door that never froze its registry has no tool that could be called.
    let frozen = entered.shared().frozen.get().ok_or(Reason::UnknownTool)?;
    let name = call.tool.as_str();
    let found = check(frozen, name, call.door.sight(name));
    entered.trail().with(|facts| {
        facts.registry_sha256 = Some(*frozen.digest().as_bytes());
        // Refused or not, the record has the version of the tool that was frozen.
        let known = found.ok().or_else(|| frozen.get(name));
        facts.version = known.and_then(|definition| definition.version.clone());
    });
    let found = found?;
    match lapsed(entered) {
        Some(reason) => Err(reason),
        None => Ok(Arc::clone(found)),
    }
}

/// What a server that is not the one in its lock file comes to for this call: everything is noted,
/// and the first reason that refuses is the answer.
fn lapsed<X>(entered: &Entered<X>) -> Option<Reason> {
    let finding = entered.shared().finding(&entered.call().server)?;
    let mut refused = None;
    for reason in finding.reasons(entered.call().tool.as_str()) {
        entered.trail().with(|facts| facts.found(reason));
        let denies = finding.refused.is_some() || entered.policy().effect(reason) == Effect::Deny;
        refused = refused.or(denies.then_some(reason));
    }
    refused
}
