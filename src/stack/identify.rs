use super::future::StepFuture;
use super::presented;
use super::record::Entered;
use super::step::step;
use crate::call::Refusal;
use crate::identity::{Claimant, Principal, claims};
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::Service;

step! {
    /// Says who calls: the principal on whom the call is counted, apart from what the caller
    /// merely claims.
    ///
    /// # Security
    ///
    /// Everything that is counted or granted is keyed on the principal: the one that the program's
    /// own authentication put into the request
    /// ([`VerifiedPrincipal`](crate::identity::VerifiedPrincipal)), else the local user, else a
    /// bucket for all whom nobody verified. A claim is bounded, normalised, put into the record as
    /// claimed, and used for nothing else.
    ///
    /// The approval token is taken out of the call here, in all its spellings: nothing below finds it
    /// but in [`Call::approval`](crate::call::Call::approval), and the handler not even there.
    ///
    /// # Order
    ///
    /// Before every step that counts, and before the arguments are looked at.
    stateless Identify, IdentifyLayer
}

/// A call of which it is known on whom it is counted.
#[derive(Debug)]
pub struct Identified<X> {
    entered: Entered<X>,
    principal: Principal,
}

impl<X> Identified<X> {
    /// The call as it entered.
    pub fn entered(&self) -> &Entered<X> {
        &self.entered
    }

    /// On whom it is counted.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(super) fn into_entered(self) -> Entered<X> {
        self.entered
    }
}

impl<S, X, E> Service<Entered<X>> for Identify<S>
where
    S: Service<Identified<X>, Error = E>,
    E: From<Refusal>,
    X: Claimant,
{
    type Response = S::Response;
    type Error = E;
    type Future = StepFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut entered: Entered<X>) -> Self::Future {
        let (call, shared) = entered.call_mut();
        presented::take(call, shared.frozen.get());
        let door = &entered.call().door;
        let shared = entered.shared();
        let claimed = claims(door, shared.detail, shared.digest_key.as_ref());
        let principal = match door.verified() {
            Some(caller) => Principal::verified(caller),
            None => shared.principals.of(door.origin()).clone(),
        };
        entered.trail().with(|facts| {
            facts.claimed = claimed;
            facts.principal = Some(Arc::clone(principal.name()));
            facts.principal_verified = principal.is_verified();
        });
        StepFuture::passed(self.inner.call(Identified { entered, principal }))
    }
}
