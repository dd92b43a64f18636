use super::record::Entered;
use super::shared::Shared;
use crate::call::Arguments;
use crate::canonical::{self, Limits};
use crate::digest::{DigestKey, Fingerprint};
use serde_json::Value;

/// What stands for a call without arguments, with an empty list of them or without one.
pub(super) const NO_ARGUMENTS: Fingerprint = Fingerprint::Sha256([0; 32]);

/// What tells the arguments of this call from all others; `None` where they cannot be measured, or
/// the record is closed.
pub(super) fn exactly<X>(entered: &Entered<X>) -> Option<Fingerprint> {
    let (call, shared) = (entered.call(), entered.shared());
    let Some(arguments) = call.arguments.as_ref().filter(|arguments| !arguments.is_empty()) else {
        return Some(NO_ARGUMENTS);
    };
    let measured = entered.trail().with(|facts| {
        let keyed = facts.keyed.as_ref().and_then(|keyed| keyed.input);
        facts.input_sha256.map(Fingerprint::Sha256).or(keyed.map(Fingerprint::Hmac))
    })?;
    // Without `limit` in the stack nobody has measured them.
    let print = measured.or_else(|| measure(arguments, shared))?;
    Some(exact(print, arguments, shared.digest_key.as_ref()))
}

fn measure(arguments: &Arguments, shared: &Shared) -> Option<Fingerprint> {
    let limits = Limits { max_len: shared.max_arguments, ..Limits::default() };
    match canonical::fingerprint(arguments, limits, shared.digest_key.as_ref()) {
        Ok((_len, print)) => Some(print),
        Err(error) => {
            tracing::error!(%error, "the arguments of a call cannot be measured");
            None
        }
    }
}

/// The fingerprint of arguments together with every whole number that it has only as the nearest
/// double, each with its place; the fingerprint itself where there is none, since it tells all
/// arguments apart then.
///
/// Under a key it is one under that key: whoever reads a log must not find out by guessing what the
/// key keeps from him.
fn exact(print: Fingerprint, arguments: &Arguments, key: Option<&DigestKey>) -> Fingerprint {
    const EXACT: u64 = 1 << 53;
    let mut bytes = Vec::new();
    let mut todo = Vec::new();
    put(&mut todo, arguments);
    let mut place = 0_u64;
    while let Some(value) = todo.pop() {
        match value {
            Value::Number(number) => {
                place += 1;
                let whole = number.as_u64().or_else(|| Some(number.as_i64()?.unsigned_abs()));
                if whole.is_some_and(|whole| whole > EXACT) {
                    bytes.extend_from_slice(format!("{place}:{number},").as_bytes());
                }
            }
            Value::Array(items) => todo.extend(items),
            Value::Object(map) => put(&mut todo, map),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    if bytes.is_empty() {
        return print;
    }
    match print {
        Fingerprint::Sha256(digest) | Fingerprint::Hmac(digest) => bytes.extend_from_slice(&digest),
    }
    Fingerprint::of(&bytes, key)
}

/// In the order of their names, whatever the order in which they were sent.
fn put<'v>(todo: &mut Vec<&'v Value>, map: &'v Arguments) {
    let mut members: Vec<_> = map.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    todo.extend(members.into_iter().map(|(_, value)| value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn print(text: &str, key: Option<&DigestKey>) -> (Fingerprint, Fingerprint) {
        let arguments: Arguments = serde_json::from_str(text).unwrap();
        let (_, plain) = canonical::fingerprint(&arguments, Limits::default(), key).unwrap();
        (plain, exact(plain, &arguments, key))
    }

    /// 2^53 and 2^53 + 1 are one double.
    #[test]
    fn large_whole_numbers_that_change_places_make_another_call() {
        for (one, other) in [
            (
                r#"{"a": 9007199254740993, "b": 9007199254740992}"#,
                r#"{"a": 9007199254740992, "b": 9007199254740993}"#,
            ),
            (
                r#"{"a": 9007199254740993, "b": 9007199254740992.0}"#,
                r#"{"a": 9007199254740992.0, "b": 9007199254740993}"#,
            ),
            (
                r#"{"a": [9007199254740993, 1], "b": {"c": 9007199254740992}}"#,
                r#"{"a": [9007199254740992, 1], "b": {"c": 9007199254740993}}"#,
            ),
            (
                r#"{"a": [-9007199254740993, -9007199254740992]}"#,
                r#"{"a": [-9007199254740992, -9007199254740993]}"#,
            ),
            (r#"{"a": 18446744073709551615}"#, r#"{"a": 18446744073709551614}"#),
        ] {
            let ((plain, one), (other_plain, other)) = (print(one, None), print(other, None));
            assert_eq!(plain, other_plain);
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_order_of_members_and_the_spelling_of_small_numbers_make_no_other_call() {
        for (one, other) in [
            (
                r#"{"a": 9007199254740993, "b": {"c": 9007199254740995, "d": 2}}"#,
                r#"{"b": {"d": 2, "c": 9007199254740995}, "a": 9007199254740993}"#,
            ),
            (r#"{"a": 1}"#, r#"{"a": 1.0}"#),
            (r#"{"a": 100}"#, r#"{"a": 1e2}"#),
        ] {
            assert_eq!(print(one, None), print(other, None));
        }
    }

    #[test]
    fn under_a_key_nobody_guesses_a_large_number_without_it() {
        let [key, other] = [1, 2].map(|byte| DigestKey::new(&Secret::new([byte; 32])));
        let text = r#"{"account": 9007199254740993}"#;
        let (plain, exact_under) = print(text, Some(&key));
        assert!(matches!(exact_under, Fingerprint::Hmac(_)));
        let arguments: Arguments = serde_json::from_str(text).unwrap();
        assert_ne!(exact(plain, &arguments, Some(&other)), exact_under);
    }
}
