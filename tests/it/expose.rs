//! `expose: filtered`: a list shows what may be called, at every door, and the log says how much.

use crate::demo::Demo;
use crate::drive::{DEMO_POLICY, Era, House, HttpServer, Session, call, denial as denied};
use crate::plugins::{Held, StdLock};
use crate::support::*;
use crate::whole::hand::{Hand, list};
use rmcp::ServerHandler;
use rmcp::model::PaginatedRequestParams;
use sec0::mcp::detached_context;
use sec0::policy::PolicyFile;
use sec0::stack::Reload;
use sec0::{Policy, Sec0Options, Sec0SecurityLayer, ServerHandlerExt, ToolRouterExt};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What the demo has, and what its policies let be called.
const ALL: [&str; 6] = ["add", "echo", "fail", "fetch", "slow", "write_file"];
const ALLOWED: [&str; 4] = ["add", "echo", "fail", "slow"];

/// The demo's policy, by which nobody may call `echo` with any arguments.
fn without_echo() -> String {
    format!(
        "{DEMO_POLICY}expose: filtered\n\
         rules: [{{id: no-echo, tool: echo, pointer: '', op: exists, effect: deny}}]\n"
    )
}

fn layer(site: &Site, rules: &Rules, more: &str) -> Sec0SecurityLayer {
    let policy = Policy::from_yaml(&format!("{}{more}", rules.yaml())).unwrap();
    let options = Sec0Options::new(policy).audit_sink(site.sink.clone()).signer(key());
    Sec0SecurityLayer::try_new(options).unwrap()
}

fn filtered(site: &Site, rules: &Rules) -> Sec0SecurityLayer {
    layer(site, rules, "expose: filtered\n")
}

/// Shown and withheld, of each line about lists.
fn counts(events: &[Value]) -> Vec<[usize; 2]> {
    let lists = events.iter().filter(|event| event["event"] == "tools_list");
    lists
        .map(|event| {
            ["tools_shown", "tools_withheld"]
                .map(|key| event[key].as_u64().unwrap().try_into().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn clients_of_both_eras_are_shown_what_the_policy_lets_them_call() {
    for era in Era::ALL {
        for (policy, shown) in [
            (format!("{DEMO_POLICY}expose: filtered\n"), &ALLOWED[..]),
            (without_echo(), &["add", "fail", "slow"]),
            (format!("{DEMO_POLICY}expose: all\n"), &ALL),
            (DEMO_POLICY.to_owned(), &ALL),
        ] {
            let house = House::new(&policy);
            let sec0 = house.layer();
            let server = Demo::tool_router().serving(Demo).layer(sec0.clone());
            let session = Session::open(era, server).await;
            for _ in 0..3 {
                let listed = session.client.list_all_tools().await.unwrap();
                let names: Vec<_> = listed.iter().map(|tool| &*tool.name).collect();
                assert_eq!(names, shown, "{policy}");
            }
            // What is hidden is no secret, and no other tool than before: the policy refuses it.
            let hidden = call(&session.client, "write_file", json!({"path": "a", "text": "b"}));
            assert_eq!(denied(&hidden.await.unwrap())["reason"], "tool_not_in_allowlist");
            let added = call(&session.client, "add", json!({"a": 1, "b": 2})).await.unwrap();
            assert_eq!(added.is_error, Some(false));
            session.close().await;
            sec0.shutdown().await;

            let (events, records) = (house.events(), house.records());
            assert_eq!(records.len(), 2);
            let is_filtered = shown.len() < ALL.len();
            let (few, all) = (shown.len(), ALL.len());
            let wanted = if is_filtered { vec![[few, all - few]] } else { Vec::new() };
            assert_eq!(counts(&events), wanted, "{events:#?}");
            if let Some(line) = events.iter().find(|event| event["event"] == "tools_list") {
                assert_eq!(line["policy_digest"], records[0]["policy_digest"]);
                assert_eq!(line["server_snapshot"], records[0]["server_snapshot"]);
                assert_eq!(
                    (&line["target_server"], &line["status"]),
                    (&json!("demo@1.0.0"), &json!("ok"))
                );
            }
        }
    }
}

#[tokio::test]
async fn over_http_a_hidden_tool_is_refused_by_the_policy_too() {
    for era in Era::ALL {
        let house = House::new(&format!("{DEMO_POLICY}expose: filtered\n"));
        let sec0 = house.layer();
        let server = Demo::tool_router().serving(Demo).layer(sec0.clone());
        let http = HttpServer::start(move || server.clone()).await;
        let client = era.connect_http(&http.url, &[]).await;
        let listed = client.list_all_tools().await.unwrap();
        assert_eq!(listed.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ALLOWED);
        let hidden = call(&client, "write_file", json!({"path": "a", "text": "b"})).await.unwrap();
        assert_eq!(denied(&hidden)["reason"], "tool_not_in_allowlist");
        client.cancel().await.unwrap();
        http.stop().await;
        sec0.shutdown().await;
        assert_eq!(counts(&house.events()), [[4, 2]]);
    }
}

#[tokio::test]
async fn get_tool_tells_of_what_is_listed_and_of_nothing_else() {
    let site = Site::default();
    let rules = Rules::enforce().allow(&["mcp://demo/a"]);
    let mock = demo()
        .tool(tool("a", Some("1.0")), Runs::default().handler())
        .tool(tool("b", Some("1.0")), Runs::default().handler());
    let sec0 = filtered(&site, &rules);
    let server = mock.layer(sec0.clone());
    assert_eq!(list(&server).await.unwrap(), ["a"]);
    assert!(server.get_tool("a").is_some() && server.get_tool("b").is_none());
    assert_eq!(server.tools().len(), 2, "what is frozen is what the program sees");
    assert_eq!(denial(&ask(&server, "b", json!({})).await)["reason"], "tool_not_in_allowlist");

    let open = Sec0SecurityLayer::try_new(site_options(&rules)).unwrap();
    let server = Hand::telling(&["a", "b"]).layer(open);
    assert!(server.get_tool("b").is_some());
}

fn site_options(rules: &Rules) -> Sec0Options {
    Site::default().options(rules)
}

#[tokio::test]
async fn nothing_is_hidden_in_observe_nor_what_a_key_or_an_approval_lets_through() {
    let runs = Runs::default();
    let handler = || runs.handler();
    for rules in [
        Rules::observe().allow(&["mcp://demo/a"]),
        Rules::enforce().keyed(),
        Rules::enforce().on_arguments("{id: r, tool: b, pointer: '', op: exists, effect: ask}"),
        Rules::enforce().on_arguments("{id: r, tool: b, pointer: /x, op: exists, effect: deny}"),
    ] {
        let site = Site::default();
        let sec0 = filtered(&site, &rules);
        let server = demo().tool(tool("a", Some("1.0")), handler());
        let server = server.tool(tool("b", Some("1.0")), handler()).layer(sec0.clone());
        assert_eq!(list(&server).await.unwrap(), ["a", "b"], "{}", rules.yaml());
        assert_eq!(counts(&site.close(&sec0).await.events), [[2, 0]]);
    }
}

#[tokio::test]
async fn a_router_that_its_server_holds_is_filtered() {
    let policy = "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
                  tools: {allowlist: [one], deny_if_unpinned_version: false}\n\
                  enforcement: {deny_on: [tool_not_in_allowlist]}\nexpose: filtered\n";
    let held = Held::<StdLock>::new(policy).await;
    assert_eq!(held.lists().await, ["one"]);
    held.runs("one").await;
    held.is_refused("two", "POLICY_DENIED", "tool_not_in_allowlist").await;
    let (_, events) = held.end().await;
    assert_eq!(counts(&events), [[1, 2]]);
}

#[tokio::test]
async fn a_page_of_which_nothing_is_left_gives_way_to_the_next() {
    let site = Site::default();
    let sec0 = filtered(&site, &Rules::enforce().allow(&["c"]));
    let hand = Hand::made(&["a", "b", "c", "d"], |inside| inside.page = 1);
    let server = hand.clone().layer(sec0.clone());
    let page = server.list_tools(None, detached_context()).await.unwrap();
    assert_eq!(page.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["c"]);
    // The cursor is the server's.
    assert_eq!(page.next_cursor.as_deref(), Some("3"));
    let request = PaginatedRequestParams::default().with_cursor(page.next_cursor);
    let page = server.list_tools(Some(request), detached_context()).await.unwrap();
    assert!(page.tools.is_empty() && page.next_cursor.is_none());
    assert_eq!(list(&server).await.unwrap(), ["c"]);
}

#[tokio::test]
async fn a_server_of_many_hidden_pages_is_asked_for_a_bounded_number_of_them() {
    const NAMES: [&str; 250] = {
        let mut names = [""; 250];
        let mut at = 0;
        while at < names.len() {
            names[at] = LETTERS.split_at(at + 1).0;
            at += 1;
        }
        names
    };
    let site = Site::default();
    let sec0 = filtered(&site, &Rules::enforce().allow(&[NAMES[249]]));
    let hand = Hand::made(&NAMES, |inside| inside.page = 1);
    let server = hand.clone().layer(sec0.clone());
    assert_eq!(server.tools().len(), 250);
    let before = hand.0.listed.load(Ordering::SeqCst);
    let page = server.list_tools(None, detached_context()).await.unwrap();
    assert_eq!(hand.0.listed.load(Ordering::SeqCst) - before, 100);
    assert!(page.tools.is_empty());
    assert_eq!(page.next_cursor.as_deref(), Some("100"));
    assert_eq!(list(&server).await.unwrap(), [NAMES[249]]);
}

const LETTERS: &str = match std::str::from_utf8(&[b'x'; 250]) {
    Ok(letters) => letters,
    Err(_) => "",
};

#[tokio::test]
async fn tools_that_are_not_as_they_were_locked_are_hidden_where_that_is_denied() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sec0.lock");
    let runs = Runs::default();
    let mock = |second: &'static str| {
        let handler = || runs.handler();
        demo().tool(tool("a", Some("1.0")), handler()).tool(tool("b", Some(second)), handler())
    };
    let before = Site::default().layer(&Rules::observe());
    let _server = mock("1.0").layer(before.clone());
    before.write_lock(&file).unwrap();
    for (rules, shown) in [
        (Rules::enforce(), &["a"][..]),
        (Rules::with(Some("enforce"), &["tool_not_in_allowlist"]), &["a", "b"]),
    ] {
        let site = Site::default();
        let yaml = format!("{}expose: filtered\nregistry: {{lock: warn}}\n", rules.yaml());
        let options = Sec0Options::new(Policy::from_yaml(&yaml).unwrap())
            .audit_sink(site.sink.clone())
            .signer(key())
            .lock_file(&file);
        let sec0 = Sec0SecurityLayer::try_new(options).unwrap();
        let server = mock("2.0").layer(sec0.clone());
        assert_eq!(list(&server).await.unwrap(), shown);
        for name in ["a", "b"] {
            let answer = ask(&server, name, json!({})).await;
            assert_eq!(is_fine(&answer), shown.contains(&name), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_newer_policy_shows_other_tools_and_says_so_in_the_log() {
    let house = House::new(&format!("{DEMO_POLICY}expose: filtered\n"));
    let (source, _) = PolicyFile::open(house.policy()).unwrap();
    let options = house.options().policy_source(source).reload_every(Duration::from_hours(1));
    let sec0 = Sec0SecurityLayer::try_new(options).unwrap();
    let server = Demo::tool_router().serving(Demo).layer(sec0.clone());
    assert_eq!(list(&server).await.unwrap(), ALLOWED);
    std::fs::write(house.policy(), without_echo()).unwrap();
    assert!(matches!(sec0.reload(), Reload::Taken { .. }));
    assert_eq!(list(&server).await.unwrap(), ["add", "fail", "slow"]);
    assert!(server.get_tool("echo").is_none());
    sec0.shutdown().await;
    assert_eq!(counts(&house.events()), [[4, 2], [3, 3]]);
}
