use super::*;
use crate::call::ToolVersion;

const TOOLS: [(&str, Option<&str>); 3] = [("add", Some("1.0")), ("rm", None), ("a/b", Some("2"))];

fn warnings(allowlist: &str, overrides: &str, server: Option<&str>) -> Vec<String> {
    let text = GOOD
        .replace("mcp://demo/add@1.0", allowlist)
        .replace("enforcement", &format!("  overrides: [{overrides}]\nenforcement"));
    let policy = Policy::from_yaml(&text).unwrap();
    let versions = TOOLS.map(|(name, version)| (name, version.and_then(ToolVersion::new)));
    let tools = versions.iter().map(|(name, version)| (*name, version.as_ref()));
    policy.warnings_for(server, tools).iter().map(ToString::to_string).collect()
}

#[test]
fn entries_that_match_no_tool_and_tools_that_no_entry_matches_are_named() {
    assert_eq!(
        warnings(
            "mcp://demo/add@2.0, mcp://demo/rm@1, echo, mcp://demo/rm",
            "{tool: sub, op: read}",
            None
        ),
        [
            "6:15: `tools.allowlist[0]` is `mcp://demo/add@2.0`, but the tool has the version `1.0`",
            "6:15: `tools.allowlist` has no entry for the tool `a/b@2`",
            "6:15: `tools.allowlist` has no entry for the tool `add@1.0`",
            "6:35: `tools.allowlist[1]` is `mcp://demo/rm@1`, but the tool declares no version",
            "6:52: `tools.allowlist[2]` is `echo`, which is none of these tools",
            "7:15: `tools.overrides[0]` is `sub`, which is none of these tools",
        ]
    );
}

#[test]
fn rates_questions_and_rules_for_tools_that_are_not_there_are_named() {
    let text = with(
        "security:\n  limits: {rate: [{tool: mv, per_second: 1}, {tool: add, per_second: 1}]}\n  \
         side_effects: {human_escalation: {tools: [{tool: mv}, {tool: add}]}}\n\
         rules:\n  - {id: one, tool: add, pointer: /a, op: exists, effect: deny}\n  \
         - {id: two, tool: mv, pointer: /a, op: exists, effect: deny}",
    );
    let policy = Policy::from_yaml(&text).unwrap_or_else(|error| panic!("{error}"));
    let found = policy.warnings_for(Some("demo"), [("add", ToolVersion::new("1.0").as_ref())]);
    assert_eq!(
        found.iter().map(|it| it.message.as_str()).collect::<Vec<_>>(),
        [
            "`security.limits.rate[0].tool` is `mv`, which is none of these tools",
            "`human_escalation.tools[0].tool` is `mv`, which is none of these tools",
            "`rules[1].tool` (of `two`) is `mv`, which is none of these tools",
        ]
    );
}

#[test]
fn what_fits_is_not_warned_of() {
    let every = "mcp://demo/add@1.0, rm@*, mcp://demo/a/b";
    for allowlist in [every, "'*'", "mcp://demo/*", "add, rm, a/b"] {
        for server in [None, Some("demo")] {
            let found = warnings(allowlist, "{tool: mcp://demo/a/b@2, op: read}", server);
            assert_eq!(found, [""; 0], "{allowlist} {server:?}");
        }
    }
}

#[test]
fn an_entry_for_another_server_is_left_alone_and_allows_nothing_here() {
    let others = "mcp://other/*, mcp://other/add, mcp://demo/rm, mcp://demo/a/b";
    let missing = "6:15: `tools.allowlist` has no entry for the tool `add@1.0`";
    assert_eq!(warnings(others, "{tool: mcp://other/x, op: read}", Some("demo")), [missing]);
    // Nobody has said whose tools they are.
    let unknown = "7:15: `tools.overrides[0]` is `mcp://other/x`, which is none of these tools";
    assert_eq!(warnings(others, "{tool: mcp://other/x, op: read}", None), [unknown]);
}

#[test]
fn many_warnings_are_cut_and_say_so() {
    let entries: Vec<_> = (0..300).map(|n| format!("t{n}")).collect();
    let found = warnings(&entries.join(", "), "", None);
    assert_eq!(found.len(), PolicyError::MAX_PROBLEMS + 1);
    assert_eq!(found.last().unwrap(), "and more; mend these first");
}
