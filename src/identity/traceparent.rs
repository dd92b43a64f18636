use crate::call::SpanIds;

/// A `traceparent` header (W3C Trace Context, level 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traceparent {
    /// Trace and span.
    pub ids: SpanIds,
    /// Whether the sender says that it records the trace.
    pub is_sampled: bool,
}

/// Reads trace and span of a `traceparent` header; `None` when it is not valid.
///
/// A version above `00` may carry more after the flags, behind a dash; version `ff` is invalid.
pub fn parse_traceparent(text: &str) -> Option<SpanIds> {
    Some(read_traceparent(text)?.ids)
}

/// As [`parse_traceparent`], with the flag.
pub fn read_traceparent(text: &str) -> Option<Traceparent> {
    let mut parts = text.trim_matches([' ', '\t']).splitn(5, '-');
    let (version, trace_id, span_id, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let [version] = hex::<1>(version)?;
    let [flags] = hex::<1>(flags)?;
    let more = parts.next().is_some();
    if version == 0xff || (version == 0 && more) {
        return None;
    }
    let ids = SpanIds::new(hex(trace_id)?, hex(span_id)?);
    ids.is_valid().then_some(Traceparent { ids, is_sampled: flags & 1 == 1 })
}

/// Reads a trace id: 32 lower-case hex digits, not all zero.
pub(super) fn parse_trace_id(text: &str) -> Option<[u8; 16]> {
    hex(text).filter(|id| *id != [0; 16])
}

/// Reads a span id: 16 lower-case hex digits, not all zero.
pub(super) fn parse_span_id(text: &str) -> Option<[u8; 8]> {
    hex(text).filter(|id| *id != [0; 8])
}

/// `2 * N` lower-case hex digits; upper case is invalid here.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(out)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a').and_then(|value| value.checked_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn only_what_the_specification_allows_is_a_traceparent() {
        let valid = [
            format!("00-{TRACE}-{SPAN}-01"),
            format!(" 00-{TRACE}-{SPAN}-00\t"),
            format!("01-{TRACE}-{SPAN}-01-what-the-future-brings"),
        ];
        for text in &valid {
            let read = read_traceparent(text).unwrap();
            assert_eq!(read.is_sampled, text.contains("-01"), "{text}");
            let ids = read.ids;
            assert_eq!(
                (ids.trace_hex().to_string(), ids.span_hex().to_string()),
                (TRACE.into(), SPAN.into())
            );
        }
        let invalid = [
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("0-{TRACE}-{SPAN}-01"),
            String::new(),
        ];
        for text in &invalid {
            assert_eq!(parse_traceparent(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ids = parse_traceparent(&text);
        }
    }
}
