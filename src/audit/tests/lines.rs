use super::*;
use crate::audit::chain::{Chain, Ties, splice};
use crate::audit::envelope::{Form, write_call};
use crate::audit::event::{Missed, write_event};
use crate::audit::read::Line;
use crate::call::{
    Basis, CircuitChange, CircuitState, Claimed, Decision, JsonText, KeyedDigests, LockRule, Op,
    Operation, RareClaims, RejectedClaim, ToolName, Unusable,
};
use crate::digest::Digest;
use base64::Engine as _;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const GOLDEN: &str = include_str!("golden.ndjson");

fn sealed(write: impl FnOnce(&mut Vec<u8>, &Ties<'_>) -> usize) -> String {
    let signer = TestSigner::new();
    let chain = Chain { seq: 41, prev: Digest::of(b"the line before") };
    let key_id = signer.public_key().key_id();
    let mut unsigned = Vec::new();
    let at = write(&mut unsigned, &Ties { chain: &chain, key_id: &key_id });
    let mut line = Vec::new();
    let signature = Signature::from_bytes(signer.key.sign(&unsigned).to_bytes());
    splice(&mut line, &unsigned, at, &signature);
    String::from_utf8(line).unwrap()
}

fn call(facts: &Facts, site: &Site) -> String {
    sealed(|out, ties| write_call(out, facts, site, Form::Line(ties)))
}

/// The recipe of the original, with other people's code: parse, take `sig` out, canonicalise,
/// verify.
fn verifies_by_recipe(line: &str) -> bool {
    let mut row = json(line);
    let sig = row.as_object_mut().unwrap().remove("sig").unwrap();
    let sig = sig.as_str().unwrap().strip_prefix("ed25519:").unwrap();
    let sig = base64::engine::general_purpose::STANDARD.decode(sig).unwrap();
    let signed = serde_json_canonicalizer::to_vec(&row).unwrap();
    let sig = ed25519_dalek::Signature::from_slice(&sig).unwrap();
    TestSigner::new().key.verifying_key().verify_strict(&signed, &sig).is_ok()
}

fn assert_sound(line: &str) {
    assert_eq!(serde_json_canonicalizer::to_string(&json(line)).unwrap(), line);
    assert!(verifies_by_recipe(line), "{line}");
    verify_line(line.as_bytes(), &TestSigner::new().public_key()).unwrap();
    let mut unsigned = Vec::new();
    Line::read(line).unwrap().write_unsigned(&mut unsigned);
    let mut row = json(line);
    row.as_object_mut().unwrap().remove("sig");
    assert_eq!(unsigned, serde_json_canonicalizer::to_vec(&row).unwrap());
}

fn any_text() -> impl Strategy<Value = Box<str>> {
    prop_oneof![any::<String>(), "[\"\\\\\u{0}-\u{20}\u{7f}-\u{a0}é😀]{0,40}", "[é😀a]{900,1100}"]
        .prop_map(String::into_boxed_str)
}

fn any_claims() -> impl Strategy<Value = Claimed> {
    let cause = option::of(any::<([u8; 16], [u8; 8])>());
    let texts = (option::of(any_text()), option::of(any_text()), option::of(any_text()));
    let rare = option::of(any_rare_claims().prop_map(Box::new));
    (texts, cause, rare).prop_map(|((node_id, agent_ref, idempotency_key), cause, rare)| Claimed {
        node_id,
        agent_ref,
        idempotency_key,
        cause: cause.map(|(trace, span)| SpanIds::new(trace, span)),
        rare,
    })
}

fn any_operation() -> impl Strategy<Value = Option<Operation>> {
    let ops = [Op::Create, Op::Delete, Op::Read, Op::Update];
    let bases = [Basis::Policy, Basis::Annotations, Basis::Name];
    let parts = (
        proptest::sample::select(ops.to_vec()),
        any::<bool>(),
        proptest::sample::select(bases.to_vec()),
    );
    option::of(parts.prop_map(|(op, side_effect, basis)| Operation { op, side_effect, basis }))
}

fn any_rare_claims() -> impl Strategy<Value = RareClaims> {
    let json = || {
        option::of(any_json().prop_map(|value| {
            JsonText::from_canonical(serde_json_canonicalizer::to_string(&value).unwrap())
        }))
    };
    let rejected = proptest::sample::subsequence(
        vec![
            RejectedClaim::new("authorization", Unusable::Malformed),
            RejectedClaim::new("x-agent-state", Unusable::Inconsistent),
            RejectedClaim::new("x-node-id", Unusable::Ambiguous),
        ],
        0..=3,
    );
    let digests = any::<[Option<[u8; 32]>; 2]>();
    (option::of(any_text()), digests, json(), json(), rejected).prop_map(
        |(parent_ref, [state_sha256, state_hmac_sha256], variables, auth, rejected)| RareClaims {
            parent_ref,
            state_sha256,
            state_hmac_sha256,
            variables,
            auth,
            rejected,
        },
    )
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let reason = || proptest::sample::select(Reason::ALL);
    let decision =
        prop_oneof![Just(Decision::Allow), Just(Decision::Deny), Just(Decision::WouldDeny)];
    let names = (any_text(), any_text(), any_text(), option::of(any_text()));
    let digests = any::<([Option<[u8; 32]>; 3], Option<[Option<[u8; 32]>; 2]>)>();
    let found = (decision, vec(reason(), 0..6), option::of(reason()), any::<bool>());
    let rest = (
        any::<i64>(),
        any::<u64>(),
        any_claims(),
        any_text(),
        option::of(any_text()),
        any_operation(),
    );
    (names, digests, found, rest).prop_map(|(names, digests, found, rest)| {
        let server = Arc::new(ServerIdent::new(&names.0, &names.1));
        let span = SpanIds::new([0; 16], [9; 8]);
        let arrived = Timestamp::from_millis(rest.0);
        let mut facts =
            Facts::at_entry(arrived, span, server, names.2.into_string().into(), [5; 32]);
        facts.version = names.3.as_deref().and_then(ToolVersion::new);
        [facts.input_sha256, facts.output_sha256, facts.registry_sha256] = digests.0;
        facts.keyed = digests.1.map(|[input, output]| {
            let mut keyed = KeyedDigests::under([7; 8]);
            (keyed.input, keyed.output) = (input, output);
            Box::new(keyed)
        });
        facts.decision = found.0;
        found.1.into_iter().for_each(|reason| facts.found(reason));
        facts.refused_for = found.2.map(Into::into);
        facts.started = found.3.then(|| System.monotonic());
        facts.latency = Duration::from_millis(rest.1);
        facts.claimed = rest.2;
        facts.principal = Some(rest.3.into());
        facts.task_id = rest.4;
        facts.operation = rest.5;
        facts
    })
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any_text().prop_map(|text| serde_json::Value::from(&*text)),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            vec((any_text(), inner), 0..4).prop_map(|members| {
                members.into_iter().map(|(key, value)| (key.into_string(), value)).collect()
            }),
        ]
    });
    vec((any_text(), tree), 0..4).prop_map(|members| {
        members.into_iter().map(|(key, value)| (key.into_string(), value)).collect()
    })
}

proptest! {
    #![proptest_config(cases(48))]
    #[test]
    fn every_call_becomes_one_canonical_line_that_the_originals_recipe_verifies(
        facts in any_facts(), tenant in any_text(), retention in any_text(),
        env in option::of(any_text()),
    ) {
        let mut site = Site::middleware(&tenant, &retention);
        site.program.env = env;
        let line = call(&facts, &site);
        prop_assert!(!line.contains('\n') && line.len() < MAX_LINE);
        assert_sound(&line);
    }

    #[test]
    fn every_event_becomes_one_canonical_line(
        name in any_text(), counts: [u64; 3], at: i64, bytes: u64,
    ) {
        let at = Timestamp::from_millis(at);
        let server = Arc::new(ServerIdent::new(&name, "1"));
        let name = ToolName::new(name.into_string());
        let [refused, ran, events] = counts;
        let missed = Missed { refused, ran, events, first: at, last: at };
        let cut = Cut { file: name.as_str().to_owned(), bytes };
        let state = if bytes % 2 == 0 { CircuitState::Open } else { CircuitState::Closed };
        let change = CircuitChange { state, calls: 3, failed: 2, slow: 1 };
        let found = [("added", refused), ("removed", ran), ("renamed", events), ("changed", bytes)];
        let [with, without] = [LockRule::Require, LockRule::Warn].map(|rule| {
            let registry = Digest::of(b"registry");
            let mut lapse = Lapse::new(rule, Arc::clone(&server), registry);
            if rule == LockRule::Require {
                lapse.locked = Some(Digest::of(b"lock"));
                for (kind, _) in found.into_iter().filter(|(_, count)| count % 2 == 0) {
                    lapse.count(kind, name.as_str());
                }
            }
            lapse
        });
        let (registry, policy) = (Digest::of(b"registry"), Digest::of(b"policy"));
        let listed = Listed { server: Arc::clone(&server), registry, policy, shown: ran, withheld: events };
        for event in [
            Event::tools_list(at, listed),
            Event::registry_drift(at, SpanIds::default(), with),
            Event::registry_drift(at, SpanIds::default(), without),
            Event::registry_mutation(at, SpanIds::default(), Arc::clone(&server), &name),
            Event::circuit(at, SpanIds::default(), server, &name, change),
            Event::recovery(at, missed),
            Event::cut(at, cut),
            Event::revived(at, refused, ran),
            Event::key_change(at, TestSigner::new().public_key()),
        ] {
            let line = sealed(|out, ties| write_event(out, &event, &site(), ties));
            assert_sound(&line);
            for absent in ["tool", "target_tool", "policy", "input_sha256"] {
                prop_assert!(json(&line).get(absent).is_none());
            }
        }
    }

}

/// The original would sort `1` before `0a`.
#[test]
fn a_line_with_names_that_are_array_indices_verifies_alone() {
    let mut facts = facts(3);
    let variables = JsonText::from_canonical("{\"0a\":null,\"1\":null}".to_owned());
    facts.claimed.rare = Some(Box::new(RareClaims {
        parent_ref: None,
        state_hmac_sha256: None,
        state_sha256: None,
        variables: Some(variables),
        auth: None,
        rejected: Vec::new(),
    }));
    assert_sound(&call(&facts, &site()));
}

proptest! {
    #![proptest_config(cases(256))]
    #[test]
    fn the_reader_takes_what_is_canonical(value in any_json()) {
        let text = serde_json_canonicalizer::to_string(&value).unwrap();
        prop_assert!(Line::read(&text).is_ok(), "{}", text);
    }

    #[test]
    fn the_reader_takes_nothing_that_is_not_canonical(
        value in any_json(), at: proptest::sample::Index, byte in "[0-9a-fu\\\\\",:.{}\\[\\] +-]",
        how in 0..3,
    ) {
        let mut text = serde_json_canonicalizer::to_string(&value).unwrap();
        let at = text.floor_char_boundary(at.index(text.len()));
        match how {
            0 => text.insert_str(at, &byte),
            1 => drop(text.remove(at)),
            _ => { text.remove(at); text.insert_str(at, &byte); }
        }
        if Line::read(&text).is_ok() {
            prop_assert_eq!(serde_json_canonicalizer::to_string(&json(&text)).unwrap(), text);
        }
    }
}

#[test]
fn the_reader_takes_a_number_in_its_one_spelling_only() {
    let is_read = |number: &str| Line::read(&format!("{{\"n\":{number}}}")).is_ok();
    for number in ["0", "-1", "10", "0.000001", "1e-7", "1e+21", "9007199254740993000", "5e-324"] {
        assert!(is_read(number), "{number}");
    }
    for number in [
        "-0",
        "01",
        "1.0",
        "1.",
        ".5",
        "+1",
        "0.0000001",
        "1e21",
        "1E+21",
        "1e-07",
        "1e+2",
        "9007199254740993",
        "1e+309",
        "-",
        "e",
        "1-1",
        "",
        "NaN",
        "inf",
    ] {
        assert!(!is_read(number), "{number}");
    }
}

#[test]
fn the_line_of_a_call_is_this_one() {
    let mut facts = facts(3);
    facts.found(Reason::VersionUnpinned);
    facts.found(Reason::ToolNotInAllowlist);
    facts.refused_for = Some(Reason::ToolNotInAllowlist.into());
    facts.decision = Decision::Deny;
    facts.status = Status::Denied;
    facts.started = None;
    facts.latency = Duration::ZERO;
    facts.output_sha256 = None;
    facts.claimed.node_id = Some("node \"7\"\n".into());
    facts.claimed.agent_ref = Some("agent/é".into());
    facts.claimed.cause = Some(SpanIds::new([1; 16], [2; 8]));
    let auth = r#"{"roles":["buyer"],"scheme":"bearer","verified":false}"#;
    facts.claimed.rare = Some(Box::new(RareClaims {
        parent_ref: Some("run:7".into()),
        state_hmac_sha256: None,
        state_sha256: Some([0x55; 32]),
        variables: None,
        auth: Some(JsonText::from_canonical(auth.to_owned())),
        rejected: vec![RejectedClaim::new("x-cause-span", Unusable::Inconsistent)],
    }));
    facts.task_id = Some("task-1".into());
    facts.operation = Some(Operation { op: Op::Read, side_effect: false, basis: Basis::Name });
    let mut site = site();
    // The version in the line is the crate's; it must not change the line of this test.
    site.server = "sec0-middleware@0.1.0".into();
    let line = call(&facts, &site);
    assert_eq!(line, GOLDEN.trim_end(), "\n{line}");
    assert!(include_str!("../../../docs/audit.md").contains(&line), "the example in the docs");
    assert_sound(&line);
}

#[test]
fn a_text_of_any_length_makes_a_line_of_bounded_length() {
    let mut facts = facts(0);
    facts.task_id = Some("\u{1}".repeat(3 * MAX_LINE).into());
    facts.principal = Some("é".repeat(MAX_LINE).into());
    let line = call(&facts, &site());
    assert!(line.len() < 20_000);
    assert!(json(&line)["task_id"].as_str().unwrap().ends_with("\u{1}…"));
    assert_sound(&line);
}

#[test]
fn a_call_that_ran_without_a_finding_has_no_reasons() {
    let line = json(&call(&facts(0), &site()));
    for absent in ["decision_reason", "risk_tags", "risk_score", "denial_level", "nodeId", "op"] {
        assert!(line.get(absent).is_none(), "{absent}");
    }
    assert_eq!(line["executed"], true);
    assert_eq!(line["policy"], serde_json::json!({"decision": "allow", "retention": "30d"}));
    assert_eq!(line["check_kind"], "static");
}

#[test]
fn a_change_of_handler_or_registry_is_a_dynamic_finding() {
    for reason in [Reason::HandlerSwap, Reason::RegistryMutation] {
        let mut facts = facts(0);
        facts.found(reason);
        assert_eq!(json(&call(&facts, &site()))["check_kind"], "dynamic");
    }
}

#[test]
fn a_line_of_the_original_verifies() {
    // Members in the order in which the original writes them; signed in canonical order.
    let row = serde_json::json!({
        "ts": "2026-01-02T03:04:05.678Z", "trace_id": "00", "span_id": "01", "tenant": "t",
        "server": "s@1", "tool": "t@1", "status": "ok", "latency_ms": 3, "retries": 0,
        "input_sha256": null, "output_sha256": null,
        "policy": {"retention": "30d", "decision": "allow"}, "idempotency_key": null,
    });
    let signer = TestSigner::new();
    let sig = signer.key.sign(&serde_json_canonicalizer::to_vec(&row).unwrap());
    let sig = base64::engine::general_purpose::STANDARD.encode(sig.to_bytes());
    let line = format!(
        "{{\"ts\":\"2026-01-02T03:04:05.678Z\",\"trace_id\":\"00\",\"span_id\":\"01\",\
         \"tenant\":\"t\",\"server\":\"s@1\",\"tool\":\"t@1\",\"status\":\"ok\",\"latency_ms\":3,\
         \"retries\":0,\"input_sha256\":null,\"output_sha256\":null,\"policy\":{{\"retention\":\
         \"30d\",\"decision\":\"allow\"}},\"idempotency_key\":null,\"sig\":\"ed25519:{sig}\"}}\n"
    );
    let keys = [signer.public_key()];
    verify_line(line.as_bytes(), &keys[0]).unwrap();
    let changed = line.replace("\"latency_ms\":3", "\"latency_ms\":4");
    assert_eq!(verify_line(changed.as_bytes(), &keys[0]), Err(Fault::BadSignature));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("audit-2026-01-02.ndjson"), format!("{line}{line}")).unwrap();
    assert!(verify_dir(dir.path(), &keys).unwrap_err().to_string().contains(".ndjson:1: "));
    let verifier = Verifier::new(&keys).unwrap().allow_unchained(true);
    let totals = verifier.verify_dir(dir.path()).unwrap();
    assert_eq!((totals.records, totals.by_status["ok"], totals.first_seq), (2, 2, None));
}

#[test]
fn a_line_of_the_original_counts_also_where_its_order_is_not_that_of_rfc_8785() {
    let form =
        r#"{"agentVariables":{"9":1,"10":2},"status":"error","ts":"2026-01-02T03:04:05.678Z"}"#;
    let signer = TestSigner::new();
    let sig = signer.key.sign(form.as_bytes());
    let sig = base64::engine::general_purpose::STANDARD.encode(sig.to_bytes());
    let line =
        form.replace('}', "").replace(":2", ":2}") + &format!(",\"sig\":\"ed25519:{sig}\"}}\n");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("audit-2026-01-02.ndjson"), line).unwrap();
    let verifier = Verifier::new(&[signer.public_key()]).unwrap().allow_unchained(true);
    let totals = verifier.verify_dir(dir.path()).unwrap();
    assert_eq!((totals.records, totals.by_status["error"]), (1, 1));
    assert_eq!(totals.last_ts.as_deref(), Some("2026-01-02T03:04:05.678Z"));
}
