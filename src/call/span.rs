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

impl Hex<'_> {
    /// The digits, put into `room`: for a writer of bytes, which needs no formatter.
    pub(crate) fn digits(self, room: &mut [u8; 64]) -> &[u8] {
        for ([high, low], byte) in room.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            (*high, *low) = (Self::digit(byte >> 4), Self::digit(byte & 15));
        }
        room.get(..self.0.len() * 2).unwrap_or(room)
    }

    /// The digit of a number below 16.
    pub(crate) const fn digit(nibble: u8) -> u8 {
        if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) }
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One write for all digits: this is done for every reply.
        f.write_str(str::from_utf8(self.digits(&mut [0; 64])).map_err(|_never| fmt::Error)?)
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
