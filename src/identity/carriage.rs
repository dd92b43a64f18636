/// How a request came, as telemetry says it. None of it is evidence, and none of it is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Carriage {
    /// `jsonrpc.request.id`.
    pub request_id: Option<Box<str>>,
    /// `mcp.session.id`.
    pub session_id: Option<Box<str>>,
    /// `mcp.protocol.version`.
    pub protocol_version: Option<Box<str>>,
    /// `network.transport`: `pipe` or `tcp`.
    pub transport: Option<&'static str>,
}

impl Carriage {
    /// The most bytes of each text that a client chooses.
    pub const MAX_LEN: usize = 128;

    /// The text, where it is printable ASCII and not longer than [`MAX_LEN`](Self::MAX_LEN).
    pub fn text(text: &str) -> Option<Box<str>> {
        let is_fit =
            text.len() <= Self::MAX_LEN && text.bytes().all(|byte| byte.is_ascii_graphic());
        (is_fit && !text.is_empty()).then(|| text.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_chooses_is_short_and_printable_or_not_told() {
        assert_eq!(Carriage::text("a-1").as_deref(), Some("a-1"));
        for text in ["", "a b", "\n", "\u{e9}", &"a".repeat(129)] {
            assert_eq!(Carriage::text(text), None, "{text}");
        }
    }
}
