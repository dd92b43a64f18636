//! From the question to the decision.

use super::{Approvals, now};
use sec0::approval::Shown;
use sec0::clock::Timestamp;
use serde_json::json;

#[test]
fn two_roles_approve_and_everything_else_changes_nothing() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();

    let run = all.vote("approve", &id, "ana").ended(0);
    assert!(run.out.contains("1 of 2 approvals; still missing: 1 approval, the role finance"));
    let refused = all.vote("approve", &id, "ana").ended(1);
    assert!(refused.err.contains("this member has voted before"), "{}", refused.err);
    let refused = all.vote("approve", &id, "dan").ended(1);
    assert!(refused.err.contains("cannot approve a call of their own"), "{}", refused.err);
    let others_key = ["approve", &id, "--key", "ana.key", "--as", "bo"];
    let refused = all.run(&others_key).ended(2);
    assert!(refused.err.contains("`ana.key` is not that of `bo`"), "{}", refused.err);
    assert!(refused.err.contains("it is that of `ana`"), "{}", refused.err);
    assert_eq!(all.shown(&id)["status"], "pending");

    let run = all.vote("approve", &id, "bo").ended(0);
    assert!(run.out.contains("approved     2 of 2 approvals\n"), "{}", run.out);
    let refused = all.vote("reject", &id, "cy").ended(1);
    assert!(refused.err.contains("a decision is final"), "{}", refused.err);

    let report = all.shown(&id);
    assert_eq!(report["status"], "approved");
    assert_eq!(report["finalization_reason"], "quorum_reached");
    let voters: Vec<_> =
        report["votes"].as_array().unwrap().iter().map(|vote| &vote["approver"]).collect();
    assert_eq!(voters, [&json!("ana"), &json!("bo")]);
    assert!(all.list(&[]).is_empty());
    assert_eq!(all.list(&["--all"]).len(), 1);
}

#[test]
fn a_veto_rejects_at_once() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();
    all.vote("approve", &id, "ana").ended(0);
    let run = all.vote("reject", &id, "cy").ended(0);
    assert!(run.out.contains("rejected     vetoed"), "{}", run.out);
    assert_eq!(all.shown(&id)["finalization_reason"], "vetoed");
    all.vote("approve", &id, "bo").ended(1);
}

#[test]
fn what_is_over_is_not_listed_and_takes_no_vote() {
    let all = Approvals::new();
    let long_ago = Timestamp::from_millis(now().as_millis() - 7_200_000);
    let id = all.ask_with(1, long_ago, |_| {}, Shown::of(None, [0; 16])).to_string();
    assert!(all.list(&[]).is_empty());
    assert_eq!(all.list(&["--all"])[0]["status"], "expired");
    let run = all.run(&["list"]).ended(0);
    assert_eq!(run.out, "no call waits for a decision\n");
    let refused = all.vote("approve", &id, "ana").ended(1);
    assert!(refused.err.contains("the vote does not count"), "{}", refused.err);
    assert_eq!(all.shown(&id)["votes"], json!([]));
}

#[test]
fn approvers_see_the_call_and_no_secret_before_the_vote() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();
    let show = all.run(&["show", &id]).ended(0);
    let words = ["--note", "call\u{202e}ed\nback"];
    let approve = ["approve", &id, "--key", "ana.key", "--as", "ana"];
    let approve = all.run(&[&approve[..], &words].concat()).ended(0);
    for out in [&show.out, &approve.out] {
        for text in ["pay@1.0", "demo", "acme", "local:1000", "\"sum\": 900", "a\\u202eb"] {
            assert!(out.contains(text), "{text} is not in {out}");
        }
        assert!(out.contains("\"api_key\": [masked, 8 characters]"), "{out}");
        assert!(!out.contains("hunter22") && !out.contains('\u{202e}'), "{out}");
    }
    assert!(approve.out.contains("note `call\\u202eed\\u000aback`"), "{}", approve.out);
    let at = |text: &str| approve.out.find(text).unwrap();
    assert!(at("\"sum\": 900") < at("signed") && at("signed") < at("counted"));
    let whole = [
        "large_sum",
        "pay-over-500",
        "high",
        "the call stays refused",
        "59 min left",
        "set `prod`",
        "with the roles security and finance among them",
        "one of the role legal",
        "cy: legal; has a veto",
        "dan: finance; cannot approve this call, which is their own",
        "0 of 2 approvals; still missing: 2 approvals, the role security, the role finance",
    ];
    for text in whole {
        assert!(show.out.contains(text), "{text} is not in {}", show.out);
    }
    let show = all.run(&["show", &id]).ended(0);
    assert!(show.out.contains("ana: approve, `call\\u202eed\\u000aback`"), "{}", show.out);
}

#[test]
fn scripts_are_told_the_same() {
    let all = Approvals::new();
    let first = all.ask(1, 900).to_string();
    let approve = ["approve", &first, "--key", "ana.key", "--as", "ana", "--note", "ok", "--json"];
    let report = all.run(&approve).ended(0).json();
    assert_eq!(report["counted"], true);
    assert_eq!(report["escalation"]["approvals_missing"], 1);
    assert_eq!(report["escalation"]["roles_missing"], json!(["finance"]));
    let report = all.run(&approve).ended(1).json();
    assert_eq!(report["counted"], false);
    assert!(report["why_not"].as_str().unwrap().contains("has voted before"));
}

#[test]
fn a_list_for_scripts_has_every_vote() {
    let all = Approvals::new();
    let (first, second) = (all.ask(1, 900).to_string(), all.ask(2, 901).to_string());
    let approve = ["approve", &first, "--key", "ana.key", "--as", "ana", "--note", "ok"];
    all.run(&approve).ended(0);
    let list = all.list(&[]);
    assert_eq!([&list[0]["id"], &list[1]["id"]], [&json!(first), &json!(second)]);
    let row = &list[0];
    for (name, value) in [("status", "pending"), ("tool", "pay@1.0"), ("reason", "large_sum")] {
        assert_eq!(row[name], value);
    }
    assert_eq!((&row["severity"], &row["principal"]), (&json!("high"), &json!("local:1000")));
    let vote = &row["votes"][0];
    assert_eq!((&vote["approver"], &vote["decision"]), (&json!("ana"), &json!("approve")));
    assert_eq!(vote["note"], "ok");
    for time in [&row["created_at"], &row["expires_at"], &vote["ts"]] {
        let time = time.as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[19] == b'.', "{time}");
    }
}

#[test]
fn people_get_a_table() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();
    all.vote("approve", &id, "ana").ended(0);
    let table = all.run(&["list"]).ended(0).out;
    let mut lines = table.lines();
    assert!(lines.next().unwrap().starts_with("ID            STATUS   TOOL"), "{table}");
    let row = lines.next().unwrap();
    for text in [
        id.get(..12).unwrap(),
        "pending",
        "demo/pay@1.0",
        "large_sum",
        "59 min",
        "1 of 2, lacks finance",
    ] {
        assert!(row.contains(text), "{text} is not in {table}");
    }
    assert_eq!(lines.next(), None);
}
