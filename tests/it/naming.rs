//! Names: of tools that are not there, of versions, of what the allowlist says.

use crate::support::{Rules, Runs, Site, ask, assert_agree, demo, denial, is_fine, tool};
use sec0::call::ToolName;
use sec0::{MapRegistry, Sec0SecurityLayer};
use serde_json::json;

#[tokio::test]
async fn an_unknown_tool_is_refused_and_recorded_whatever_its_name() {
    let long = "n".repeat(1 << 20);
    let wide = "é".repeat(1 << 19);
    let names = [
        "sub",
        "",
        " ",
        "add ",
        "Add",
        "add@1.0",
        "mcp://demo/add",
        "a\0b",
        "a\nb\r\t\x1b[31m\u{7f}",
        "\u{2028}\u{202e}\"\\",
        "../add",
        &long,
        &wide,
    ];
    for rules in [Rules::observe(), Rules::enforce()] {
        let (site, runs) = (Site::default(), Runs::default());
        let layer = site.layer(&rules);
        let server = demo().tool(tool("add", Some("1.0")), runs.handler()).layer(layer.clone());
        for name in names {
            let error = ask(&server, name, json!({})).await.unwrap_err();
            assert_eq!(error.code.0, -32602);
            assert!(error.message.len() < 1024, "the error does not carry the name back");
        }
        assert_eq!(runs.get(), 0);
        let lines = site.close(&layer).await;
        assert_eq!(lines.calls.len(), names.len());
        for (name, record) in names.iter().zip(&lines.calls) {
            let recorded = record["target_tool"].as_str().unwrap();
            if name.len() <= ToolName::MAX_RECORDED {
                assert_eq!(recorded, *name);
            } else {
                assert!(recorded.len() <= ToolName::MAX_RECORDED + '…'.len_utf8());
                assert!(name.starts_with(recorded.strip_suffix('…').unwrap()));
            }
            assert_eq!(record["policy"]["decision"], "deny");
            assert_eq!(record["policy"]["reason"], "unknown_tool");
            assert_eq!((&record["status"], &record["executed"]), (&json!("denied"), &json!(false)));
        }
    }
}

#[tokio::test]
async fn a_tool_has_the_version_it_declares_else_the_one_set_else_none() {
    let (site, runs) = (Site::default(), Runs::default());
    let options =
        site.options(&Rules::enforce()).tool_version("declared", "9.9").tool_version("set", "2.0");
    let layer = Sec0SecurityLayer::try_new(options).unwrap();
    let server = demo()
        .tool(tool("declared", Some("1.0")), runs.handler())
        .tool(tool("set", None), runs.handler())
        .tool(tool("none", None), runs.handler())
        .tool(tool("blank", Some("  ")), runs.handler())
        .layer(layer.clone());
    for name in ["declared", "set", "none", "blank"] {
        assert!(is_fine(&ask(&server, name, json!({})).await), "{name}");
    }
    let lines = site.close(&layer).await;
    let targets: Vec<_> = lines.calls.iter().map(|call| call["target_tool"].clone()).collect();
    assert_eq!(json!(targets), json!(["declared@1.0", "set@2.0", "none", "blank"]));
}

#[tokio::test]
async fn without_a_version_only_entries_without_one_or_with_a_star_match() {
    for (entry, allowed) in [
        ("mcp://demo/add", true),
        ("mcp://demo/add@*", true),
        ("add", true),
        ("add@*", true),
        ("mcp://*/add", true),
        ("mcp://demo/*", true),
        ("mcp://demo/add@1.0", false),
        ("add@1.0", false),
        ("mcp://*/add@1.0", false),
    ] {
        let found = judged(demo().tool(tool("add", None), Runs::default().handler()), entry).await;
        assert_eq!(!found.contains(&"tool_not_in_allowlist".to_owned()), allowed, "{entry}");
        assert!(found.contains(&"version_unpinned".to_owned()), "{entry}: whatever allows it");
    }
}

#[tokio::test]
async fn every_spelling_of_the_allowlist_allows_its_tool_and_no_other() {
    let all = [
        "*",
        "mcp://*",
        "mcp://*/",
        "mcp://*/*",
        "mcp://*/*@*",
        "add",
        "add@1.0",
        "add@*",
        "mcp://demo",
        "mcp://demo/",
        "mcp://demo/*",
        "mcp://demo/*@*",
        "mcp://*/add",
        "mcp://*/add@*",
        "mcp://*/add@1.0",
        "mcp://demo/add",
        "mcp://demo/add@*",
        "mcp://demo/add@1.0",
        "  mcp://demo/add@1.0 ",
    ];
    for entry in all {
        let add = demo().tool(tool("add", Some("1.0")), Runs::default().handler());
        assert_eq!(judged(add, entry).await, [""; 0], "{entry}");
    }
    for entry in [
        "Add",
        "ADD@1.0",
        "add@1",
        "add@1.0.0",
        "add@1.0x",
        "sub",
        "sub@*",
        "mcp://other",
        "mcp://Demo/*",
        "mcp://demo/sub",
        "mcp://demo/Add",
        "mcp://demo/add@2.0",
        "mcp://other/add@1.0",
        "mcp://*/sub",
        "mcp://*/add@2.0",
        "mcp://other/*@*",
        "demo",
        "MCP://demo/add",
    ] {
        let add = demo().tool(tool("add", Some("1.0")), Runs::default().handler());
        // An entry that could match nothing may also be refused at start.
        if Rules::enforce().allow(&[entry]).try_policy().is_some() {
            assert_eq!(judged(add, entry).await, ["tool_not_in_allowlist"], "{entry}");
        }
    }
    let add = demo().tool(tool("add", Some("1.0")), Runs::default().handler());
    assert_eq!(judged_by(add, &[]).await, ["tool_not_in_allowlist"]);
    // Of many entries one is enough.
    let add = demo().tool(tool("add", Some("1.0")), Runs::default().handler());
    assert_eq!(judged_by(add, &["sub", "mcp://other/*", "mcp://*/add@1.0"]).await, [""; 0]);
}

#[tokio::test]
async fn a_version_that_is_no_number_is_pinned_only_by_a_wider_entry() {
    for (entry, found) in [
        ("mcp://demo/add@latest", &["version_unpinned"][..]),
        ("add@latest", &["version_unpinned"]),
        ("mcp://demo/add", &[]),
        ("mcp://demo/add@*", &[]),
        ("mcp://demo/*@*", &[]),
        ("*", &[]),
        ("mcp://demo/add@1.0", &["tool_not_in_allowlist", "version_unpinned"]),
    ] {
        let latest = demo().tool(tool("add", Some("latest")), Runs::default().handler());
        assert_eq!(judged(latest, entry).await, found, "{entry}");
    }
    let most_exact = ["*", "mcp://demo/add@latest"];
    let latest = demo().tool(tool("add", Some("latest")), Runs::default().handler());
    assert_eq!(judged_by(latest, &most_exact).await, ["version_unpinned"]);
}

async fn judged(registry: MapRegistry, entry: &str) -> Vec<String> {
    judged_by(registry, &[entry]).await
}

/// Calls `add` once; what was found against it.
async fn judged_by(registry: MapRegistry, entries: &[&str]) -> Vec<String> {
    let site = Site::default();
    let layer = site.layer(&Rules::enforce().pinned().allow(entries));
    let server = registry.layer(layer.clone());
    let answer = ask(&server, "add", json!({})).await;
    let lines = site.close(&layer).await;
    let record = lines.only();
    let tags = record.get("risk_tags").cloned().unwrap_or(json!([]));
    let found: Vec<String> = serde_json::from_value(tags).unwrap();
    assert_eq!(is_fine(&answer), found.is_empty(), "{entries:?}");
    if !found.is_empty() {
        assert_agree(&denial(&answer), record);
    }
    found
}
