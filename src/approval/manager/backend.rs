use super::answer::{BackendAnswer, Created, Details, Resolve};
use super::create::Create;

/// Opens escalations in another system.
///
/// # Errors
///
/// What it fails with is shown to operators: no secret may be in it.
pub trait EscalationReporter: Send + Sync {
    /// Opens an escalation; `None` where this reporter has nobody to ask.
    ///
    /// # Cancel safety
    ///
    /// It is dropped when it takes too long. What is on its way by then may still be opened.
    fn create(&self, input: Create) -> BackendAnswer<'_, Option<Created>>;
}

/// Reads escalations of another system, and decides on them.
///
/// # Errors
///
/// What it fails with is shown to operators: no secret may be in it.
pub trait EscalationResolver: Send + Sync {
    /// The escalation as it stands; `None` where there is none, or it belongs to another tenant.
    fn get<'a>(
        &'a self,
        id: &'a str,
        tenant: Option<&'a str>,
    ) -> BackendAnswer<'a, Option<Details>>;

    /// Decides. Without this method it can only be read.
    fn resolve(&self, decision: Resolve) -> Option<BackendAnswer<'_, Option<Details>>> {
        drop(decision);
        None
    }

    /// Ends when the escalation may be another one than `seen`: who waits then reads it at once.
    /// `None` where the backend tells nobody of changes; then it is read again and again.
    ///
    /// # Cancel safety
    ///
    /// Dropping it stops the waiting.
    fn changed<'a>(&'a self, seen: &'a Details) -> Option<BackendAnswer<'a, ()>> {
        let _: &Details = seen;
        None
    }
}
