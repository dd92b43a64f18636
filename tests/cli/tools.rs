//! `sec0 tools`.

use super::Desk;
use serde_json::{Value, json};

fn tool(name: &str, description: &str) -> Value {
    json!({
        "name": name, "description": description, "inputSchema": {"type": "object"},
        "_meta": {"sec0/version": "1.0"},
    })
}

impl Desk {
    fn serves(&self, tools: &[Value]) {
        self.write(
            "tools.json",
            &json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string(),
        );
    }

    /// With a lock file of the tools `add` and `echo`.
    fn locked() -> Self {
        let desk = Self::new();
        desk.serves(&[tool("add", "Adds"), tool("echo", "Says")]);
        desk.run(&["tools", "lock", "--server-tools", "tools.json"]).ended(0);
        desk
    }
}

const CHECK: [&str; 4] = ["tools", "check", "--server-tools", "tools.json"];
const DIFF: [&str; 4] = ["tools", "diff", "--server-tools", "tools.json"];
const LOCK: [&str; 4] = ["tools", "lock", "--server-tools", "tools.json"];

#[test]
fn what_was_locked_checks_and_does_not_differ() {
    let desk = Desk::locked();
    let run = desk.run(&CHECK).ended(0);
    assert_eq!(run.out, "sec0.lock: holds, 2 tools\n");
    let run = desk.run(&DIFF).ended(0);
    assert_eq!(run.out, "sec0.lock: nothing differs\n");
    let report = desk.run(&[&CHECK[..], &["--json"]].concat()).ended(0).json();
    let expected = json!({
        "holds": true, "tools": 2, "server": null, "binary": null, "changes": [], "notes": [],
    });
    assert_eq!(report, expected);
    let before = desk.read("sec0.lock");
    let run = desk.run(&LOCK).ended(0);
    assert_eq!(run.out, "sec0.lock: nothing changed, 2 tools\n");
    assert_eq!(desk.read("sec0.lock"), before);
    // The list alone is the same as the whole reply.
    desk.write("tools.json", &json!([tool("echo", "Says"), tool("add", "Adds")]).to_string());
    desk.run(&CHECK).ended(0);
}

#[test]
fn every_way_to_differ_fails_the_check_and_is_named() {
    let add = tool("add", "Adds");
    for (now, kind, told) in [
        (vec![add.clone(), tool("echo", "Other")], "changed", "tool `echo` was changed"),
        (vec![add.clone()], "removed", "tool `echo` was removed"),
        (vec![add.clone(), tool("echo", "Says"), tool("x", "")], "added", "tool `x` was added"),
        (vec![add, tool("say", "Says")], "renamed", "tool `echo` was renamed to `say`"),
    ] {
        let desk = Desk::locked();
        desk.serves(&now);
        let run = desk.run(&CHECK).ended(1);
        let line = format!("sec0.lock: {told}; `sec0 tools diff` shows old and new text\n");
        assert_eq!((&*run.out, run.err), ("", line));
        let report = desk.run(&[&CHECK[..], &["--json"]].concat()).ended(1).json();
        assert_eq!(report["holds"], false);
        assert_eq!(report["changes"][0]["kind"], kind);
        assert!(report["changes"][0].get("diff").is_none());

        let run = desk.run(&DIFF).ended(0);
        assert!(run.out.starts_with(told), "{}", run.out);
        let report = desk.run(&[&DIFF[..], &["--json"]].concat()).ended(0).json();
        assert_eq!((&report["drift"], &report["changes"][0]["kind"]), (&json!(true), &json!(kind)));
        let is_line =
            |line: &Value| line.as_str().is_some_and(|line| line.starts_with([' ', '+', '-']));
        assert!(report["changes"][0]["diff"].as_array().unwrap().iter().all(is_line));

        // To lock anew is the deliberate act, and says what it took.
        let run = desk.run(&LOCK).ended(0);
        assert!(run.out.starts_with(told) && run.out.contains("sec0.lock: written"), "{}", run.out);
        desk.run(&CHECK).ended(0);
    }
}

#[test]
fn a_diff_shows_old_and_new_text_and_what_hides_in_it() {
    let desk = Desk::locked();
    let hidden = "Adds\u{1b}[2J\u{202e}\u{200b}\u{e0041}\u{9b}";
    desk.serves(&[tool("add", hidden), tool("echo", "Says")]);
    let run = desk.run(&DIFF).ended(0);
    assert!(run.out.contains("\n-  \"description\": \"Adds\",\n"), "{}", run.out);
    let line = "\n+  \"description\": \"Adds\\u001b[2J\\u202e\\u200b\\udb40\\udc41\\u009b\",\n";
    assert!(run.out.contains(line), "{}", run.out);
    // A name is the server's text too.
    desk.serves(&[tool("add\u{1b}]0;x\u{7}\u{202e}", "")]);
    for arguments in [&CHECK[..], &DIFF, &LOCK] {
        for more in [&[][..], &["--json"]] {
            let run = desk.run(&[arguments, more].concat());
            let said = format!("{}{}", run.out, run.err);
            assert!(
                said.chars().all(|letter| letter == '\n'
                    || ('\u{20}'..'\u{7f}').contains(&letter)
                    || letter == '…'),
                "{said:?}"
            );
        }
    }
    assert!(desk.read("sec0.lock").is_ascii());
}

#[test]
fn the_server_is_compared_where_it_is_named_and_kept_where_it_is_not() {
    let desk = Desk::locked();
    let named =
        |line: &[&'static str], server: &'static str| [line, &["--server", server]].concat();
    desk.run(&named(&LOCK, "demo@1.0.0")).ended(0);
    desk.run(&named(&CHECK, "demo@1.0.0")).ended(0);
    let run = desk.run(&named(&CHECK, "demo@1.0.1")).ended(1);
    assert!(run.err.contains("the server is `demo@1.0.1`, not `demo@1.0.0`"), "{}", run.err);
    let run = desk.run(&CHECK).ended(0);
    assert!(run.out.starts_with("note: the server was not compared"), "{}", run.out);
    desk.serves(&[tool("add", "Adds")]);
    desk.run(&LOCK).ended(0);
    assert!(desk.read("sec0.lock").contains("\"version\": \"1.0.0\""));
    let run = desk.run(&named(&CHECK, "demo")).ended(2);
    assert!(run.err.contains("write `NAME@VERSION`"), "{}", run.err);
}

#[test]
fn the_executable_is_compared_where_it_is_named_and_not_lost() {
    let desk = Desk::locked();
    desk.write("server", "one build");
    let with = |line: &[&'static str]| [line, &["--binary", "server"]].concat();
    desk.run(&with(&LOCK)).ended(0);
    desk.run(&with(&CHECK)).ended(0);
    let run = desk.run(&CHECK).ended(0);
    assert!(run.out.starts_with("note: the executable was not compared"), "{}", run.out);
    desk.write("server", "another build");
    let run = desk.run(&with(&CHECK)).ended(1);
    assert!(run.err.contains("the executable is another one"), "{}", run.err);
    let report = desk.run(&[&with(&CHECK)[..], &["--json"]].concat()).ended(1).json();
    assert_eq!(report["binary"]["sha256"].as_str().unwrap().len(), 64);
    let run = desk.run(&LOCK).ended(2);
    assert!(run.err.contains("name it with `--binary`"), "{}", run.err);
    let run = desk.run(&[&CHECK[..], &["--binary", "nowhere"]].concat()).ended(2);
    assert!(run.err.contains("the executable `nowhere` cannot be read"), "{}", run.err);
}

#[test]
fn what_cannot_be_read_is_told_and_nothing_is_replaced() {
    let desk = Desk::new();
    desk.serves(&[tool("add", "Adds")]);
    let run = desk.run(&CHECK).ended(2);
    assert!(run.err.contains("lock file `sec0.lock` is missing"), "{}", run.err);
    desk.write("policy.yaml", "tenant: acme\n");
    for verb in ["lock", "check", "diff"] {
        let line = ["tools", verb, "--lock", "policy.yaml", "--server-tools", "tools.json"];
        let run = desk.run(&line).ended(2);
        assert!(run.err.contains("policy.yaml:1:2: this is no lock file"), "{}", run.err);
    }
    assert_eq!(desk.read("policy.yaml"), "tenant: acme\n");
    desk.write("tools.json", "{}");
    let run = desk.run(&LOCK).ended(2);
    assert!(run.err.contains("tools.json: the list of tools is none"), "{}", run.err);
    assert!(!desk.path("sec0.lock").exists());
    desk.run(&["tools", "check"]).ended(2);
}

#[test]
fn a_command_behind_two_dashes_is_refused_with_what_to_do_instead() {
    let desk = Desk::locked();
    for line in
        [vec!["tools", "lock", "--", "server", "--x"], [&CHECK[..], &["--", "server"]].concat()]
    {
        let run = desk.run(&line).ended(2);
        assert!(run.err.contains("a command behind `--` is not run yet"), "{}", run.err);
    }
}
