//! What is JSON has the canonical form that an independent writer gives it, once and for all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::canonical::{Limits, measure, to_vec};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let ours = to_vec(&value).expect("the parser's own bound on depth is the writer's");
    let theirs = serde_json_canonicalizer::to_vec(&value).expect("it is JSON");
    assert_eq!(ours, theirs);
    let again: Value = serde_json::from_slice(&ours).expect("the canonical form is JSON");
    assert_eq!(to_vec(&again).expect("it is JSON"), ours);
    let measured = measure(&value, Limits::default()).expect("it was written");
    assert_eq!(measured.len, ours.len());
});
