use super::{Folder, json, text, unhex};
use sec0::sign::{PublicKey, Signature, verify};
use serde_json::Value;

#[test]
fn ed25519() {
    let Some(folder) = Folder::find("ed25519") else { return };
    for path in folder.files("", "wycheproof", ".json") {
        wycheproof(&json(&path));
    }
    for path in folder.files("", "cctv", ".json") {
        cctv(&json(&path));
    }
    for path in folder.files("", "speccheck", ".json") {
        speccheck(&json(&path));
    }
}

/// One signature of a collection.
struct Case {
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Case {
    fn is_accepted(&self) -> bool {
        let (Ok(key), Ok(signature)) =
            (self.key.as_slice().try_into(), self.signature.as_slice().try_into())
        else {
            return false;
        };
        let signature = Signature::from_bytes(signature);
        verify(&PublicKey::from_bytes(key), &self.message, &signature).is_ok()
    }

    /// Whether RFC 8032 accepts it when the equation is checked without the factor 8 and
    /// nothing more is asked of the points.
    fn holds_without_factor(&self) -> bool {
        use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
        let key = VerifyingKey::try_from(self.key.as_slice());
        let signature = Signature::try_from(self.signature.as_slice());
        matches!((key, signature), (Ok(key), Ok(signature))
            if key.verify(&self.message, &signature).is_ok())
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn wycheproof(file: &Value) {
    for group in items(&file["testGroups"]) {
        for test in items(&group["tests"]) {
            let case = Case {
                key: unhex(text(&group["publicKey"], "pk")),
                message: unhex(text(test, "msg")),
                signature: unhex(text(test, "sig")),
            };
            assert_eq!(case.is_accepted(), text(test, "result") == "valid", "{test}");
        }
    }
}

/// These have flags in place of verdicts; the policy says which flags refuse. The others, a
/// part of low order in points of high order, are accepted.
fn cctv(file: &Value) {
    let refusing =
        ["low_order_A", "low_order_R", "low_order_residue", "non_canonical_A", "non_canonical_R"];
    for test in items(file) {
        let case = Case {
            key: unhex(text(test, "key")),
            message: text(test, "msg").as_bytes().to_vec(),
            signature: unhex(text(test, "sig")),
        };
        let flags = items(&test["flags"]);
        let refuses = flags.iter().any(|flag| refusing.contains(&flag.as_str().unwrap()));
        assert_eq!(case.is_accepted(), !refuses, "{test}");
    }
}

/// These have neither verdicts nor flags. What the policy refuses can be told from the bytes;
/// of the rest, the exact equation decides.
fn speccheck(file: &Value) {
    for test in items(file) {
        let case = Case {
            key: unhex(text(test, "pub_key")),
            message: unhex(text(test, "message")),
            signature: unhex(text(test, "signature")),
        };
        let bad_point = [&case.key, &case.signature[..32]]
            .iter()
            .any(|point| is_not_canonical(point) || is_of_low_order(point));
        let expected = !bad_point && case.holds_without_factor();
        assert_eq!(case.is_accepted(), expected, "{test}");
    }
}

/// The y coordinate, in little endian below the sign bit, is not below 2^255 - 19.
fn is_not_canonical(point: &[u8]) -> bool {
    point[0] >= 0xED && point[1..31].iter().all(|byte| *byte == 0xFF) && point[31] | 0x80 == 0xFF
}

/// The y coordinates of the points whose order divides eight: 0, 1, -1 and two square roots.
fn is_of_low_order(point: &[u8]) -> bool {
    let mut y = point.to_vec();
    y[31] &= 0x7F;
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ]
    .iter()
    .any(|known| unhex(known) == y)
}
