use super::pattern::Pattern;
use super::*;
use crate::call::{ToolRef, ToolVersion};
use proptest::prelude::*;

fn matches(entries: &[&str], server: &str, tool: &str, version: Option<&str>) -> Option<MatchKind> {
    let version = version.and_then(ToolVersion::new);
    let list = Allowlist::compile(entries.iter().copied()).unwrap();
    list.matches(ToolRef::new(server, tool, version.as_ref()))
}

#[test]
fn every_form_matches_what_it_says_and_nothing_else() {
    use MatchKind::{Exact, Versionless, Wildcard};
    // The entry; then how it matches demo/add@1.0, demo/add@2.0, demo/add, demo/sub@1.0 and
    // other/add@1.0.
    for (entry, kinds) in [
        ("*", [Some(Wildcard); 5]),
        ("mcp://*", [Some(Wildcard); 5]),
        ("mcp://*/*@*", [Some(Wildcard); 5]),
        ("mcp://demo", [Some(Wildcard), Some(Wildcard), Some(Wildcard), Some(Wildcard), None]),
        ("mcp://demo/", [Some(Wildcard), Some(Wildcard), Some(Wildcard), Some(Wildcard), None]),
        ("mcp://demo/*", [Some(Wildcard), Some(Wildcard), Some(Wildcard), Some(Wildcard), None]),
        ("mcp://demo/*@*", [Some(Wildcard), Some(Wildcard), Some(Wildcard), Some(Wildcard), None]),
        ("mcp://demo/add@1.0", [Some(Exact), None, None, None, None]),
        ("mcp://demo/add", [Some(Versionless), Some(Versionless), Some(Versionless), None, None]),
        ("mcp://demo/add@*", [Some(Wildcard), Some(Wildcard), Some(Wildcard), None, None]),
        ("mcp://*/add@1.0", [Some(Exact), None, None, None, Some(Exact)]),
        (
            "mcp://*/add",
            [Some(Versionless), Some(Versionless), Some(Versionless), None, Some(Versionless)],
        ),
        ("add@1.0", [Some(Exact), None, None, None, Some(Exact)]),
        ("add", [Some(Versionless), Some(Versionless), Some(Versionless), None, Some(Versionless)]),
        ("add@*", [Some(Wildcard), Some(Wildcard), Some(Wildcard), None, Some(Wildcard)]),
        ("mcp://Demo/add@1.0", [None; 5]),
        ("Add", [None; 5]),
        (
            " add ",
            [Some(Versionless), Some(Versionless), Some(Versionless), None, Some(Versionless)],
        ),
    ] {
        let found = [
            matches(&[entry], "demo", "add", Some("1.0")),
            matches(&[entry], "demo", "add", Some("2.0")),
            matches(&[entry], "demo", "add", None),
            matches(&[entry], "demo", "sub", Some("1.0")),
            matches(&[entry], "other", "add", Some("1.0")),
        ];
        assert_eq!(found, kinds, "{entry}");
    }
    assert_eq!(matches(&[], "demo", "add", Some("1.0")), None);
}

#[test]
fn a_tool_cannot_get_in_by_a_name_that_looks_like_a_version() {
    assert_eq!(matches(&["add@1.0"], "demo", "add@1.0", None), None);
    assert_eq!(matches(&["mcp://demo/add@1.0"], "demo", "add@1.0", None), None);
    assert_eq!(matches(&["mcp://demo/add@1.0"], "demo", "add\u{0}1.0", None), None);
    assert_eq!(matches(&["add@b@1.0"], "demo", "add", Some("b@1.0")), None);
    assert_eq!(matches(&["add@b@1.0"], "demo", "add@b", Some("1.0")), Some(MatchKind::Exact));
}

#[test]
fn a_name_of_any_length_is_judged() {
    let long = "x".repeat(100_000);
    assert_eq!(matches(&["mcp://demo/*"], "demo", &long, Some("1")), Some(MatchKind::Wildcard));
    assert_eq!(matches(&["add", "*"], &long, &long, Some(&long)), Some(MatchKind::Wildcard));
    assert_eq!(matches(&["add"], &long, "add", Some(&long)), Some(MatchKind::Versionless));
    assert_eq!(matches(&["mcp://demo/add"], &long, "add", Some("1")), None);
}

/// The grammar, word for word and entry by entry.
fn naive(entries: &[String], server: &str, tool: &str, version: Option<&str>) -> Option<MatchKind> {
    let kind = |entry: &String| {
        let is = |forms: &[String]| forms.contains(&entry.trim().to_owned());
        let of = |tail: &str| {
            [
                format!("mcp://{server}/{tool}{tail}"),
                format!("mcp://*/{tool}{tail}"),
                format!("{tool}{tail}"),
            ]
        };
        if version.is_some_and(|version| is(&of(&format!("@{version}")))) {
            Some(MatchKind::Exact)
        } else if is(&of("")) {
            Some(MatchKind::Versionless)
        } else if is(&of("@*"))
            || is(&["/", "/*", "/*@*"].map(|tail| format!("mcp://{server}{tail}")))
            // With a slash inside it would read as a tool.
            || (!server.contains('/') && is(&[format!("mcp://{server}")]))
            || is(&["*", "mcp://*", "mcp://*/", "mcp://*/*", "mcp://*/*@*"].map(str::to_owned))
        {
            Some(MatchKind::Wildcard)
        } else {
            None
        }
    };
    entries.iter().filter_map(kind).min()
}

fn entry() -> impl Strategy<Value = String> {
    // Few letters, so that entries and tools meet often.
    "( )?(mcp://)?(([ab]|\\*|@a/b|a/b)/?)?([ab]{0,2}|\\*|a/b)(@([12]|\\*|latest))?"
        .prop_filter("an entry that compiles", |entry| Allowlist::compile([entry.as_str()]).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_compiled_list_is_the_grammar(
        entries in prop::collection::vec(entry(), 0..12),
        server in "[ab]|@a/b|a/b",
        tool in "[ab]{1,2}|a/b",
        version in prop::option::of("[12]|latest"),
    ) {
        let list = Allowlist::compile(entries.iter().map(String::as_str)).unwrap();
        let declared = version.as_deref().and_then(ToolVersion::new);
        prop_assert_eq!(
            list.matches(ToolRef::new(&server, &tool, declared.as_ref())),
            naive(&entries, &server, &tool, version.as_deref())
        );
        // Whoever explains looks at the entries one by one.
        let each = entries.iter().map(|entry| Pattern::parse(entry).unwrap());
        let each = each.map(|entry| {
            let (borrowed, kept) = (entry.matches(ToolRef::new(&server, &tool, declared.as_ref())), entry.kept());
            assert_eq!(borrowed, kept.matches(ToolRef::new(&server, &tool, declared.as_ref())));
            borrowed
        });
        prop_assert_eq!(
            list.matches(ToolRef::new(&server, &tool, declared.as_ref())),
            each.flatten().min()
        );
    }
}
