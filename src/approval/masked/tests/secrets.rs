use super::shown;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is shown of one text.
fn of(text: &str) -> String {
    let text = shown(&json!({ "x": text }));
    let inner = text.strip_prefix("{\n  \"x\": ").and_then(|text| text.strip_suffix("\n}"));
    inner.unwrap().to_owned()
}

#[test]
fn values_under_names_of_secrets_are_masked_at_any_depth() {
    let text = shown(&json!({
        "cardPIN": 1234,
        "list": [{"deep": {"api_key": "abcdefgh"}}],
        "max_tokens": 4096,
        "session": {"id": "s1", "user": "ana"},
        "tokens": ["t1", "t2"],
        "use_password": true,
    }));
    let expected = concat!(
        "{\n  \"cardPIN\": [masked, 4 characters],\n  \"list\": [\n    {\n      \"deep\": {\n",
        "        \"api_key\": [masked, 8 characters]\n      }\n    }\n  ],\n",
        "  \"max_tokens\": 4096,\n  \"session\": [masked, a map of 2],\n",
        "  \"tokens\": [masked, a list of 2],\n  \"use_password\": true\n}",
    );
    assert_eq!(text, expected);
    assert_eq!(shown(&json!({ "pwd": "é" })), "{\n  \"pwd\": [masked, 1 character]\n}");
    assert_eq!(shown(&json!({ "pwd": "" })), "{\n  \"pwd\": \"\"\n}");
}

#[test]
fn values_beside_names_of_secrets_are_masked() {
    let text = shown(&json!({
        "args": ["--user", "ana", "--password", "hunter22", "--dry-run"],
        "headers": [{"name": "Authorization", "value": "abcdefgh"}, {"name": "Accept", "value": "x/y"}],
    }));
    assert!(!text.contains("hunter22") && !text.contains("abcdefgh"), "{text}");
    assert!(text.contains("\"--dry-run\"") && text.contains("\"value\": \"x/y\""), "{text}");
}

#[test]
fn well_known_credentials_are_masked_under_any_name() {
    let long = "Ab1".repeat(12);
    for begin in [
        "AKIA",
        "ghp_",
        "gho_",
        "github_pat_",
        "glpat-",
        "xoxb-",
        "xoxp-",
        "xoxa-",
        "xoxr-",
        "xoxs-",
        "sk-",
        "sk-proj-",
        "sk_live_",
        "AIza",
        "npm_",
        "hf_",
        "SG.",
    ] {
        let secret = format!("{begin}{long}");
        let count = secret.len();
        assert_eq!(of(&secret), format!("[masked, {count} characters]"));
        for (before, after) in [("use ", " now"), ("(", ")"), ("a=", "&b"), ("%20", ""), ("/", "/")]
        {
            let text = of(&format!("{before}{secret}{after}"));
            assert!(!text.contains(&long), "{text}");
            assert!(text.starts_with(&format!("\"{before}\" [masked, {count}")), "{text}");
        }
    }
}

#[test]
fn private_keys_are_masked_with_or_without_their_end() {
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
    {
        let key = format!("-----BEGIN {label}-----\nMIIsecret\n");
        let text = of(&format!("a {key}-----END {label}----- b"));
        assert!(text.starts_with("\"a \" [masked, ") && text.ends_with("] \" b\""), "{text}");
        assert_eq!(of(&key), format!("[masked, {} characters]", key.len()));
    }
    assert!(of("-----BEGIN CERTIFICATE-----\nMII").contains("MII"));
}

#[test]
fn tokens_and_passwords_inside_texts_are_masked() {
    for (text, expected) in [
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl x", "[masked, 38 characters] \" x\""),
        ("Authorization: Bearer abc.def", "\"Authorization: \" [masked, 14 characters]"),
        ("bearer abc.defg!", "\"bearer \" [masked, 8 characters] \"!\""),
        ("Basic dXNlcjpw", "\"Basic \" [masked, 8 characters]"),
        (
            "https://ana:s3cret@host/x?q=1",
            "\"https://ana:\" [masked, 6 characters] \"@host/x?q=1\"",
        ),
        ("postgres://ana:p@ss@h", "\"postgres://ana:\" [masked, 4 characters] \"@h\""),
        ("redis://:p/w@h:1", "\"redis://:\" [masked, 3 characters] \"@h:1\""),
        ("?access_token=abc&b=c", "\"?access_token=\" [masked, 3 characters] \"&b=c\""),
        (
            "{\"password\": \"a\\\"b\", \"x\": 1}",
            "\"{\\\"password\\\": \\\"\" [masked, 4 characters] \"\\\", \\\"x\\\": 1}\"",
        ),
        (
            "{\\\"pin\\\":\\\"12\\\",\\\"x\\\":1}",
            "\"{\\\\\\\"pin\\\\\\\":\\\\\\\"\" [masked, 2 characters] \"\\\\\\\",\\\\\\\"x\\\\\\\":1}\"",
        ),
        ("DB_PASSWORD=hunter2\nX=1", "\"DB_PASSWORD=\" [masked, 7 characters] \"\\nX=1\""),
        (
            "login --password hunter2 --now",
            "\"login --password \" [masked, 7 characters] \" --now\"",
        ),
        ("Cookie: a=b; c=d\nX: 1", "\"Cookie: \" [masked, 8 characters] \"\\nX: 1\""),
        ("authorization=Bearer abcdefgh x", "\"authorization=\" [masked, 15 characters] \" x\""),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_credential_is_shown() {
    for text in [
        "the task-list-of-the-day-and-more",
        "risk-assessment-of-this-quarter",
        "sk-short",
        "ghp_x",
        "Basic authentication",
        "bearer",
        "http://host:8080/a@b",
        "mcp://demo/pay@1.0",
        "ana@example.com",
        "token",
        "the password is needed",
        "a pin, a token",
        "eyJ",
        "eyJhbGci.x",
        "https://ana@host/",
        "https://[::1]:80/@",
        "--no-password",
        "--token --quiet",
        "AKIA",
        "file://c:/a@b",
        "secretary=ana",
    ] {
        assert_eq!(of(text), format!("\"{text}\""));
    }
}

#[test]
fn names_of_members_are_texts_too() {
    let secret = format!("ghp_{}", "a1".repeat(18));
    let text = shown(&json!({ secret.clone(): 1 }));
    assert_eq!(text, "{\n  [masked, 40 characters]: 1\n}");
}

/// A place in arguments where a secret can stand.
fn place(at: usize, secret: &str) -> Value {
    match at {
        0 => json!({ "password": secret }),
        1 => json!([[{ "a": { "authToken": [secret] } }]]),
        2 => json!({ "x": format!("https://ana:{secret}@host/") }),
        3 => json!({ "x": format!("a b Bearer {secret}, and more") }),
        4 => json!({ "x": format!("x=1&api_key={secret}&y=2") }),
        5 => json!({ "x": format!("{{\"secret\":\"{secret}\"}}") }),
        6 => {
            json!({ "x": format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----") })
        }
        7 => json!({ "x": format!("é{}ghp_{secret}", "\u{202e}") }),
        8 => json!({ "headers": [{ "name": "x-api-key", "value": secret }] }),
        _ => json!(["--token", secret]),
    }
}

proptest! {
    #[test]
    fn no_secret_comes_through(
        secret in "[A-Za-z0-9]{20,60}",
        at in 0..10_usize,
        before in any::<String>(),
        deep in 0..6_usize,
    ) {
        prop_assume!(!before.contains(['"', '\\', '\'']));
        let value = (0..deep).fold(place(at, &secret), |inner, _| json!({ "in": [before.clone(), inner] }));
        let text = shown(&json!({ "a": before, "b": value }));
        prop_assert!(!text.contains(&secret), "{}", text);
        prop_assert!(text.contains("[masked, "), "{}", text);
    }
}
