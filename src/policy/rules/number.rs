//! Numbers compare by what they are, not by their nearest floating-point neighbour.

use serde_json::Number;
use std::cmp::Ordering;

/// A number as `±mantissa × 2^exponent`: every whole number of 64 bits and every finite
/// floating-point number is one exactly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exact {
    is_negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl Exact {
    /// The number; `None` where it is none that can be held exactly.
    pub(super) fn of(number: &Number) -> Option<Self> {
        if let Some(whole) = number.as_u64() {
            return Some(Self { is_negative: false, mantissa: whole, exponent: 0 });
        }
        if let Some(whole) = number.as_i64() {
            let mantissa = whole.unsigned_abs();
            return Some(Self { is_negative: whole < 0, mantissa, exponent: 0 });
        }
        number.as_f64().filter(|float| float.is_finite()).map(Self::of_float)
    }

    /// Takes the bits of an IEEE 754 double apart.
    fn of_float(float: f64) -> Self {
        const FRACTION: u64 = (1 << 52) - 1;
        let bits = float.to_bits();
        let biased = i32::try_from((bits >> 52) & 0x7ff).unwrap_or_default();
        let (mantissa, exponent) = match biased {
            0 => (bits & FRACTION, -1074),
            biased => (bits & FRACTION | (1 << 52), biased.saturating_sub(1075)),
        };
        Self { is_negative: float.is_sign_negative(), mantissa, exponent }
    }

    /// True where nothing follows the point.
    pub(super) fn is_whole(self) -> bool {
        let below = self.exponent.min(0).unsigned_abs();
        self.mantissa == 0 || self.mantissa.trailing_zeros() >= below
    }

    pub(super) fn cmp(self, other: Self) -> Ordering {
        let is_negative = |it: Self| it.is_negative && it.mantissa > 0;
        match (is_negative(self), is_negative(other)) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }

    /// Compares without the signs.
    fn magnitude(self, other: Self) -> Ordering {
        let (one, two) = (self.normal(), other.normal());
        // With its highest bit set, a mantissa is worth less than one step of the exponent.
        match (one.mantissa, two.mantissa) {
            (0, _) | (_, 0) => one.mantissa.cmp(&two.mantissa),
            _ => (one.exponent, one.mantissa).cmp(&(two.exponent, two.mantissa)),
        }
    }

    /// The same number with the highest bit of its mantissa set; zero stays.
    fn normal(self) -> Self {
        let up = self.mantissa.leading_zeros();
        if up == u64::BITS {
            return self;
        }
        let exponent = self.exponent.saturating_sub_unsigned(up);
        Self { mantissa: self.mantissa << up, exponent, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(text: &str) -> Exact {
        Exact::of(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn numbers_that_one_float_stands_for_are_told_apart() {
        for (less, more) in [
            ("9007199254740992", "9007199254740993"),
            ("9007199254740992.0", "9007199254740993"),
            ("18446744073709551614", "18446744073709551615"),
            ("18446744073709551615", "18446744073709551616.0"),
            ("-9223372036854775808", "-9223372036854775807"),
            ("-9007199254740993", "-9007199254740992.0"),
            ("0.1", "0.10000000000000002"),
            ("0", "5e-324"),
            ("-5e-324", "0"),
            ("-1", "0.5"),
            ("1", "1.7976931348623157e308"),
            ("-1e308", "-18446744073709551615.0"),
        ] {
            assert_eq!(exact(less).cmp(exact(more)), Ordering::Less, "{less} < {more}");
            assert_eq!(exact(more).cmp(exact(less)), Ordering::Greater, "{more} > {less}");
        }
    }

    #[test]
    fn spellings_of_one_number_are_equal() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("-0", "0"),
            ("9007199254740992", "9007199254740992.0"),
        ] {
            assert_eq!(exact(one).cmp(exact(other)), Ordering::Equal, "{one} = {other}");
        }
        for (text, whole) in [
            ("1", true),
            ("1.0", true),
            ("1e300", true),
            ("0.0", true),
            ("-2.5", false),
            ("5e-324", false),
        ] {
            assert_eq!(exact(text).is_whole(), whole, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_numbers_compare_as_whole_numbers(one in any::<i64>(), other in any::<i64>()) {
            prop_assert_eq!(exact(&one.to_string()).cmp(exact(&other.to_string())), one.cmp(&other));
        }

        #[test]
        fn floats_compare_as_floats(one in any::<f64>(), other in any::<f64>()) {
            prop_assume!(one.is_finite() && other.is_finite());
            let ours = Exact::of_float(one).cmp(Exact::of_float(other));
            prop_assert_eq!(Some(ours), one.partial_cmp(&other));
        }

        #[test]
        fn a_small_whole_number_compares_with_a_float_as_a_float(one in any::<i32>(), other in -3e9..3e9) {
            let ours = exact(&one.to_string()).cmp(Exact::of_float(other));
            prop_assert_eq!(Some(ours), f64::from(one).partial_cmp(&other));
        }
    }
}
