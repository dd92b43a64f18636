//! How values of other modules stand in the canonical form.

use serde::{Deserialize as _, Deserializer, Serializer, de};

/// What is a text there.
macro_rules! as_text {
    ($name:ident: $of:ty, $write:expr, $read:expr) => {
        pub(super) mod $name {
            use super::*;

            pub(in crate::approval) fn serialize<S: Serializer>(
                value: &$of,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.collect_str(&$write(value))
            }

            pub(in crate::approval) fn deserialize<'d, D: Deserializer<'d>>(
                from: D,
            ) -> Result<$of, D::Error> {
                let text = std::borrow::Cow::<'d, str>::deserialize(from)?;
                $read(&*text).ok_or_else(|| de::Error::custom(WRONG))
            }
        }
    };
}

/// Never shown: an error of reading says where, and nothing of what was read.
const WRONG: &str = "form";

as_text!(digest: crate::digest::Digest, |it: &crate::digest::Digest| *it, crate::digest::Digest::from_hex);
as_text!(fingerprint: crate::digest::Fingerprint, |it: &crate::digest::Fingerprint| *it, read_fingerprint);
as_text!(public_key: crate::sign::PublicKey, |it: &crate::sign::PublicKey| *it, |text: &str| text.parse().ok());
as_text!(signature: crate::sign::Signature, |it: &crate::sign::Signature| *it, |text: &str| text.parse().ok());
as_text!(severity: crate::call::Severity, |it: &crate::call::Severity| it.as_str(), read_severity);

/// Milliseconds since the epoch.
pub(super) mod millis {
    use super::{Deserializer, Serializer};
    use crate::clock::Timestamp;
    use serde::Deserialize as _;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in crate::approval) fn serialize<S: Serializer>(
        value: &Timestamp,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_i64(value.as_millis())
    }

    pub(in crate::approval) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Timestamp, D::Error> {
        i64::deserialize(from).map(Timestamp::from_millis)
    }
}

fn read_fingerprint(text: &str) -> Option<crate::digest::Fingerprint> {
    use crate::digest::{Digest, Fingerprint};
    let (name, hex) = text.split_once(':')?;
    let digest = *Digest::from_hex(hex)?.as_bytes();
    match name {
        "sha256" => Some(Fingerprint::Sha256(digest)),
        "hmac-sha256" => Some(Fingerprint::Hmac(digest)),
        _ => None,
    }
}

fn read_severity(text: &str) -> Option<crate::call::Severity> {
    use crate::call::Severity;
    let all = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];
    all.into_iter().find(|one| one.as_str() == text)
}
