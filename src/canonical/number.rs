//! Numbers, as ECMAScript writes a double (RFC 8785 section 3.2.2.3).

use super::CanonicalError;

/// Up to here every whole number is a double of its own: 2^53.
const EXACT: u64 = 1 << 53;

/// Writes a whole number.
#[inline]
pub(super) fn write_u64(out: &mut Vec<u8>, number: u64) {
    if number <= EXACT {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    } else {
        write_double(out, round_u128(u128::from(number)));
    }
}

/// Writes a whole number.
#[inline]
pub(super) fn write_i64(out: &mut Vec<u8>, number: i64) {
    if number.unsigned_abs() <= EXACT {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    } else {
        write_double(out, round_i128(i128::from(number)));
    }
}

/// Writes a whole number.
pub(super) fn write_u128(out: &mut Vec<u8>, number: u128) {
    match u64::try_from(number) {
        Ok(number) => write_u64(out, number),
        Err(_) => write_double(out, round_u128(number)),
    }
}

/// Writes a whole number.
pub(super) fn write_i128(out: &mut Vec<u8>, number: i128) {
    match i64::try_from(number) {
        Ok(number) => write_i64(out, number),
        Err(_) => write_double(out, round_i128(number)),
    }
}

/// Writes a double; NaN and the infinities have no text.
pub(super) fn write_f64(out: &mut Vec<u8>, number: f64) -> Result<(), CanonicalError> {
    if !number.is_finite() {
        return Err(CanonicalError::NotFinite);
    }
    write_double(out, number);
    Ok(())
}

/// Reads a number of any precision that is held as text, as `serde_json` does on request.
pub(super) fn read_decimal(text: &[u8]) -> Result<f64, CanonicalError> {
    if !is_json_number(text) {
        return Err(CanonicalError::NotANumber);
    }
    let number = str::from_utf8(text).map_or(None, |text| text.parse().ok());
    number.ok_or(CanonicalError::NotANumber)
}

/// Whether `text` is a number just as this module writes it.
pub(crate) fn is_canonical_number(text: &str) -> bool {
    match text.parse::<f64>() {
        Ok(number) => number.is_finite() && ryu_js::Buffer::new().format_finite(number) == text,
        Err(_) => false,
    }
}

fn write_double(out: &mut Vec<u8>, finite: f64) {
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(finite).as_bytes());
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "RFC 8785 asks for the nearest double, which is what the cast gives"
)]
const fn round_u128(number: u128) -> f64 {
    number as f64
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "RFC 8785 asks for the nearest double, which is what the cast gives"
)]
const fn round_i128(number: i128) -> f64 {
    number as f64
}

/// Whether this is a number by the grammar of RFC 8259 section 6. Rust's own parser takes more,
/// such as `inf` and `.5`.
fn is_json_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (whole, rest) = split_digits(text);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
        return false;
    }
    let rest = match rest.strip_prefix(b".").map(split_digits) {
        Some(([], _)) => return false,
        Some((_, rest)) => rest,
        None => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            matches!(split_digits(exponent), ([_, ..], []))
        }
        _ => false,
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at_checked(digits).unwrap_or((text, &[]))
}
