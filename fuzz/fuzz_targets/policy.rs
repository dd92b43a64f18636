//! A text is a policy, or every problem has its place in it; nothing panics, hangs or grows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::Policy;
use sec0::call::Reason;
use sec0::policy::{Effect, Mode};

fuzz_target!(|text: &str| {
    // In YAML a carriage return alone ends a line too.
    let lines = u32::try_from(text.matches(['\n', '\r']).count()).unwrap_or(u32::MAX) + 1;
    match Policy::from_yaml(text) {
        Ok(policy) => {
            assert!(!policy.tenant().trim().is_empty());
            let again = Policy::from_yaml(text).expect("it was one");
            assert_eq!(again.digest(), policy.digest());
            for reason in Reason::ALL {
                let denies = policy.effect(*reason) == Effect::Deny;
                let named = policy.mode() == Mode::Enforce && policy.deny_on().contains(reason);
                assert!(denies || !named, "{reason} is named and does not deny");
            }
        }
        Err(error) => {
            assert!(!error.problems().is_empty());
            for problem in error.problems() {
                assert!(problem.line <= lines, "{problem:?} of {lines}");
                assert!(problem.message.len() < 16_384, "{problem:?}");
            }
        }
    }
});
