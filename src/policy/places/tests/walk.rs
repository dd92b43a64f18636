use super::super::super::compiled::Policy;
use super::super::disk::{Disk, NoDisk, Seen};
use super::super::find::find;
use super::super::look::Places;
use crate::call::{Declared, PlaceKind, PlaceKinds, ToolRef};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

const LISTS: &str = "{egress_allowlist: [api.example.com], fs_allowlist: ['/data/*']}";

fn policy(security: &str, overrides: &str) -> Policy {
    let text = format!(
        "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\nenforcement: {{}}\n\
         tools: {{allowlist: ['mcp://demo/*'], overrides: {overrides}}}\nsecurity: {security}\n"
    );
    Policy::from_yaml(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn looked(policy: &Policy, schema: &Value, arguments: &Value) -> Places {
    let declared = Declared::of_schema(schema.as_object().unwrap());
    policy.look(ToolRef::new("demo", "t", None), &declared, arguments.as_object(), &NoDisk)
}

/// The first URL and the first path that are outside.
fn outside(policy: &Policy, schema: &Value, arguments: &Value) -> (Option<String>, Option<String>) {
    let places = looked(policy, schema, arguments);
    (places.egress_violation().map(Into::into), places.fs_violation().map(Into::into))
}

#[test]
fn arguments_are_found_by_name_at_any_depth() {
    let policy = policy(LISTS, "[]");
    let (good, bad) = ("https://api.example.com/", "https://evil.test/");
    for (arguments, url, path) in [
        (json!({"url": good, "path": "/data/x", "text": bad}), None, None),
        (json!({"url": bad}), Some("/url"), None),
        (json!({"imageUrl": bad, "x": 1}), Some("/imageUrl"), None),
        (json!({"urls": [good, bad]}), Some("/urls/1"), None),
        (json!({"urls": [[good], [[bad]]]}), Some("/urls/1/0/0"), None),
        (json!({"a": {"b": [{"callback_uri": bad}]}}), Some("/a/b/0/callback_uri"), None),
        (json!({"url": 7}), Some("/url"), None),
        (json!({"url": null}), Some("/url"), None),
        (json!({"url": true}), Some("/url"), None),
        (json!({"url": []}), None, None),
        (json!({"urls": [good, 7]}), Some("/urls/1"), None),
        (json!({"url": "relative"}), Some("/url"), None),
        (json!({"file": "/etc/passwd"}), None, Some("/file")),
        (json!({"outputDir": "/data/../etc"}), None, Some("/outputDir")),
        (json!({"files": [{"path": "/data/x", "content": "/etc"}]}), None, None),
        (json!({"files": [{"path": "/etc/x", "content": ""}]}), None, Some("/files/0/path")),
        (json!({"files": [{"name": "/etc/x"}]}), None, Some("/files/0")),
        (json!({"files": {"/etc/x": "text"}}), None, Some("/files")),
        (json!({"url": {"href": bad}}), Some("/url"), None),
        (json!({"url": {"url": good}}), None, None),
        (json!({"path": bad, "url": "/data/x"}), Some("/url"), Some("/path")),
        (json!({"a/b~": {"url": bad}}), Some("/a~1b~0/url"), None),
        (json!({"text": "see https://evil.test/", "note": "/etc/passwd"}), None, None),
    ] {
        let found = outside(&policy, &json!({}), &arguments);
        let expected = (url.map(str::to_owned), path.map(str::to_owned));
        assert_eq!(found, expected, "{arguments}");
    }
}

#[test]
fn arguments_are_found_by_the_format_of_the_schema() {
    let policy = policy(LISTS, "[]");
    let schema = json!({"properties": {
        "target": {"type": "string", "format": "uri"},
        "many": {"items": {"format": "uri-reference"}},
        "where": {"format": "path"},
    }});
    let bad = "https://evil.test/";
    for (arguments, url, path) in [
        (json!({"target": bad}), Some("/target"), None),
        (json!({"many": ["https://api.example.com/", bad]}), Some("/many/1"), None),
        (json!({"many": ["/relative"]}), Some("/many/0"), None),
        (json!({"where": "/etc"}), None, Some("/where")),
        (json!({"other": bad}), None, None),
    ] {
        let expected = (url.map(str::to_owned), path.map(str::to_owned));
        assert_eq!(outside(&policy, &schema, &arguments), expected, "{arguments}");
    }
}

#[test]
fn arguments_that_the_policy_names_are_added_by_every_entry_that_matches() {
    let overrides = "[{tool: '*', side_effect: true}, {tool: t, url_args: [to, /in/0]}, \
                      {tool: 'mcp://demo/*', path_args: [items]}, {tool: other, url_args: [not]}]";
    let policy = policy(LISTS, overrides);
    let bad = "https://evil.test/";
    for (arguments, url, path) in [
        (json!({"to": bad}), Some("/to"), None),
        (json!({"in": [bad, "x"]}), Some("/in/0"), None),
        (json!({"in": ["https://api.example.com/", bad]}), None, None),
        (
            json!({"to": {"deep": ["https://api.example.com/", {"er": bad}]}}),
            Some("/to/deep/1/er"),
            None,
        ),
        (json!({"to": {"deep": 7}}), Some("/to/deep"), None),
        (json!({"items": ["/data/x", {"n": "/etc"}]}), None, Some("/items/1/n")),
        (json!({"not": bad}), None, None),
        (json!({"url": bad}), Some("/url"), None),
    ] {
        let expected = (url.map(str::to_owned), path.map(str::to_owned));
        assert_eq!(outside(&policy, &json!({}), &arguments), expected, "{arguments}");
    }
}

#[test]
fn without_a_list_nothing_is_checked_and_an_empty_one_denies() {
    let arguments = json!({"url": "x", "path": "x"});
    for (security, url, path) in [
        ("{}", false, false),
        ("{egress_allowlist: []}", true, false),
        ("{fs_allowlist: []}", false, true),
        ("{egress_allowlist: [], fs_allowlist: []}", true, true),
    ] {
        let policy = policy(security, "[]");
        assert_eq!(policy.checks_places(), url || path);
        let found = outside(&policy, &json!({}), &arguments);
        assert_eq!((found.0.is_some(), found.1.is_some()), (url, path), "{security}");
    }
}

#[test]
fn more_than_is_looked_at_is_a_violation_and_not_a_way_round() {
    let policy = policy(LISTS, "[]");
    let url = "https://api.example.com/";
    let few = json!({"urls": vec![url; 1024]});
    assert_eq!(outside(&policy, &json!({}), &few), (None, None));
    let many = json!({"urls": vec![url; 1025]});
    assert_eq!(outside(&policy, &json!({}), &many), (Some(String::new()), Some(String::new())));
    let values = json!({"items": vec![0; 1_000_001], "z": {"url": "https://evil.test/"}});
    assert!(outside(&policy, &json!({}), &values).0.is_some());
    let deep = (0..400).fold(json!("x"), |inner, _| json!([inner]));
    assert!(outside(&policy, &json!({}), &json!({ "deep": deep })).0.is_some());
    let subschemas: serde_json::Map<_, _> = (0..5000).map(|n| (n.to_string(), json!({}))).collect();
    let schema = json!({ "properties": subschemas });
    assert!(outside(&policy, &schema, &json!({"x": 1})).0.is_some());
}

/// A disk where all is there, which counts how often it is looked at.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Disk for Counting {
    fn see(&self, _: &Path) -> io::Result<Seen> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Seen::Other)
    }
}

#[test]
fn one_call_has_the_disk_looked_at_a_bounded_number_of_times() {
    let policy = policy(LISTS, "[]");
    let look = |paths: Value| {
        let (declared, disk) = (Declared::default(), Counting::default());
        let arguments = json!({ "paths": paths });
        let tool = ToolRef::new("demo", "t", None);
        let places = policy.look(tool, &declared, arguments.as_object(), &disk);
        (places.fs_violation().is_some(), disk.0.into_inner())
    };
    // A thousand paths as they are.
    let usual = look(json!(vec!["/data/a/b/c/d/e/f/g/h/i/j/k"; 1000]));
    assert_eq!(usual, (false, 12_000));
    // As many that go up and down as often as a path can.
    let long = format!("/data/{}x", "a/../".repeat(800));
    let (refused, looks) = look(json!(vec![long; 1000]));
    assert!(refused && looks <= 65_536, "{refused} {looks}");
}

#[test]
fn a_long_name_is_not_kept_once_for_each_place_below_it() {
    let name = "n".repeat(1 << 16);
    let arguments = json!({ name: {"urls": vec![7; 1000]} });
    let wanted = PlaceKinds::only(PlaceKind::Url);
    let found = find(arguments.as_object().unwrap(), &Declared::default(), &[], wanted);
    assert_eq!(found.places.len(), 1000);
    let kept: usize = found.places.iter().map(|place| place.pointer.len()).sum();
    assert!(kept <= 1000 * 260, "{kept} bytes");
}

#[test]
fn arguments_that_are_as_deep_as_the_limits_allow_are_looked_at() {
    let policy = policy(LISTS, "[]");
    let deep = |levels: usize| {
        let inner = json!({"url": "https://api.example.com/"});
        (2..levels).fold(inner, |inner, _| json!({"a": inner}))
    };
    assert_eq!(outside(&policy, &json!({}), &deep(257)), (None, None));
    let whole = Some(String::new());
    for levels in [259, 400] {
        assert_eq!(outside(&policy, &json!({}), &deep(levels)), (whole.clone(), whole.clone()));
    }
}
