use super::*;
use crate::call::{Arguments, Basis, Hints, Op, Operation, ToolRef, ToolVersion};
use Op::{Create, Delete, Read, Update};
use proptest::prelude::*;
use serde_json::json;

/// What a policy with these overrides says of a call.
fn said(overrides: &str, full: &str, hints: Hints, believed: bool) -> Operation {
    let text = GOOD.replace("enforcement", &format!("  overrides: [{overrides}]\nenforcement"));
    let policy = Policy::from_yaml(&text).unwrap();
    let (name, version) = named(full);
    policy.operation(&Evidence::new(ToolRef::new("demo", name, version.as_ref()), hints, believed))
}

fn named(full: &str) -> (&str, Option<ToolVersion>) {
    let (name, version) = full.rsplit_once('@').unwrap_or((full, ""));
    (name, ToolVersion::new(version))
}

fn hints(read_only: Option<bool>, destructive: Option<bool>) -> Hints {
    Hints::default().with_read_only(read_only).with_destructive(destructive)
}

fn by_name(full: &str, method: &serde_json::Value) -> (Op, bool) {
    let arguments: Arguments = if method.is_null() {
        Arguments::new()
    } else {
        [("method".into(), method.clone())].into_iter().collect()
    };
    let (name, version) = named(full);
    let tool = ToolRef::new("demo", name, version.as_ref());
    let evidence = Evidence::new(tool, Hints::default(), true).with_arguments(Some(&arguments));
    let found = Policy::from_yaml(GOOD).unwrap().operation(&evidence);
    assert_eq!(found.basis, Basis::Name);
    (found.op, found.side_effect)
}

#[test]
fn a_name_says_what_it_said_to_the_original() {
    let none = serde_json::Value::Null;
    for (tool, op, side_effect) in [
        // The original's own oddities: words are found inside of others.
        ("compute@1.0", Update, true),
        ("output.read@1", Read, true),
        ("postgres_query@1", Update, true),
        ("dispatch@1", Update, true),
        // It deletes by its kind and has no side effect by its name.
        ("remove_item@1", Delete, false),
        ("filesystem.remove@1", Delete, true),
        ("filesystem.mkdir@1", Update, true),
        ("filesystem.rmdir", Update, true),
        ("filesystem.stat@1", Read, false),
        ("mkdir@1", Read, false),
        ("delete_and_create@1", Delete, true),
        ("create_or_update@1", Create, true),
        ("write_file@1.0", Update, true),
        ("Write_File@1.0", Update, true),
        ("UPDATE", Update, true),
        ("add@1.0", Read, false),
        ("get@1", Read, false),
        ("put.get@1", Read, true),
        ("put_get@1", Read, true),
        ("put_get", Update, true),
        ("put_GeT@1", Read, true),
        ("put@get@1", Read, true),
        ("putx@1", Update, true),
        // The version is looked into as well.
        ("add@2.0-write", Update, true),
        ("put@1.get", Read, true),
        ("fetch@1", Read, false),
        ("", Read, false),
        ("é@1", Read, false),
        // A Kelvin sign in lower case is a `k`.
        ("filesystem.m\u{212a}dir", Update, true),
        ("wr\u{131}te", Read, false),
    ] {
        assert_eq!(by_name(tool, &none), (op, side_effect), "{tool}");
    }
}

#[test]
fn the_argument_method_says_what_it_said_to_the_original() {
    let long = json!(format!("{}GET", " ".repeat(62)));
    let longest = json!(format!("{}GET", " ".repeat(61)));
    for (tool, method, op, side_effect) in [
        ("fetch@1", json!("GET"), Read, false),
        ("fetch@1", json!(" get\n"), Read, false),
        ("fetch@1", json!("\u{feff}GET"), Read, false),
        ("fetch@1", json!("\u{85}GET"), Update, true),
        ("fetch@1", json!("DELETE"), Delete, true),
        ("fetch@1", json!("delete "), Delete, true),
        ("fetch@1", json!("Post"), Create, true),
        ("fetch@1", json!("po\u{17f}t"), Create, true),
        ("fetch@1", json!("PUT"), Update, true),
        ("fetch@1", json!("patch"), Update, true),
        ("fetch@1", json!("HEAD"), Update, true),
        ("fetch@1", json!(""), Update, true),
        ("fetch@1", json!(7), Read, false),
        ("fetch@1", json!(["DELETE"]), Read, false),
        ("fetch@1", longest, Read, false),
        ("fetch@1", long, Update, true),
        // Without `fetch` in its name the kind is told and no side effect.
        ("call@1", json!("DELETE"), Delete, false),
        ("call@1", json!("POST"), Create, false),
        ("call@1", json!("HEAD"), Read, false),
        ("compute@1", json!("GET"), Read, true),
    ] {
        assert_eq!(by_name(tool, &method), (op, side_effect), "{tool} {method}");
    }
}

#[test]
fn annotations_come_before_the_name_and_only_a_believed_one_takes_a_side_effect_away() {
    let (yes, no) = (Some(true), Some(false));
    let looked = |op, side_effect, basis| Operation { op, side_effect, basis };
    let annotated = |op, side_effect| looked(op, side_effect, Basis::Annotations);
    let named = |op, side_effect| looked(op, side_effect, Basis::Name);
    for (tool, hints, believed, claimed) in [
        ("compute@1.0", hints(yes, None), annotated(Read, false), named(Update, true)),
        ("compute@1.0", hints(yes, no), annotated(Read, false), named(Update, true)),
        ("delete@1.0", hints(yes, None), annotated(Read, false), named(Delete, true)),
        ("look@1", hints(yes, None), annotated(Read, false), named(Read, false)),
        ("look@1", hints(None, None), named(Read, false), named(Read, false)),
        ("compute@1", hints(None, None), named(Update, true), named(Update, true)),
        // Whatever adds one counts from anybody.
        ("look@1", hints(no, None), annotated(Update, true), annotated(Update, true)),
        ("look@1", hints(no, no), annotated(Update, true), annotated(Update, true)),
        ("look@1", hints(None, no), annotated(Update, true), annotated(Update, true)),
        ("look@1", hints(None, yes), annotated(Update, true), annotated(Update, true)),
        ("remove@1", hints(None, yes), annotated(Delete, true), annotated(Delete, true)),
        ("create@1", hints(no, yes), annotated(Create, true), annotated(Create, true)),
        // What contradicts itself counts as the stricter of both.
        ("look@1", hints(yes, yes), annotated(Update, true), annotated(Update, true)),
    ] {
        assert_eq!(said("", tool, hints, true), believed, "{tool} {hints:?}");
        assert_eq!(said("", tool, hints, false), claimed, "{tool} {hints:?}");
    }
    let mut others = Hints::default();
    (others.idempotent, others.open_world) = (Some(true), Some(true));
    assert_eq!(said("", "look@1", others, true), named(Read, false));
}

#[test]
fn the_first_override_that_matches_decides_and_leaves_what_it_does_not_name() {
    let read_only = hints(Some(true), None);
    let of_policy = |op, side_effect| Operation { op, side_effect, basis: Basis::Policy };
    for (overrides, tool, hints, expected) in [
        (
            "{tool: compute, side_effect: false}",
            "compute@1",
            Hints::default(),
            of_policy(Update, false),
        ),
        ("{tool: compute, op: read}", "compute@1", Hints::default(), of_policy(Read, true)),
        (
            "{tool: compute, op: read, side_effect: false}",
            "compute@1",
            Hints::default(),
            of_policy(Read, false),
        ),
        ("{tool: look, side_effect: true}", "look@1", read_only, of_policy(Read, true)),
        // What the policy calls a change is one, unless it says otherwise.
        ("{tool: wipe, op: delete}", "wipe@1", read_only, of_policy(Delete, true)),
        (
            "{tool: wipe, op: delete, side_effect: false}",
            "wipe@1",
            read_only,
            of_policy(Delete, false),
        ),
        (
            "{tool: mcp://other/look, op: delete}, {tool: look@2, op: update}, {tool: look, op: create}, {tool: look, op: delete}",
            "look@1",
            read_only,
            of_policy(Create, true),
        ),
    ] {
        assert_eq!(said(overrides, tool, hints, true), expected, "{overrides}");
    }
    let other = said("{tool: compute, side_effect: false}", "dispatch@1", Hints::default(), true);
    assert_eq!((other.basis, other.side_effect), (Basis::Name, true));
}

/// The rule as the original has it, with everything in lower case and one text to look into.
fn originally(full: &str, method: Option<&str>) -> (Op, bool) {
    let name = full.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let method = method.map(|method| method.trim().to_uppercase());
    let is = |word: &str| method.as_deref() == Some(word);
    let side_effect = has(&["write", "delete", "put", "post", "patch", "create", "update"])
        || (has(&["filesystem"]) && has(&["write", "delete", "remove", "mkdir", "rmdir"]))
        || (has(&["fetch"]) && method.is_some() && !is("GET"));
    let op = if is("DELETE") || has(&["delete", "remove"]) {
        Delete
    } else if is("POST") || has(&["create"]) {
        Create
    } else if is("PUT") || is("PATCH") || has(&["update", "write"]) {
        Update
    } else if is("GET") || has(&["read", ".get", "get@"]) || !side_effect {
        Read
    } else {
        Update
    };
    (op, side_effect)
}

fn any_name() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "write",
            "delete",
            "put",
            "post",
            "patch",
            "create",
            "update",
            "filesystem",
            "remove",
            "mkdir",
            "rmdir",
            "fetch",
            "read",
            ".get",
            "get",
            "@",
            "_",
            "Write",
            "GET",
            "\u{212a}",
        ])
        .prop_map(str::to_owned),
        "[a-z@.]{0,2}",
    ];
    prop::collection::vec(word, 0..4).prop_map(|words| words.concat())
}

fn any_version() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[0-9]|1[.]get|update|v@1|get")
}

fn any_method() -> impl Strategy<Value = Option<String>> {
    prop::option::of("( )?(get|GET|post|Put|patch|DELETE|head|)( )?")
}

fn any_hints() -> impl Strategy<Value = Hints> {
    (any::<Option<bool>>(), any::<Option<bool>>()).prop_map(|(one, other)| hints(one, other))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_says_what_it_said_to_the_original(
        name in any_name(), version in any_version(), method in any_method(),
    ) {
        let declared = version.as_deref().and_then(ToolVersion::new);
        let tool = ToolRef::new("demo", &name, declared.as_ref());
        let found = heuristic::by_name(tool, method.as_deref());
        let full = version.map_or(name.clone(), |version| format!("{name}@{version}"));
        prop_assert_eq!((found.op, found.side_effect), originally(&full, method.as_deref()));
    }

    #[test]
    fn a_claim_never_takes_a_side_effect_away(
        name in any_name(), version in any_version(), method in any_method(), hints in any_hints(),
    ) {
        let policy = Policy::from_yaml(GOOD).unwrap();
        let declared = version.as_deref().and_then(ToolVersion::new);
        let tool = ToolRef::new("demo", &name, declared.as_ref());
        let of = |hints, believed| {
            let mut evidence = Evidence::new(tool, hints, believed);
            evidence.method = method.as_deref();
            policy.operation(&evidence)
        };
        let (claimed, believed) = (of(hints, false), of(hints, true));
        let unsaid = of(Hints::default(), false);
        prop_assert!(claimed.side_effect >= unsaid.side_effect);
        prop_assert!(claimed.side_effect >= believed.side_effect);
        prop_assert!(!claimed.side_effect || unsaid.side_effect || claimed.op != Read);
        prop_assert_eq!(of(Hints::default(), true), unsaid);
    }
}
