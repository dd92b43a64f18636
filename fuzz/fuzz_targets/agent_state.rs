//! What a caller sends as its agent's state is refused in words, or is a state that stays what it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::identity::agent_state::AgentState;

fuzz_target!(|text: &str| {
    match AgentState::decode(text) {
        Ok(state) => {
            let encoded = state.encode().expect("it was decoded within the bounds");
            let again = AgentState::decode(&encoded).expect("it was encoded");
            assert_eq!(format!("{again:?}"), format!("{state:?}"));
        }
        Err(error) => assert!(error.to_string().starts_with("[sec0-agent-state] ")),
    }
});
