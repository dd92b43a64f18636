//! Other people's test vectors: `SEC0_TESTDATA=<folder> cargo test --test vectors`.
//!
//! Each test knows one subfolder and takes its files by pattern. What is missing is named and left
//! out; what is not known is ignored. Without the variable everything is left out.

#![cfg(test)]

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One subfolder of the folder of vectors.
struct Folder(PathBuf);

impl Folder {
    /// The subfolder `name`, when it is there.
    fn find(name: &str) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the vectors lie outside the project")]
        let Ok(root) = std::env::var("SEC0_TESTDATA") else {
            left_out(&format!("SEC0_TESTDATA is not set: the vectors in {name}/ are left out"));
            return None;
        };
        let folder = Path::new(&root).join(name);
        if folder.is_dir() {
            return Some(Self(folder));
        }
        left_out(&format!("{} is missing: its vectors are left out", folder.display()));
        None
    }

    /// The files `<under>/<start>*<end>`, sorted; `under` may be empty.
    fn files(&self, under: &str, start: &str, end: &str) -> Vec<PathBuf> {
        let folder = self.0.join(under);
        let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        };
        files.retain(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(start) && name.ends_with(end)
        });
        files.sort();
        if files.is_empty() {
            left_out(&format!("{}/{start}*{end} is missing: it is left out", folder.display()));
        }
        files
    }

    /// The file `<under>/<stem of path>.<extension>`, when it is there.
    fn beside(&self, path: &Path, under: &str, extension: &str) -> Option<Vec<u8>> {
        let name = Path::new(path.file_stem().unwrap()).with_extension(extension);
        let wanted = self.0.join(under).join(name);
        if !wanted.is_file() {
            left_out(&format!("{} is missing: it is left out", wanted.display()));
            return None;
        }
        Some(fs::read(wanted).unwrap())
    }
}

/// Says it past the test harness, which keeps the words of a test that passes to itself.
fn left_out(what: &str) {
    writeln!(std::io::stderr(), "{what}").unwrap();
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn jcs() {
    let Some(folder) = Folder::find("jcs") else { return };
    for path in folder.files("input", "", ".json") {
        let canonical = sec0::canonical::to_vec(&json(&path)).unwrap();
        if let Some(expected) = folder.beside(&path, "output", "json") {
            let expected = expected.trim_ascii_end();
            assert_eq!(canonical, expected, "{}", path.display());
        }
        if let Some(hex) = folder.beside(&path, "outhex", "txt") {
            assert_eq!(canonical, unhex(str::from_utf8(&hex).unwrap()), "{}", path.display());
        }
        let again: Value = serde_json::from_slice(&canonical).unwrap();
        assert_eq!(sec0::canonical::to_vec(&again).unwrap(), canonical, "{}", path.display());
    }
    for path in folder.files("", "es6_numbers", "") {
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let (bits, expected) = line.split_once(',').unwrap();
            let number = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            let written = sec0::canonical::to_vec(&number).unwrap();
            assert_eq!(written, expected.as_bytes(), "{}:{}", path.display(), index + 1);
        }
    }
}

#[test]
fn ed25519() {
    let Some(folder) = Folder::find("ed25519") else { return };
    for path in folder.files("", "wycheproof", ".json") {
        ed25519::wycheproof(&json(&path));
    }
    for path in folder.files("", "cctv", ".json") {
        ed25519::cctv(&json(&path));
    }
    for path in folder.files("", "speccheck", ".json") {
        ed25519::speccheck(&json(&path));
    }
}

mod ed25519 {
    use super::unhex;
    use sec0::sign::{PublicKey, Signature, verify};
    use serde_json::Value;

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

    fn text<'v>(value: &'v Value, name: &str) -> &'v str {
        value[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {value}"))
    }

    fn items(value: &Value) -> &[Value] {
        value.as_array().map_or(&[], Vec::as_slice)
    }

    pub(super) fn wycheproof(file: &Value) {
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
    pub(super) fn cctv(file: &Value) {
        let refusing = [
            "low_order_A",
            "low_order_R",
            "low_order_residue",
            "non_canonical_A",
            "non_canonical_R",
        ];
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
    pub(super) fn speccheck(file: &Value) {
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
        point[0] >= 0xED
            && point[1..31].iter().all(|byte| *byte == 0xFF)
            && point[31] | 0x80 == 0xFF
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
}
