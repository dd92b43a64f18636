/// What kind of work a call asks for: it names the span of the call, `tools/call add`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// A request that came to a server, under this method of MCP.
    Served(&'static str),
    /// Work within this program, such as a hop, under this name of an operation.
    Inner(&'static str),
}

impl Work {
    /// The method or operation.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Served(operation) | Self::Inner(operation) => operation,
        }
    }

    /// True for a request that came to a server.
    pub fn is_served(self) -> bool {
        matches!(self, Self::Served(_))
    }
}

impl Default for Work {
    fn default() -> Self {
        Self::Served("tools/call")
    }
}
