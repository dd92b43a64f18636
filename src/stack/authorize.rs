use super::future::StepFuture;
use super::step::step;
use super::verify::Intact;
use crate::call::{Reason, Refusal, Retry};
use crate::policy::{Asked, Evidence, LocalDisk, Places, Ruling, Verdict};
use std::task::{Context, Poll};
use std::time::Duration;
use tower::Service;

step! {
    /// Asks the policy: allow, refuse, or ask a human.
    ///
    /// All reasons are kept, in the order in which they were found; the first one that denies is
    /// the reason of the refusal. The circuit of the tool is asked last, and only for a call that
    /// nothing else refuses: one that is let through to try it takes a place.
    ///
    /// # Order
    ///
    /// After `verify`, whose tool it judges; before `approve`, which answers what it asks.
    stateless Authorize, AuthorizeLayer
}

/// A call that the policy did not deny.
#[derive(Debug)]
pub struct Judged<X> {
    intact: Intact<X>,
    verdict: Verdict,
}

impl<X> Judged<X> {
    /// The call with its frozen tool.
    pub fn intact(&self) -> &Intact<X> {
        &self.intact
    }

    /// What the policy said.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    pub(super) fn into_intact(self) -> Intact<X> {
        self.intact
    }
}

impl<S, X, E> Service<Intact<X>> for Authorize<S>
where
    S: Service<Judged<X>, Error = E>,
    E: From<Refusal>,
{
    type Response = S::Response;
    type Error = E;
    type Future = StepFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, intact: Intact<X>) -> Self::Future {
        let mut verdict = judge(&intact);
        let wait = circuit(&intact, &mut verdict);
        if verdict.ruling() == Ruling::Deny {
            // A denial always says why; one that did not would still be a denial.
            let found = verdict.decided_by().cloned().unwrap_or(Reason::LayerFailed.into());
            let refusal = Refusal::new(found);
            return StepFuture::refused(match wait {
                Some(wait) => refusal.with_retry(Retry::After(wait)),
                None => refusal,
            });
        }
        StepFuture::passed(self.inner.call(Judged { intact, verdict }))
    }
}

/// Says what the call does and holds it against the policy; both go into the record.
fn judge<X>(intact: &Intact<X>) -> Verdict {
    let entered = intact.identified().entered();
    let (tool, definition) = (intact.tool_ref(), intact.definition());
    let (policy, arguments) = (entered.policy(), entered.call().arguments.as_ref());
    let evidence =
        Evidence::new(tool, definition.hints, definition.hints_believed).with_arguments(arguments);
    let operation = policy.operation(&evidence);
    let noted = entered.trail().with(|facts| {
        facts.operation = Some(operation);
        facts.claimed.idempotency_key.is_some()
    });
    // Without a list not even the tool's schema is read.
    let places = if policy.checks_places() {
        policy.look(tool, definition.declared(), arguments, &LocalDisk)
    } else {
        Places::default()
    };
    let asked = Asked::new(tool, operation)
        .with_idempotency_key(noted == Some(true))
        .with_arguments(arguments)
        .with_places(&places);
    let verdict = policy.judge(&asked);
    if !verdict.reasons().is_empty() {
        entered.trail().with(|facts| {
            verdict.reasons().iter().for_each(|found| facts.found(found.clone()));
            facts.rules.extend_from_slice(verdict.rules());
            facts.egress_violation_at = places.egress_violation().map(Into::into);
            facts.fs_violation_at = places.fs_violation().map(Into::into);
        });
    }
    verdict
}

/// Asks the circuit of the tool: how long until another call may pass, where this one may not.
fn circuit<X>(intact: &Intact<X>, verdict: &mut Verdict) -> Option<Duration> {
    if verdict.ruling() == Ruling::Deny {
        return None;
    }
    let entered = intact.identified().entered();
    let wait = entered.shared().ask_circuit(entered.regime(), entered.trail())?;
    verdict.add(Reason::CircuitOpen, entered.policy().effect(Reason::CircuitOpen).into());
    entered.trail().with(|facts| facts.found(Reason::CircuitOpen));
    Some(wait)
}
