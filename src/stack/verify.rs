use super::future::StepFuture;
use super::identify::Identified;
use super::step::step;
use crate::call::{Reason, Refusal, ToolRef};
use crate::registry::{Definition, Sighted, check};
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::Service;

step! {
    /// Holds the tool against the frozen registry: unknown, changed and swapped tools end here,
    /// before policy and approval, in observe as in enforce.
    ///
    /// The cost does not depend on the number of tools: what a session registered is compared as
    /// one digest, made when the session was wrapped.
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
    S: Service<Intact<X>, Error = E>,
    E: From<Refusal>,
    X: Sighted,
{
    type Response = S::Response;
    type Error = E;
    type Future = StepFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, identified: Identified<X>) -> Self::Future {
        match verify(&identified) {
            Ok(definition) => {
                StepFuture::passed(self.inner.call(Intact { identified, definition }))
            }
            Err(reason) => StepFuture::refused(Refusal::new(reason)),
        }
    }
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
    found.cloned()
}
