use super::definition::Definition;
use super::snapshot::Snapshot;
use crate::call::Reason;
use std::sync::Arc;

/// What a door sees of the tool that was asked for, at the moment of the call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Sight<'a> {
    /// The registry as it was when this session was wrapped.
    pub session: &'a Arc<Snapshot>,
    /// The registry as it is now.
    pub live: Live,
}

impl<'a> Sight<'a> {
    /// The session's registry, and what is to be seen of the tool now.
    pub fn new(session: &'a Arc<Snapshot>, live: Live) -> Self {
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
}

/// The door's part of a call that can say what it sees of the tool.
pub trait Sighted {
    /// What is to be seen of `tool` now.
    fn sight(&self, tool: &str) -> Sight<'_>;
}

/// Whether tool `name`, as seen now, is the one that was frozen.
///
/// A session that was wrapped over another registry is refused whole, whatever the tool.
///
/// # Errors
///
/// [`Reason::UnknownTool`], [`Reason::RegistryMutation`] or [`Reason::HandlerSwap`].
pub fn check<'a>(
    frozen: &'a Arc<Snapshot>,
    name: &str,
    sight: Sight<'_>,
) -> Result<&'a Arc<Definition>, Reason> {
    if !Arc::ptr_eq(frozen, sight.session) && frozen.digest() != sight.session.digest() {
        return Err(Reason::RegistryMutation);
    }
    let Some(tool) = frozen.get(name) else {
        return Err(match sight.live {
            Live::Changed | Live::Same | Live::Swapped => Reason::RegistryMutation,
            Live::Missing | Live::Owned => Reason::UnknownTool,
        });
    };
    // A session that was wrapped after a swap has the other handler from its start.
    let is_first = Arc::ptr_eq(frozen, sight.session);
    if !is_first && sight.session.get(name).is_some_and(|taken| tool.is_swapped_in(taken)) {
        return Err(Reason::HandlerSwap);
    }
    match sight.live {
        Live::Owned | Live::Same => Ok(tool),
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
        ];
        for (live, known, unknown) in table {
            let sight = Sight::new(&frozen, live);
            assert_eq!(check(&frozen, "add", sight).map(|_| ()), known, "{live:?}");
            assert_eq!(check(&frozen, "evil", sight).map(|_| ()), Err(unknown), "{live:?}");
        }
    }

    #[test]
    fn a_session_over_another_registry_is_refused_for_every_tool() {
        let frozen = snapshot(&["add"]);
        let other = snapshot(&["add", "evil"]);
        let equal = snapshot(&["add"]);
        let refused = check(&frozen, "add", Sight::new(&other, Live::Owned)).map(|_| ());
        assert_eq!(refused, Err(Reason::RegistryMutation));
        assert!(check(&frozen, "add", Sight::new(&equal, Live::Owned)).is_ok());
    }
}
