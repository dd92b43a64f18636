use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn encoded(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

fn decode(json: &str) -> Result<AgentState, AgentStateError> {
    AgentState::decode(&encoded(json))
}

#[test]
fn a_node_id_is_normalised_as_the_contract_has_it() {
    let node = |text: &str| NodeId::new(text).map(|id| id.to_string());
    for (given, kept) in [
        ("  Order Desk / EU ", "order-desk-eu"),
        ("--a__b--", "a-b"),
        ("a - b", "a-b"),
        ("\u{feff}Kelvin \u{212a}\u{feff}", "kelvin-k"),
        ("etc/../../passwd", "etc-passwd"),
        ("a\u{202e}\nb\0", "a-b"),
    ] {
        assert_eq!(node(given).as_deref(), Ok(kept), "{given}");
    }
    for nothing in ["", "   ", "../..", "日本", "\u{202e}"] {
        assert_eq!(node(nothing), Err(AgentStateError::EmptyNodeId), "{nothing}");
    }
    assert_eq!(node(&"a".repeat(200)).map(|id| id.len()), Ok(80));
}

#[test]
fn a_run_id_keeps_its_own_characters_and_no_others() {
    let run = |text: &str| RunId::new(text).map(|id| id.to_string());
    for (given, kept) in [
        ("run:1.2-3_x", "run:1.2-3_x"),
        ("run 1\n\0 2", "run_1_2"),
        ("a_!b", "a__b"),
        ("../../etc", ".._.._etc"),
        (" \u{feff}r\u{feff} ", "r"),
    ] {
        assert_eq!(run(given).as_deref(), Ok(kept), "{given}");
    }
    assert_eq!(run("\t "), Err(AgentStateError::EmptyRunId));
    assert_eq!(run(&"é".repeat(9)).as_deref(), Ok("_"));
    assert_eq!(run(&"x".repeat(500)).map(|id| id.len()), Ok(120));
}

#[test]
fn a_state_is_written_as_the_other_sdk_writes_it() {
    let mut state = AgentState::new(NodeId::new("Desk").unwrap());
    assert_eq!(state.encode(), Ok(encoded(r#"{"version":1,"nodeId":"desk"}"#)));
    assert_eq!(state.require_run(), Err(AgentStateError::NoRun));
    state.run_id = Some(RunId::new("run:1").unwrap());
    state.parent_ref = Some(RunId::new("run:0").unwrap());
    state.set(Scope::Agent, "objective", "restock").unwrap();
    state.merge(Scope::Agent, Map::from_iter([("vars".to_owned(), json!({"a": "1"}))]));
    state.merge(Scope::Agent, Map::from_iter([("vars".to_owned(), json!({"b": "2"}))]));
    let text = r#"{"version":1,"nodeId":"desk","runId":"run:1","parentRef":"run:0","variables":{"AGENT":{"objective":"restock","vars":{"b":"2"}}}}"#;
    assert_eq!(state.encode(), Ok(encoded(text)));
    let names: Vec<_> = state.to_headers().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["x-node-id", "x-agent-ref", "x-agent-parent-ref", "x-agent-state"]);
    assert_eq!(state.require_run().map(RunId::as_str), Ok("run:1"));
}

#[test]
fn a_state_of_another_writer_is_read() {
    let state = decode(
        r#"{"version":7,"nodeId":" Desk ","ref":"run 1","parentRef":null,"extra":[1],
            "variables":{"llm":{"a":1,"b":1},"Orchestrator":{"b":2},"tool":null},
            "metadata":{"k":"v"}}"#,
    )
    .unwrap();
    assert_eq!((state.node_id.as_str(), state.parent_ref), ("desk", None));
    assert_eq!(state.run_id.as_ref().map(RunId::as_str), Some("run_1"));
    let orchestrator = &state.variables[&Scope::Orchestrator];
    assert!(orchestrator.contains_key("a") && orchestrator.contains_key("b"));
    assert!(state.variables[&Scope::Tool].is_empty());
    assert_eq!(state.metadata.unwrap()["k"], "v");
    let both = decode(r#"{"nodeId":"d","runId":"first","ref":"second"}"#).unwrap();
    assert_eq!(both.run_id.as_ref().map(RunId::as_str), Some("first"));
}

#[test]
fn what_is_no_state_is_refused_with_the_words_of_the_contract() {
    let say = |state: &str| AgentState::decode(state).unwrap_err().to_string();
    let unpadded = "[sec0-agent-state] Failed to decode agent state header.";
    for text in ["%%%", "a b", "{}", &STANDARD.encode(r#"{"nodeId":"a"}"#), "eyJ\u{e9}", "\0"] {
        assert_eq!(say(text), unpadded, "{text}");
    }
    let not_json = "[sec0-agent-state] Failed to parse agent state header JSON.";
    for json in ["", "{", "nodeId", r#"{"nodeId":"\ud800"}"#, r#"{"nodeId":1e999}"#] {
        assert_eq!(say(&encoded(json)), not_json, "{json}");
    }
    assert_eq!(say(&URL_SAFE_NO_PAD.encode(b"{\"nodeId\":\"\xff\"}")), not_json);
    assert_eq!(say(&encoded(&"[".repeat(3000))), not_json);
    for json in ["[]", "null", "1", "\"text\""] {
        let words = "[sec0-agent-state] Agent state header must contain a JSON object.";
        assert_eq!(say(&encoded(json)), words, "{json}");
    }
    for json in ["{}", r#"{"nodeId":null}"#, r#"{"nodeId":"../.."}"#] {
        assert_eq!(say(&encoded(json)), "[sec0-agent-state] Node ID cannot be empty.", "{json}");
    }
    assert_eq!(
        say(&encoded(r#"{"nodeId":"n","variables":{"ROOT":{}}}"#)),
        "[sec0-agent-state] Unknown agent variable scope: ROOT"
    );
}

#[test]
fn the_text_of_an_unknown_scope_is_cut_and_cannot_break_a_line() {
    let scope = format!("\\n{}", "s".repeat(99));
    let json = format!(r#"{{"nodeId":"n","variables":{{"{scope}":{{}}}}}}"#);
    let words = decode(&json).unwrap_err().to_string();
    assert!(words.ends_with(&format!("scope: \\n{}", "s".repeat(63))), "{words}");
    assert!(!words.contains('\n'));
}

#[test]
fn a_member_of_another_type_is_named() {
    for (json, name) in [
        (r#"{"nodeId":1}"#, "nodeId"),
        (r#"{"nodeId":"n","runId":{}}"#, "runId"),
        (r#"{"nodeId":"n","ref":[]}"#, "ref"),
        (r#"{"nodeId":"n","parentRef":true}"#, "parentRef"),
        (r#"{"nodeId":"n","variables":[]}"#, "variables"),
        (r#"{"nodeId":"n","variables":{"TOOL":"x"}}"#, "variables"),
        (r#"{"nodeId":"n","metadata":"x"}"#, "metadata"),
    ] {
        assert_eq!(decode(json), Err(AgentStateError::WrongType(name)), "{json}");
    }
}

#[test]
fn a_state_beyond_its_bounds_is_neither_read_nor_written() {
    let nested = |levels: usize| {
        let deep = levels - 1;
        format!(r#"{{"nodeId":"n","metadata":{}1{}}}"#, "{\"a\":".repeat(deep), "}".repeat(deep))
    };
    assert!(decode(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(decode(&nested(MAX_DEPTH + 1)), Err(AgentStateError::TooDeep));
    // `nodeId`, `metadata`, `a`, and the items.
    let wide = |items: usize| {
        format!(r#"{{"nodeId":"n","metadata":{{"a":[{}1]}}}}"#, "1,".repeat(items - 1))
    };
    assert!(decode(&wide(MAX_ENTRIES - 3)).is_ok());
    assert_eq!(decode(&wide(MAX_ENTRIES - 2)), Err(AgentStateError::TooMany));
    assert_eq!(AgentState::decode(&"A".repeat(MAX_HEADER + 1)), Err(AgentStateError::TooLong));
    assert_eq!(AgentState::decode(&"A".repeat(1 << 20)), Err(AgentStateError::TooLong));

    let state = |value: Value| {
        let mut state = AgentState::new(NodeId::new("n").unwrap());
        state.set(Scope::Tool, "v", &value).map(|()| state)
    };
    let encode = |value: Value| state(value)?.encode();
    assert_eq!(encode(json!("x".repeat(MAX_HEADER))), Err(AgentStateError::TooLong));
    assert_eq!(encode(json!(vec![1; MAX_ENTRIES])), Err(AgentStateError::TooMany));
    let deep = (0..MAX_DEPTH).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(encode(deep), Err(AgentStateError::TooDeep));
    let unserialisable = std::collections::BTreeMap::from([(vec![1], 1)]);
    let mut state = AgentState::new(NodeId::new("n").unwrap());
    let set = state.set(Scope::Tool, "v", &unserialisable);
    assert_eq!(set, Err(AgentStateError::NotSerializable));
}

#[test]
fn a_state_that_its_plain_headers_do_not_repeat_is_refused() {
    let state = |json: &str| encoded(json);
    let full = state(r#"{"nodeId":"n","runId":"r","parentRef":"p"}"#);
    let bare = state(r#"{"nodeId":"n"}"#);
    let extract = |node_id, run_id, parent_ref, state| {
        let headers = AgentHeaders { node_id, run_id, parent_ref, state };
        AgentState::extract(Some(&headers)).map_err(|error| error.to_string())
    };
    let (n, r, p, full) = (Some("N"), Some("r"), Some("p"), Some(full.as_str()));
    for (found, words) in [
        (extract(None, r, p, full), "Missing required header \"x-node-id\"."),
        (extract(Some(" "), r, p, full), "Missing required header \"x-node-id\"."),
        (extract(None, None, None, None), "Missing required header \"x-node-id\"."),
        (extract(Some("m"), r, p, full), "Node ID header mismatch with encoded state."),
        (
            extract(n, None, p, full),
            "Missing required header \"x-agent-ref\" while encoded state includes a runId.",
        ),
        (extract(n, Some("s"), p, full), "Agent runId header mismatch with encoded state."),
        (
            extract(n, r, None, full),
            "Missing required header \"x-agent-parent-ref\" while encoded state includes a parent ref.",
        ),
        (extract(n, r, Some("q"), full), "Agent parent ref header mismatch with encoded state."),
    ] {
        assert_eq!(found, Err(format!("[sec0-agent-state] {words}")));
    }
    let headers = AgentState::extract(None).unwrap_err();
    assert_eq!(
        headers.to_string(),
        "[sec0-agent-state] Headers are required to extract agent state."
    );
    assert!(extract(n, r, p, full).is_ok());
    // A header without its counterpart is taken over.
    for encoded in [None, Some(bare.as_str())] {
        let taken = extract(n, Some("r"), p, encoded).unwrap();
        assert_eq!(taken.run_id.as_ref().map(RunId::as_str), Some("r"));
        assert_eq!(taken.parent_ref.as_ref().map(RunId::as_str), Some("p"));
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Into::into),
            btree_map(any::<String>(), inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn any_state() -> impl Strategy<Value = AgentState> {
    let run = || option::of("[A-Za-z0-9._:-]{1,120}".prop_map(|text| RunId::new(&text).unwrap()));
    let node = "[a-z0-9]{1,80}".prop_map(|text| NodeId::new(&text).unwrap());
    let scope = proptest::sample::select(vec![Scope::Agent, Scope::Gateway, Scope::Tool]);
    let members = || btree_map(any::<String>(), any_value(), 0..3);
    let variables = btree_map(scope, members(), 0..3);
    (node, run(), run(), variables, option::of(members())).prop_map(
        |(node, run_id, parent_ref, variables, metadata)| {
            let mut state = AgentState::new(node);
            (state.run_id, state.parent_ref) = (run_id, parent_ref);
            state.metadata = metadata.map(Map::from_iter);
            for (scope, members) in variables {
                state.merge(scope, Map::from_iter(members));
            }
            state
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_written_is_read_back(state in any_state()) {
        // Larger than a header may be: then it is not written.
        if let Ok(text) = state.encode() {
            prop_assert_eq!(AgentState::decode(&text), Ok(state.clone()));
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            let headers = state.to_headers().unwrap();
            let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str());
            let headers = AgentHeaders {
                node_id: header("x-node-id"),
                run_id: header("x-agent-ref"),
                parent_ref: header("x-agent-parent-ref"),
                state: header("x-agent-state"),
            };
            prop_assert_eq!(AgentState::extract(Some(&headers)), Ok(state));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", json in ".{0,200}") {
        drop((AgentState::decode(&text), decode(&json), NodeId::new(&text), RunId::new(&text)));
    }

    #[test]
    fn a_state_that_was_tampered_with_is_another_one_or_none(
        state in any_state(), at: proptest::sample::Index, byte in "[A-Za-z0-9_-]",
    ) {
        if let Ok(text) = state.encode() {
            let mut changed = text.clone().into_bytes();
            let at = at.index(changed.len());
            changed[at] = byte.as_bytes()[0];
            let changed = String::from_utf8(changed).unwrap();
            if let Ok(read) = AgentState::decode(&changed) {
                // It is still of its form: bounded, and what it says can be written again.
                prop_assert!(read.encode().is_ok());
            }
        }
    }

    #[test]
    fn names_are_always_of_their_form(text in any::<String>()) {
        if let Ok(node) = NodeId::new(&text) {
            let node = node.as_str();
            prop_assert!(node.len() <= 80 && !node.starts_with('-') && !node.contains("--"));
            prop_assert!(node.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
        }
        if let Ok(run) = RunId::new(&text) {
            let run = run.as_str();
            prop_assert!(run.len() <= 120);
            prop_assert!(run.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte)));
            prop_assert_eq!(RunId::new(run).map(|again| again.to_string()), Ok(run.to_owned()));
        }
    }
}
