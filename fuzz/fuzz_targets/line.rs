//! A line in a log is what was written there, or the log does not verify.
//!
//! Input: a place in a genuine log of two lines (two bytes), how many bytes go there, and what comes
//! in their stead; and the whole input as a log of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::audit::Verifier;
use sec0::{LocalDevSigner, Signer as _};
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

const LINES: &str = include_str!("../../docs/spec/golden/record/audit-2026-11-23.ndjson");

static DIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("sec0-fuzz-line-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a directory");
    dir
});

fuzz_target!(|bytes: &[u8]| {
    let key = LocalDevSigner::from_seed([7; 32]).public_key();
    let verifier = Verifier::new(&[key]).expect("a key").lines_only(true);
    let file = DIR.join("audit-2026-11-23.ndjson");
    let holds = |log: &[u8]| {
        fs::write(&file, log).expect("a file");
        verifier.verify_dir(&DIR).is_ok()
    };
    // Without checkpoints both ends may be missing, and nothing else.
    if holds(bytes) {
        assert!(bytes.is_empty() || LINES.as_bytes().windows(bytes.len()).any(|part| part == bytes));
    }
    let [high, low, gone, put @ ..] = bytes else { return };
    let genuine = LINES.as_bytes();
    let at = usize::from(u16::from_be_bytes([*high, *low])) % genuine.len();
    let end = (at + usize::from(*gone)).min(genuine.len());
    let forged = [&genuine[..at], put, &genuine[end..]].concat();
    if holds(&forged) {
        assert!(forged.is_empty() || LINES.contains(&*String::from_utf8_lossy(&forged)));
    }
});
