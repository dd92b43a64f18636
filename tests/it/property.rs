//! Any policy and any calls: what refuses does not run, reply and record agree, and so does what an
//! explanation said beforehand.

use crate::support::{
    Answer, NAMEABLE, Rules, Runs, Site, ask, assert_agree, demo, denial, is_fine, tool, trace,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sec0::Policy;
use sec0::call::{Hints, ToolRef, ToolVersion};
use sec0::policy::{Evidence, Explanation, Question};
use serde_json::{Value, json};

const ENTRIES: [&str; 12] = [
    "*",
    "add",
    "add@1.0",
    "add@2.0",
    "sub@*",
    "mcp://demo",
    "mcp://other/*",
    "mcp://demo/sub",
    "mcp://*/bare",
    "mcp://demo/bare@*",
    "mcp://demo/latest@latest",
    "mcp://demo/latest",
];

const TOOLS: [&str; 6] = ["add", "sub", "bare", "latest", "update", "none"];

#[derive(Debug, Clone)]
struct Case {
    rules: Rules,
    enforces: bool,
    deny_on: Vec<&'static str>,
    calls: Vec<(&'static str, usize)>,
}

prop_compose! {
    fn case()(
        mode in select(vec![None, Some("observe"), Some("enforce")]),
        deny_on in subsequence(NAMEABLE.to_vec(), 0..=NAMEABLE.len()),
        entries in subsequence(ENTRIES.to_vec(), 0..=4),
        is_pinned in any::<bool>(),
        is_keyed in any::<bool>(),
        kb in 0..2_u64,
        calls in vec((select(TOOLS.to_vec()), select(vec![1_usize, 800, 2000])), 1..12),
    ) -> Case {
        let mut rules = Rules::with(mode, &deny_on).allow(&entries).max_kb(kb);
        if is_pinned {
            rules = rules.pinned();
        }
        if is_keyed {
            rules = rules.keyed().overriding("{tool: sub, op: delete}");
        }
        let enforces = mode.map_or(!deny_on.is_empty(), |mode| mode == "enforce");
        Case { rules, enforces, deny_on, calls }
    }
}

async fn run(case: &Case) -> (Vec<(Answer, usize)>, Vec<Value>) {
    let (site, runs) = (Site::default(), Runs::default());
    let layer = site.layer(&case.rules);
    let server = demo()
        .tool(tool("add", Some("1.0")), runs.handler())
        .tool(tool("sub", Some("2")), runs.handler())
        .tool(tool("bare", None), runs.handler())
        .tool(tool("latest", Some("latest")), runs.handler())
        .tool(tool("update", Some("1.0")), runs.handler())
        .layer(layer.clone());
    let mut answers = Vec::new();
    for (name, size) in &case.calls {
        let before = runs.get();
        let answer = ask(&server, name, json!({ "text": "x".repeat(*size) })).await;
        answers.push((answer, runs.get() - before));
    }
    let lines = site.close(&layer).await;
    assert!(lines.events.is_empty());
    (answers, lines.calls)
}

/// What the policy says of a call before it is made.
fn explained(policy: &Policy, (name, size): (&str, usize)) -> Explanation {
    let listed = name != "none";
    let version = match name {
        "add" | "update" => ToolVersion::new("1.0"),
        "sub" => ToolVersion::new("2"),
        "latest" => ToolVersion::new("latest"),
        _ => None,
    };
    let tool = ToolRef::new("demo", name, version.as_ref());
    // `{"text":"…"}`
    let bytes = u64::try_from(size + 11).unwrap();
    let question = Question::new(Evidence::new(tool, Hints::default(), true));
    policy.explain(&question.with_argument_bytes(Some(bytes)).with_listed(Some(listed)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_explanation_says_beforehand_what_the_record_says_afterwards(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_, records) = runtime.block_on(run(&case));
        let policy = case.rules.policy();
        for (call, record) in case.calls.iter().zip(&records) {
            let explained = serde_json::to_value(explained(&policy, *call)).unwrap();
            prop_assert_eq!(&explained["decision"], &record["policy"]["decision"], "{:#}", record);
            prop_assert_eq!(&explained["reason"], &record["policy"]["reason"], "{:#}", record);
            let tags = record.get("risk_tags").cloned().unwrap_or_else(|| json!([]));
            prop_assert_eq!(&explained["reasons"], &tags, "{:#}", record);
            for member in ["op", "op_basis", "side_effect"] {
                if let Some(said) = record.get(member) {
                    prop_assert_eq!(&explained[member], said, "{}", member);
                }
            }
        }
    }

    #[test]
    fn the_handler_runs_exactly_when_the_record_does_not_say_deny(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (answers, records) = runtime.block_on(run(&case));
        prop_assert_eq!(answers.len(), records.len());
        for ((answer, ran), record) in answers.iter().zip(&records) {
            let denied = record["policy"]["decision"] == "deny";
            prop_assert_eq!(*ran, usize::from(!denied), "{:#}", record);
            prop_assert_eq!(record["executed"].as_bool(), Some(!denied));
            let tags: Vec<String> = record
                .get("risk_tags")
                .map(|tags| serde_json::from_value(tags.clone()).unwrap())
                .unwrap_or_default();
            let refuses = tags.iter().any(|tag| {
                tag == "unknown_tool" || (case.enforces && case.deny_on.contains(&tag.as_str()))
            });
            prop_assert_eq!(denied, refuses, "{:#}", record);
            match answer {
                Err(error) => {
                    prop_assert_eq!(error.code.0, -32602);
                    prop_assert_eq!(&record["policy"]["reason"], "unknown_tool");
                }
                Ok(_) if denied => assert_agree(&denial(answer), record),
                Ok(_) => {
                    prop_assert!(is_fine(answer));
                    prop_assert_eq!(&trace(answer)["span_id"], &record["span_id"]);
                    let decision = if tags.is_empty() { "allow" } else { "would_deny" };
                    prop_assert_eq!(&record["policy"]["decision"], decision);
                }
            }
        }
    }
}
