//! A line of the log is what was signed, or it does not verify.
//!
//! Input: a place in a genuine line (two bytes), how many bytes go there, and what comes in their
//! stead; and the whole input as a line of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::audit::verify_line;
use sec0::{LocalDevSigner, Signer as _};
use serde_json::Value;

const LINE: &str = include_str!("../../src/audit/tests/golden.ndjson");

fuzz_target!(|bytes: &[u8]| {
    let key = LocalDevSigner::from_seed([7; 32]).public_key();
    let genuine = LINE.lines().next().expect("a line").as_bytes();
    assert!(verify_line(bytes, &key).is_err() || is_same(bytes, genuine));
    let [high, low, gone, put @ ..] = bytes else { return };
    let at = usize::from(u16::from_be_bytes([*high, *low])) % genuine.len();
    let end = (at + usize::from(*gone)).min(genuine.len());
    let forged = [&genuine[..at], put, &genuine[end..]].concat();
    if verify_line(&forged, &key).is_ok() {
        assert!(is_same(&forged, genuine), "{}", String::from_utf8_lossy(&forged));
    }
});

/// Another spelling of the same content is the same record.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let parse = |bytes| serde_json::from_slice::<Value>(bytes).ok();
    parse(one).is_some() && parse(one) == parse(other)
}
