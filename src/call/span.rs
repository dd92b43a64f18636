use std::fmt;

/// The trace and span id of one call, as W3C Trace Context has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SpanIds {
    /// 16 bytes; all zero is no trace.
    pub trace_id: [u8; 16],
    /// 8 bytes; all zero is no span.
    pub span_id: [u8; 8],
}

impl SpanIds {
    /// The ids as given.
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8]) -> Self {
        Self { trace_id, span_id }
    }

    /// True when neither id is all zero, which the specification calls invalid.
    pub fn is_valid(&self) -> bool {
        self.trace_id != [0; 16] && self.span_id != [0; 8]
    }

    /// The trace id as 32 lower-case hex digits.
    pub fn trace_hex(&self) -> Hex<'_> {
        Hex(&self.trace_id)
    }

    /// The span id as 16 lower-case hex digits.
    pub fn span_hex(&self) -> Hex<'_> {
        Hex(&self.span_id)
    }
}

/// Bytes that print as lower-case hex.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
