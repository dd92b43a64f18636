use super::*;
use crate::call::{Arguments, Hints, Reason, ToolRef, ToolVersion};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

const REASONS: [&str; 5] = [
    "tool_not_in_allowlist",
    "version_unpinned",
    "missing_idempotency_for_side_effect",
    "payload_too_large",
    "duration_too_long",
];

const FULL: &str = "
tenant: acme
default_retention: 30d
signing: {enabled: true}
tools:
  allowlist: ['mcp://demo/add@1.0', 'mcp://demo/write@latest', 'mcp://demo/*']
  overrides: [{tool: add, side_effect: true}, {tool: 'mcp://demo/*', op: read}]
security: {limits: {max_payload_kb: 1, max_duration_ms: 500}}
side_effects: {require_idempotency_key: true}
enforcement: {deny_on: [payload_too_large, missing_idempotency_for_side_effect]}
";

/// The rules that a small call of `add` meets: id, match, effect, why.
const MET: [(&str, bool, &str, &str); 13] = [
    (
        "security.limits.max_payload_kb",
        false,
        "deny",
        "at most 1024 bytes of arguments; as canonical JSON there are 12",
    ),
    ("registry", false, "deny", "the server's list has the tool `add`"),
    ("tools.overrides[0]", true, "classify", "`add` matches; it says: side effect"),
    (
        "tools.overrides[1]",
        true,
        "classify",
        "`mcp://demo/*` matches, but `tools.overrides[0]` stands before it",
    ),
    ("annotations", false, "classify", "none is known that says whether there are side effects"),
    ("name", true, "classify", "the name says: op `read`, no side effect"),
    ("tools.allowlist[0]", true, "allow", "`mcp://demo/add@1.0` matches the tool in this version"),
    ("tools.allowlist[1]", false, "allow", "`mcp://demo/write@latest` does not match"),
    ("tools.allowlist[2]", true, "allow", "`mcp://demo/*` matches, as a wildcard"),
    ("tools.allowlist", false, "would_deny", "`tools.allowlist[0]` allows the tool"),
    (
        "tools.deny_if_unpinned_version",
        false,
        "would_deny",
        "the version `1.0` is pinned: it starts with a digit",
    ),
    (
        "side_effects.require_idempotency_key",
        true,
        "deny",
        "the call has a side effect and no idempotency key",
    ),
    (
        "security.limits.max_duration_ms",
        false,
        "would_deny",
        "at most 500 ms; known only when the call has run",
    ),
];

fn explained(policy: &str, tool: &str, change: impl Fn(Question<'_>) -> Question<'_>) -> Value {
    let policy = Policy::from_yaml(policy).unwrap();
    let named = NamedTool::parse(tool).unwrap();
    let question = Question::new(Evidence::new(named.tool_ref(), Hints::default(), true));
    serde_json::to_value(policy.explain(&change(question))).unwrap()
}

fn rows(explained: &Value) -> Vec<(String, bool, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = explained["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            let matched = rule["matched"].as_bool().unwrap();
            (text(&rule["id"]), matched, text(&rule["effect"]), text(&rule["why"]))
        })
        .collect()
}

#[test]
fn every_rule_is_told_in_the_order_in_which_a_call_meets_it() {
    let report = explained(FULL, "mcp://demo/add@1.0", |question| {
        question.with_argument_bytes(Some(12)).with_listed(Some(true))
    });
    let expected = MET.map(|(id, matched, effect, why)| {
        (id.to_owned(), matched, effect.to_owned(), why.to_owned())
    });
    assert_eq!(rows(&report), expected);
    assert_eq!(report["decision"], "deny");
    assert_eq!(report["reason"], "missing_idempotency_for_side_effect");
    assert_eq!(
        (&report["mode"], &report["tool"]),
        (&json!("enforce"), &json!("mcp://demo/add@1.0"))
    );
    assert_eq!(
        json!([report["op"], report["side_effect"], report["op_basis"]]),
        json!(["read", true, "policy"])
    );
    assert_eq!(report["digest"], Policy::from_yaml(FULL).unwrap().digest().to_string());
}

#[test]
fn each_source_says_what_a_call_does_or_why_it_is_not_asked() {
    const SETTLED: &str = "the policy has said it all";
    const STRONGER: &str = "a stronger source has said it";
    let reads = Hints::default().with_read_only(Some(true));
    for (overrides, hints, believed, annotations, name) in [
        ("{tool: add, op: read, side_effect: false}", reads, true, (false, SETTLED), None),
        (
            "{tool: add, op: read, side_effect: false}",
            Hints::default(),
            true,
            (false, SETTLED),
            None,
        ),
        ("{tool: add, op: read}", reads, true, (true, "they say: op `read`, no side effect"), None),
        (
            "{tool: rm, op: delete, side_effect: true}",
            reads,
            false,
            (false, "they are claims of somebody else, which take no side effect away"),
            Some("the name says: op `read`, no side effect"),
        ),
        (
            "{tool: add, op: create}",
            Hints::default(),
            true,
            (false, "none is known that says whether there are side effects"),
            Some("the name says: op `read`, no side effect"),
        ),
    ] {
        let text = GOOD.replace("enforcement", &format!("  overrides: [{overrides}]\nenforcement"));
        let policy = Policy::from_yaml(&text).unwrap();
        let named = NamedTool::parse("mcp://demo/add@1.0").unwrap();
        let question = Question::new(Evidence::new(named.tool_ref(), hints, believed));
        let told = rows(&serde_json::to_value(policy.explain(&question)).unwrap());
        let row = |id: &str| {
            let row = told.iter().find(|row| row.0 == id).unwrap();
            (row.1, row.3.as_str())
        };
        assert_eq!(row("annotations"), annotations, "{overrides} {believed}");
        assert_eq!(row("name"), (name.is_some(), name.unwrap_or(STRONGER)), "{overrides}");
    }
}

#[test]
fn of_the_overrides_the_first_that_matches_counts_and_each_is_told() {
    let overrides = "{tool: rm, op: delete}, {tool: add, op: read}, {tool: '*', op: create}, {tool: mv, op: update}";
    let text = GOOD.replace("enforcement", &format!("  overrides: [{overrides}]\nenforcement"));
    let told = rows(&explained(&text, "mcp://demo/add@1.0", |question| question));
    let said: Vec<_> = told
        .iter()
        .filter(|row| row.0.starts_with("tools.overrides"))
        .map(|row| (row.1, row.3.as_str()))
        .collect();
    assert_eq!(
        said,
        [
            (false, "`rm` does not match"),
            (true, "`add` matches; it says: op `read`"),
            (true, "`*` matches, but `tools.overrides[1]` stands before it"),
            (false, "`mv` does not match"),
        ]
    );
}

#[test]
fn a_call_with_a_key_is_told_to_have_one() {
    for (has_key, said) in [
        (true, "the call has an idempotency key"),
        (false, "the call has a side effect and no idempotency key"),
    ] {
        let report = explained(FULL, "mcp://demo/add@1.0", |question| {
            question.with_idempotency_key(has_key)
        });
        let told = rows(&report);
        let row = told.iter().find(|row| row.3.contains("idempotency key")).unwrap();
        assert_eq!((row.1, row.3.as_str()), (!has_key, said));
    }
}

#[test]
fn the_most_exact_entry_is_the_one_that_allows() {
    for (tool, decided) in
        [("mcp://demo/add@1.0", "tools.allowlist[0]"), ("mcp://demo/add@2.0", "tools.allowlist[2]")]
    {
        let report = explained(FULL, tool, |question| question.with_idempotency_key(true));
        assert_eq!(report["decision"], "allow", "{report:#}");
        let rules = report["rules"].as_array().unwrap();
        let deciding: Vec<_> = rules.iter().filter(|rule| rule["decided"] == true).collect();
        assert_eq!(deciding.len(), 1, "{tool}");
        assert_eq!(deciding[0]["id"], decided, "{tool}");
    }
    let other = explained(FULL, "mcp://demo/add@2.0", |question| question);
    assert_eq!(
        rows(&other)[5].3,
        "`mcp://demo/add@1.0` is for another version: the tool has `2.0`"
    );
}

#[test]
fn what_ends_a_call_early_is_told_and_what_comes_after_it_does_not_count() {
    let large = explained(FULL, "mcp://other/write@latest", |question| {
        question.with_argument_bytes(Some(2000)).with_listed(Some(false))
    });
    assert_eq!(large["reasons"], json!(["payload_too_large"]));
    let unknown =
        explained(FULL, "mcp://other/write@latest", |question| question.with_listed(Some(false)));
    assert_eq!(
        (&unknown["decision"], &unknown["reason"]),
        (&json!("deny"), &json!("unknown_tool"))
    );
    assert_eq!((&unknown["op"], &unknown["op_basis"]), (&Value::Null, &Value::Null));
    for (report, last) in [(large, "security.limits.max_payload_kb"), (unknown, "registry")] {
        let rules = report["rules"].as_array().unwrap();
        let mut reached = rules.iter().filter(|rule| rule["reached"] == true);
        assert_eq!(reached.next_back().unwrap()["id"], last);
        let unreached = rules.iter().find(|rule| rule["id"] == "tools.allowlist").unwrap();
        assert_eq!((&unreached["matched"], &unreached["decided"]), (&json!(true), &json!(false)));
    }
}

#[test]
fn no_argument_is_quoted() {
    let arguments: Arguments = [("method".to_owned(), json!("c0nfidential"))].into_iter().collect();
    let policy = Policy::from_yaml(FULL).unwrap();
    let tool = ToolRef::new("other", "fetch", None);
    let evidence = Evidence::new(tool, Hints::default(), true).with_arguments(Some(&arguments));
    let report = serde_json::to_string(&policy.explain(&Question::new(evidence))).unwrap();
    assert!(report.contains("the argument `method` says: op `update`, side effect"), "{report}");
    assert!(!report.contains("c0nfidential"));
}

#[derive(Debug, Clone)]
struct Case {
    policy: String,
    tool: (&'static str, Option<&'static str>),
    hints: Hints,
    believed: bool,
    method: Option<&'static str>,
    bytes: Option<u64>,
    has_key: bool,
    listed: Option<bool>,
}

prop_compose! {
    fn any_policy()(
        mode in select(vec!["", "mode: observe, ", "mode: enforce, "]),
        deny_on in subsequence(REASONS.to_vec(), 0..=REASONS.len()),
        allow in subsequence(vec!["'*'", "add", "write@1.0", "mcp://demo/*", "fetch@latest"], 0..4),
        overrides in subsequence(
            vec!["{tool: add, op: delete}", "{tool: '*', side_effect: false}", "{tool: write@1.0, op: read, side_effect: true}"],
            0..3,
        ),
        flags in any::<[bool; 3]>(), kb in 0..2,
    ) -> String {
        let [pinned, keyed, gateway] = flags;
        format!(
            "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
             tools: {{allowlist: [{}], deny_if_unpinned_version: {pinned}, overrides: [{}]}}\n\
             security: {{limits: {{max_payload_kb: {kb}}}, side_effects: {{require_idempotency_key: {gateway}}}}}\n\
             side_effects: {{require_idempotency_key: {keyed}}}\n\
             enforcement: {{{mode}deny_on: [{}]}}\n",
            allow.join(", "), overrides.join(", "), deny_on.join(", "),
        )
    }
}

prop_compose! {
    fn any_case()(
        policy in any_policy(),
        tool in (select(vec!["add", "write", "fetch"]), select(vec![None, Some("1.0"), Some("latest")])),
        hints in any::<(Option<bool>, Option<bool>)>(),
        flags in any::<[bool; 2]>(),
        method in select(vec![None, Some("GET"), Some("POST")]),
        bytes in select(vec![None, Some(10), Some(5000)]),
        listed in select(vec![None, Some(true), Some(false)]),
    ) -> Case {
        let hints = Hints::default().with_read_only(hints.0).with_destructive(hints.1);
        let [believed, has_key] = flags;
        Case { policy, tool, hints, believed, method, bytes, has_key, listed }
    }
}

/// What the steps of the stack do: size, then the registry, then everything else.
fn judged(policy: &Policy, case: &Case, evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = case.bytes.map_or_else(Verdict::allow, |bytes| policy.judge_size(bytes));
    if verdict.ruling() == Ruling::Deny {
        return verdict;
    }
    if case.listed == Some(false) {
        verdict.add(Reason::UnknownTool, Ruling::Deny);
        return verdict;
    }
    let asked = Asked::new(evidence.tool, policy.operation(evidence));
    let of_call = policy.judge(&asked.with_idempotency_key(case.has_key));
    for reason in of_call.reasons() {
        verdict.add(reason.clone(), policy.effect(reason.reason()).into());
    }
    verdict
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_explanation_says_what_a_call_would_get(case in any_case()) {
        let policy = Policy::from_yaml(&case.policy).unwrap();
        let version = case.tool.1.and_then(ToolVersion::new);
        let tool = ToolRef::new("demo", case.tool.0, version.as_ref());
        let mut evidence = Evidence::new(tool, case.hints, case.believed);
        evidence.method = case.method;
        let question = Question::new(evidence)
            .with_argument_bytes(case.bytes)
            .with_idempotency_key(case.has_key)
            .with_listed(case.listed);
        let explanation = policy.explain(&question);
        let verdict = judged(&policy, &case, &evidence);
        prop_assert_eq!(explanation.decision(), verdict.ruling());
        prop_assert_eq!(explanation.reason(), verdict.deciding());
        prop_assert_eq!(explanation.reasons(), verdict.reasons());

        // The rules tell the same story: what matched is what was found, and one of them decided.
        let reached = || explanation.rules().iter().filter(|rule| rule.matched && rule.reached);
        let found: Vec<_> = reached().filter_map(|rule| rule.reason.clone()).collect();
        prop_assert_eq!(found, verdict.reasons());
        let decided: Vec<_> = explanation.rules().iter().filter(|rule| rule.decided).collect();
        prop_assert_eq!(decided.len(), 1, "{:#?}", explanation);
        prop_assert!(decided[0].matched && decided[0].reached);
        prop_assert_eq!(decided[0].effect.as_str(), verdict.ruling().as_str());
    }
}
