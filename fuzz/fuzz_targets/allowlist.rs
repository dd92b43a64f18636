//! A list allows a tool exactly when one of its entries alone does, and no text makes it panic.
//!
//! Input: lines; the first three are server, tool and version, the others are entries.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::call::{ToolRef, ToolVersion};
use sec0::policy::Allowlist;

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let (server, tool, version) = (next(), next(), ToolVersion::new(next()));
    let asked = ToolRef::new(server, tool, version.as_ref());
    let (valid, malformed): (Vec<_>, Vec<_>) =
        lines.partition(|entry| Allowlist::compile([*entry]).is_ok());
    for entry in malformed {
        let error = Allowlist::compile([entry]).unwrap_err().to_string();
        assert!(error.len() < 4096, "an error repeats what it was given at length");
        assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{error:?}");
    }
    let alone = |entry: &&str| Allowlist::compile([*entry]).unwrap().matches(asked);
    let any = valid.iter().any(|entry| alone(entry).is_some());
    let list = Allowlist::compile(valid.iter().copied()).unwrap();
    assert_eq!(list.matches(asked).is_some(), any, "{valid:?}");
    if list.allows_everything() {
        assert!(any);
    }
    assert_eq!(Allowlist::compile([]).unwrap().matches(asked), None);
});
