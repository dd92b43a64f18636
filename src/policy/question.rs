use super::operation::Evidence;
use super::places::Places;

/// A call that a policy is asked about before anybody makes it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Question<'a> {
    /// The tool, and what there is to tell by what it does.
    pub evidence: Evidence<'a>,
    /// The size of the arguments as canonical JSON; `None` where there are none.
    pub argument_bytes: Option<u64>,
    /// Whether the caller sends an idempotency key.
    pub has_idempotency_key: bool,
    /// Whether the server has the tool; `None` where nobody has looked.
    pub listed: Option<bool>,
    /// Where the arguments lead, by [`Policy::look`](super::Policy::look); `None` where nobody has
    /// looked.
    pub places: Option<&'a Places>,
}

impl<'a> Question<'a> {
    /// A call without arguments and without an idempotency key, of a server that nobody has asked
    /// for its tools.
    pub fn new(evidence: Evidence<'a>) -> Self {
        Self {
            evidence,
            argument_bytes: None,
            has_idempotency_key: false,
            listed: None,
            places: None,
        }
    }

    /// The same call with so many bytes of arguments.
    #[must_use]
    pub fn with_argument_bytes(mut self, bytes: Option<u64>) -> Self {
        self.argument_bytes = bytes;
        self
    }

    /// The same call with an idempotency key, or without one.
    #[must_use]
    pub fn with_idempotency_key(mut self, has_key: bool) -> Self {
        self.has_idempotency_key = has_key;
        self
    }

    /// The same call with arguments that lead there.
    #[must_use]
    pub fn with_places(mut self, places: &'a Places) -> Self {
        self.places = Some(places);
        self
    }

    /// The same call of a server that has the tool, or has it not.
    #[must_use]
    pub fn with_listed(mut self, listed: Option<bool>) -> Self {
        self.listed = listed;
        self
    }
}
