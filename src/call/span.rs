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

/// At most 32 bytes that print as lower-case hex.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
        // One write for all digits: this is done for every reply.
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
        }
        let digits = text.split(|byte| *byte == 0).next().unwrap_or_default();
        f.write_str(str::from_utf8(digits).map_err(|_never| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_lower_case_hex_of_their_length() {
        let ids = SpanIds::new([0xab; 16], [0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(ids.trace_hex().to_string(), "ab".repeat(16));
        assert_eq!(ids.span_hex().to_string(), "00010203fcfdfeff");
        assert_eq!(Hex(&[9; 32]).to_string(), "09".repeat(32));
    }
}
