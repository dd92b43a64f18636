use super::definition::Definition;
use super::snapshot::Snapshot;
use crate::call::Reason;
use std::pin::Pin;
use std::sync::Arc;

/// What a door sees of the tool that was asked for, at the moment of the call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Sight<'a> {
    /// The registry as it was when this session was wrapped, or before its first request about
    /// tools; `None` when it could not be seen.
    pub session: Option<&'a Arc<Snapshot>>,
    /// The registry as it is now.
    pub live: Live,
}

impl<'a> Sight<'a> {
    /// The session's registry, and what is to be seen of the tool now.
    pub fn new(session: Option<&'a Arc<Snapshot>>, live: Live) -> Self {
        Self { session, live }
    }
}

/// What the live registry says of the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the check must decide about every kind")]
pub enum Live {
    /// It has the tool with another definition, or has one that was not there.
    Changed,
    /// It has no such tool.
    Missing,
    /// The door owns the routes: what was frozen is what runs.
    Owned,
    /// It has the tool as it was frozen, handler included.
    Same,
    /// It has the tool with another handler.
    Swapped,
    /// It has the tool in its list, as far as is known; asked for the one tool it says nothing.
    Untold,
}

/// The door's part of a call that can say what it sees of the tool.
pub trait Sighted {
    /// What is to be seen of `tool` now.
    fn sight(&self, tool: &str) -> Sight<'_>;

    /// The first look at the registry, where none could be taken when the server was wrapped;
    /// `None` when it was taken.
    fn first_look(&self) -> Option<Look> {
        None
    }
}

/// A look at a registry that takes its time; `None` when there was nothing to see.
pub type Look = Pin<Box<dyn Future<Output = Option<Arc<Snapshot>>> + Send>>;

/// Whether tool `name`, as seen now, is the one that was frozen.
///
/// A session that was wrapped over another registry is refused whole, whatever the tool; in one
/// whose registry cannot be seen no tool is known.
///
/// # Errors
///
/// [`Reason::UnknownTool`], [`Reason::RegistryMutation`] or [`Reason::HandlerSwap`].
pub fn check<'a>(
    frozen: &'a Arc<Snapshot>,
    name: &str,
    sight: Sight<'_>,
) -> Result<&'a Arc<Definition>, Reason> {
    let session = sight.session.ok_or(Reason::UnknownTool)?;
    let is_first = Arc::ptr_eq(frozen, session);
    if !is_first && frozen.digest() != session.digest() {
        return Err(Reason::RegistryMutation);
    }
    let Some(tool) = frozen.get(name) else {
        return Err(match sight.live {
            Live::Changed | Live::Same | Live::Swapped => Reason::RegistryMutation,
            Live::Missing | Live::Owned | Live::Untold => Reason::UnknownTool,
        });
    };
    // A session that was wrapped after a swap has the other handler from its start.
    if !is_first && session.get(name).is_some_and(|taken| tool.is_swapped_in(taken)) {
        return Err(Reason::HandlerSwap);
    }
    match sight.live {
        Live::Owned | Live::Same | Live::Untold => Ok(tool),
        Live::Swapped => Err(Reason::HandlerSwap),
        Live::Changed => Err(Reason::RegistryMutation),
        // Taking a tool away is the server's right; calling it then is asking for no tool.
        Live::Missing => Err(Reason::UnknownTool),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn snapshot(names: &[&str]) -> Arc<Snapshot> {
        let tools = names.iter().map(|name| Definition::new(name, None, Digest::of(b"body")));
        Arc::new(Snapshot::new(tools))
    }

    #[test]
    fn every_sight_of_a_known_and_an_unknown_tool_has_its_verdict() {
        let frozen = snapshot(&["add"]);
        let table = [
            (Live::Owned, Ok(()), Reason::UnknownTool),
            (Live::Same, Ok(()), Reason::RegistryMutation),
            (Live::Changed, Err(Reason::RegistryMutation), Reason::RegistryMutation),
            (Live::Swapped, Err(Reason::HandlerSwap), Reason::RegistryMutation),
            (Live::Missing, Err(Reason::UnknownTool), Reason::UnknownTool),
            (Live::Untold, Ok(()), Reason::UnknownTool),
        ];
        for (live, known, unknown) in table {
            let sight = Sight::new(Some(&frozen), live);
            assert_eq!(check(&frozen, "add", sight).map(|_| ()), known, "{live:?}");
            assert_eq!(check(&frozen, "evil", sight).map(|_| ()), Err(unknown), "{live:?}");
        }
    }

    #[test]
    fn a_session_over_another_registry_is_refused_for_every_tool() {
        let frozen = snapshot(&["add"]);
        let other = snapshot(&["add", "evil"]);
        let equal = snapshot(&["add"]);
        let refused = check(&frozen, "add", Sight::new(Some(&other), Live::Owned)).map(|_| ());
        assert_eq!(refused, Err(Reason::RegistryMutation));
        assert!(check(&frozen, "add", Sight::new(Some(&equal), Live::Owned)).is_ok());
    }

    #[test]
    fn a_session_whose_registry_cannot_be_seen_knows_no_tool() {
        let frozen = snapshot(&["add"]);
        let refused = check(&frozen, "add", Sight::new(None, Live::Owned)).map(|_| ());
        assert_eq!(refused, Err(Reason::UnknownTool));
    }
}
