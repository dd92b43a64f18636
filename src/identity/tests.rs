use super::*;
use crate::call::{Claimed, Hex, Unusable};
use crate::digest::{Digest, DigestKey};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A caller by what it says in each header.
#[derive(Default)]
struct Caller(HashMap<&'static str, String>);

impl Claimant for Caller {
    fn claim(&self, name: ClaimName) -> Said<'_> {
        match self.0.get(name.header()).map(String::as_str) {
            None => Said::Nothing,
            Some("two") => Said::Unusable(Unusable::Ambiguous),
            Some(text) => Said::Text(text.into()),
        }
    }

    fn origin(&self) -> Origin {
        Origin::Local
    }
}

fn said_in(detail: Detail, headers: &[(&'static str, &str)]) -> Claimed {
    let headers = headers.iter().map(|(name, text)| (*name, (*text).to_owned()));
    claims(&Caller(headers.collect()), detail, None)
}

fn said(headers: &[(&'static str, &str)]) -> Claimed {
    said_in(Detail::default(), headers)
}

/// The rejected claims as the record has them.
fn rejected(claimed: &Claimed) -> Vec<String> {
    let rejected = claimed.rare.iter().flat_map(|rare| &rare.rejected);
    rejected.map(|one| format!("{}:{}", one.claim, one.why.as_str())).collect()
}

fn auth(claimed: &Claimed) -> Value {
    let auth = claimed.rare.as_ref().and_then(|rare| rare.auth.as_ref());
    auth.map_or(Value::Null, |auth| serde_json::from_str(auth.as_str()).unwrap())
}

fn context(context: &Value) -> Claimed {
    said(&[("x-auth-context", &context.to_string())])
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[test]
fn who_says_nothing_claims_nothing() {
    assert_eq!(said(&[]), Claimed::default());
    let blank: Vec<_> = ClaimName::ALL.iter().map(|name| (name.header(), "  \t ")).collect();
    assert_eq!(said(&blank), Claimed::default());
}

#[test]
fn a_claim_that_cannot_be_used_is_absent_and_named() {
    let longest = "k".repeat(256);
    let long = format!("{longest}k");
    for (header, text, why) in [
        ("x-node-id", "../..", "malformed"),
        ("x-node-id", "two", "ambiguous"),
        ("x-node-id", &*"a".repeat(1025), "too_long"),
        ("x-agent-ref", &*"a".repeat(1025), "too_long"),
        ("x-agent-parent-ref", &*"a".repeat(1025), "too_long"),
        ("x-idempotency-key", &*long, "too_long"),
        ("x-idempotency-key", "a\nb", "unprintable"),
        ("x-idempotency-key", "a\u{202e}b", "unprintable"),
        ("x-idempotency-key", "two", "ambiguous"),
        ("traceparent", "00-x-y-01", "malformed"),
        ("x-cause-trace", TRACE, "inconsistent"),
        ("x-cause-span", SPAN, "inconsistent"),
        ("x-cause-span", "00F067AA0BA902B7", "malformed"),
        ("x-agent-state", "%", "malformed"),
        ("x-agent-state", &*"A".repeat(8193), "too_long"),
        ("x-auth-context", "no json", "malformed"),
        ("x-auth-context", &*" {}".repeat(2000), "too_long"),
        ("authorization", "cm9vdA", "malformed"),
    ] {
        let claimed = said(&[(header, text)]);
        assert_eq!(rejected(&claimed), [format!("{header}:{why}")], "{text}");
        let rare = claimed.rare.clone().unwrap();
        assert_eq!(claimed.idempotency_key, None);
        assert_eq!((claimed.node_id, claimed.agent_ref, claimed.cause), (None, None, None));
        assert_eq!((rare.parent_ref, rare.state_sha256, rare.auth), (None, None, None));
    }
    assert!(said(&[("x-idempotency-key", &longest)]).idempotency_key.is_some());
}

#[test]
fn an_idempotency_key_of_more_than_64_characters_is_kept_as_its_digest() {
    let key = DigestKey::new(&Secret::new([7; 32]));
    let kept = |text: &str, key: Option<&DigestKey>| {
        let caller = Caller(HashMap::from([("x-idempotency-key", text.to_owned())]));
        claims(&caller, Detail::default(), key).idempotency_key.unwrap().into_string()
    };
    // Characters count, not bytes.
    for short in ["k".repeat(64), "é".repeat(64)] {
        assert_eq!(kept(&short, None), short);
        assert_eq!(kept(&short, Some(&key)), short);
    }
    for long in ["k".repeat(65), "é".repeat(65), "k".repeat(256)] {
        assert_eq!(kept(&long, None), format!("sha256:{}", Digest::of(long.as_bytes())));
        let keyed = kept(&long, Some(&key));
        assert_eq!(keyed, format!("hmac-sha256:{}", Hex(&key.digest(long.as_bytes()))));
        // A digest that is sent is not the key it is the digest of.
        assert_ne!(kept(&kept(&long, None), None), kept(&long, None));
        assert_ne!(kept(&keyed, Some(&key)), keyed);
    }
}

#[test]
fn the_digest_of_the_state_is_taken_under_the_key_where_there_is_one() {
    let key = DigestKey::new(&Secret::new([7; 32]));
    let state = URL_SAFE_NO_PAD.encode(r#"{"version":1,"nodeId":"n"}"#);
    let headers = HashMap::from([("x-node-id", "n".to_owned()), ("x-agent-state", state.clone())]);
    let rare = |key: Option<&DigestKey>| {
        *claims(&Caller(headers.clone()), Detail::default(), key).rare.unwrap()
    };
    let (plain, keyed) = (rare(None), rare(Some(&key)));
    assert_eq!(plain.state_sha256, Some(*Digest::of(state.as_bytes()).as_bytes()));
    assert_eq!(plain.state_hmac_sha256, None);
    assert_eq!(keyed.state_sha256, None);
    assert_eq!(keyed.state_hmac_sha256, Some(key.digest(state.as_bytes())));
}

#[test]
fn the_pair_of_cause_headers_comes_before_traceparent() {
    let traceparent = format!("00-{}-{}-01", "1".repeat(32), "2".repeat(16));
    let cause = |headers: &[(&'static str, &str)]| {
        let claimed = said(headers);
        let cause = claimed.cause.map(|ids| ids.trace_hex().to_string());
        (cause.unwrap_or_default(), rejected(&claimed))
    };
    let (pair, other) = (TRACE.to_owned(), "1".repeat(32));
    let trace = ("x-cause-trace", TRACE);
    let traceparent = ("traceparent", traceparent.as_str());
    assert_eq!(cause(&[trace, ("x-cause-span", SPAN), traceparent]), (pair, vec![]));
    assert_eq!(cause(&[traceparent]), (other.clone(), vec![]));
    // Half a pair is none, and nothing of it is mixed with the other header.
    assert_eq!(
        cause(&[trace, traceparent]),
        (other.clone(), vec!["x-cause-trace:inconsistent".to_owned()])
    );
    let zero = "0".repeat(16);
    assert_eq!(
        cause(&[trace, ("x-cause-span", &zero), traceparent]),
        (other, vec!["x-cause-span:malformed".to_owned(), "x-cause-trace:inconsistent".to_owned()])
    );
}

#[test]
fn a_state_counts_only_beside_headers_that_say_the_same() {
    let state = json!({
        "version": 1, "nodeId": "Desk", "runId": "run:1", "parentRef": "run:0",
        "variables": {"tool": {"b": "s3cret", "a": 1e21}}, "metadata": {"m": "s3cret"},
    });
    let state = URL_SAFE_NO_PAD.encode(state.to_string());
    let (node, run) = (("x-node-id", "desk"), ("x-agent-ref", "run:1"));
    let (parent, state) = (("x-agent-parent-ref", "run:0"), ("x-agent-state", state.as_str()));

    let claimed = said(&[node, run, parent, state]);
    let rare = claimed.rare.as_ref().unwrap();
    assert_eq!(rejected(&claimed), [""; 0]);
    assert_eq!(rare.parent_ref.as_deref(), Some("run:0"));
    assert_eq!(rare.state_sha256, Some(*Digest::of(state.1.as_bytes()).as_bytes()));
    assert_eq!(rare.variables, None);
    assert!(!format!("{claimed:?}").contains("s3cret"));

    let detail = Detail { variables: true, ..Detail::default() };
    let claimed = said_in(detail, &[node, run, parent, state]);
    let variables = claimed.rare.unwrap().variables.unwrap();
    assert_eq!(variables.as_str(), r#"{"TOOL":{"a":1e+21,"b":"s3cret"}}"#);

    for headers in [
        &[run, parent, state][..],
        &[node, parent, state],
        &[node, run, state],
        &[("x-node-id", "other"), run, parent, state],
        &[("x-node-id", "two"), run, parent, state],
    ] {
        let claimed = said_in(detail, headers);
        assert!(rejected(&claimed).contains(&"x-agent-state:inconsistent".to_owned()));
        let rare = claimed.rare.unwrap();
        assert_eq!((rare.state_sha256, rare.variables), (None, None));
    }
}

#[test]
fn an_auth_context_is_recorded_as_claimed_with_its_known_members_only() {
    let given = json!({
        "scheme": "bearer", "user_hash": "u", "tenant": "acme", "roles": ["a", "b"],
        "token_sha256": "0".repeat(64), "verified": true, "token": "s3cret",
        "jwt": {"sub": "root", "iss": "i", "aud": ["x"], "exp": 1, "iat": 2, "email": "e@x",
                "tenant": "t", "raw": "s3cret", "nbf": 3},
    });
    let claimed = context(&given);
    let kept = json!({
        "scheme": "bearer", "user_hash": "u", "tenant": "acme", "roles": ["a", "b"],
        "token_sha256": "0".repeat(64), "verified": false, "other_members": 4,
        "jwt": {"sub": "root", "iss": "i", "aud": ["x"], "exp": 1, "iat": 2, "email": "e@x",
                "tenant": "t"},
    });
    assert_eq!(auth(&claimed), kept);
    assert!(!format!("{claimed:?}").contains("s3cret"));
    for scheme in ["assertion", "bearer", "prehashed", "none"] {
        let least = json!({"scheme": scheme});
        assert_eq!(auth(&context(&least)), json!({"scheme": scheme, "verified": false}));
    }
}

#[test]
fn an_auth_context_that_is_not_of_its_form_is_rejected_as_a_whole() {
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.";
    for (given, why) in [
        (json!({}), "malformed"),
        (json!([]), "malformed"),
        (json!({"scheme": "root"}), "malformed"),
        (json!({"scheme": null}), "malformed"),
        (json!({"scheme": "none", "roles": "admin"}), "malformed"),
        (json!({"scheme": "none", "roles": [1]}), "malformed"),
        (json!({"scheme": "none", "roles": vec!["r"; 33]}), "too_long"),
        (json!({"scheme": "none", "roles": ["r".repeat(65)]}), "too_long"),
        (json!({"scheme": "none", "tenant": "t".repeat(257)}), "too_long"),
        (json!({"scheme": "none", "tenant": "a\nb"}), "unprintable"),
        (json!({"scheme": "none", "tenant": "a\u{202e}b"}), "unprintable"),
        (json!({"scheme": "none", "token_sha256": "s3cret"}), "malformed"),
        (json!({"scheme": "none", "token_sha256": "A".repeat(64)}), "malformed"),
        (json!({"scheme": "bearer", "user_hash": token}), "malformed"),
        (json!({"scheme": "bearer", "user_hash": "Bearer s3cret"}), "malformed"),
        (json!({"scheme": "none", "jwt": "x"}), "malformed"),
        (json!({"scheme": "none", "jwt": {"exp": -1}}), "malformed"),
        (json!({"scheme": "none", "jwt": {"exp": 1.5}}), "malformed"),
        (json!({"scheme": "none", "jwt": {"iat": 1_u64 << 53}}), "malformed"),
        (json!({"scheme": "none", "jwt": {"aud": 1}}), "malformed"),
        (json!({"scheme": "none", "x": vec![0; 200]}), "malformed"),
        (json!({"scheme": "none", "x": [[[[[[[[1]]]]]]]]}), "malformed"),
    ] {
        let claimed = context(&given);
        assert_eq!(rejected(&claimed), [format!("x-auth-context:{why}")], "{given}");
        assert_eq!(auth(&claimed), Value::Null, "{given}");
    }
}

#[test]
fn of_credentials_only_the_scheme_is_kept() {
    let digests = Detail { token_sha256: true, ..Detail::default() };
    let sha = Digest::of(b"s3cret").to_string();
    for (given, scheme, has_digest) in [
        ("Bearer s3cret", "bearer", true),
        ("DPoP  s3cret", "dpop", true),
        ("basic s3cret", "basic", false),
        ("s3cret s3cret", "other", false),
    ] {
        let claimed = said(&[("authorization", given)]);
        assert_eq!(auth(&claimed), json!({"scheme": scheme, "verified": false}));
        let mut expected = json!({"scheme": scheme, "verified": false});
        if has_digest {
            expected["token_sha256"] = json!(sha);
        }
        let claimed = said_in(digests, &[("authorization", given)]);
        assert_eq!(auth(&claimed), expected);
    }
    // The context comes first; one that cannot be used leaves its place.
    let both = |context| said(&[("authorization", "Bearer s3cret"), ("x-auth-context", context)]);
    assert_eq!(auth(&both(r#"{"scheme":"none"}"#))["scheme"], "none");
    assert_eq!(auth(&both("{"))["scheme"], "bearer");
    assert_eq!(rejected(&both("{")), ["x-auth-context:malformed"]);
}

#[test]
fn a_principal_says_whether_somebody_vouches_for_it() {
    let alice = VerifiedPrincipal::new("user:alice").unwrap();
    for (principal, name, is_verified) in [
        (Principal::verified(&alice), "user:alice", true),
        (Principal::anonymous_http(), "http:anonymous", false),
        (Principal::anonymous_remote(), "remote:anonymous", false),
    ] {
        assert_eq!((&**principal.name(), principal.is_verified()), (name, is_verified));
    }
    assert!(Principal::local().is_verified() && Principal::local().name().starts_with("local:"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_said_is_bounded_well_formed_and_each_claim_is_rejected_once(
        texts in proptest::collection::hash_map(
            proptest::sample::select(ClaimName::ALL.map(ClaimName::header).to_vec()),
            prop_oneof![any::<String>(), "[\"{}a-z0-9:,._ -]{0,60}", Just(format!("00-{TRACE}-{SPAN}-01"))],
            0..10,
        ),
    ) {
        let detail = Detail { variables: true, token_sha256: true };
        let claimed = claims(&Caller(texts), detail, None);
        prop_assert!(claimed.node_id.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= 80));
        prop_assert!(claimed.agent_ref.as_ref().is_none_or(|id| !id.is_empty() && id.len() <= 120));
        prop_assert!(claimed.idempotency_key.as_ref().is_none_or(|key| key.len() <= 256));
        let names = rejected(&claimed);
        let mut claims: Vec<_> = names.iter().map(|name| name.split(':').next()).collect();
        claims.sort_unstable();
        claims.dedup();
        prop_assert_eq!(claims.len(), names.len());
        if auth(&claimed) != Value::Null {
            prop_assert_eq!(&auth(&claimed)["verified"], &json!(false));
        }
    }
}
