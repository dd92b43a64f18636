//! What a log is called.

use std::fmt::Write as _;

/// The origin of a log of sec0, `sec0-audit/<tenant>` or `sec0-audit/<tenant>/<writer>`: the first
/// line of its checkpoints and the name of its key.
///
/// Every byte outside `[A-Za-z0-9._-]` is percent-encoded, so no two logs have the same origin, and
/// none holds a blank, a plus or a newline, which a key's name must not have.
pub fn origin_of(tenant: &str, writer: Option<&str>) -> String {
    let mut origin = "sec0-audit".to_owned();
    for part in [Some(tenant), writer].into_iter().flatten() {
        origin.push('/');
        part.bytes().for_each(|byte| encode(byte, &mut origin));
    }
    origin
}

fn encode(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
        out.push(char::from(byte));
    } else {
        #[expect(clippy::let_underscore_must_use, reason = "a String takes all text")]
        let _ = write!(out, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::PublicKey;
    use crate::tlog::VerifierKey;
    use proptest::prelude::*;

    #[test]
    fn encodes_what_is_not_plain() {
        assert_eq!(origin_of("acme", None), "sec0-audit/acme");
        assert_eq!(origin_of("acme", Some("node-1.eu")), "sec0-audit/acme/node-1.eu");
        assert_eq!(origin_of("a/b", Some("c d")), "sec0-audit/a%2Fb/c%20d");
        assert_eq!(origin_of("ä+%\n", None), "sec0-audit/%C3%A4%2B%25%0A");
    }

    proptest! {
        #[test]
        fn is_one_for_one_log_and_a_name_for_a_key(
            one: (String, Option<String>),
            two: (String, Option<String>),
        ) {
            let name = origin_of(&one.0, one.1.as_deref());
            let other = origin_of(&two.0, two.1.as_deref());
            prop_assert_eq!(name == other, one == two);
            prop_assert!(VerifierKey::new(&name, PublicKey::from_bytes([1; 32])).is_ok());
        }
    }
}
