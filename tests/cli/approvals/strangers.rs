//! Wrong directories, wrong keys, ids that name nothing or too much, and texts of callers.

use super::{Approvals, now};
use crate::Desk;
use sec0::approval::Shown;
use serde_json::json;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;

#[test]
fn an_id_is_named_by_six_digits_if_it_is_the_only_one() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();
    assert_eq!(all.shown(id.get(..6).unwrap())["id"], id.as_str());
    let none = all.run(&["show", "ffffff"]).ended(1);
    assert!(none.err.contains("no escalation has the id `ffffff`"), "{}", none.err);
    for short in [id.get(..5).unwrap(), "not-an-id", "01\u{1b}[2J"] {
        let run = all.vote("approve", short, "ana").ended(2);
        assert!(run.err.contains("at least the first 6"), "{}", run.err);
        assert!(!run.err.contains('\u{1b}'));
    }
}

#[test]
fn what_could_mean_two_calls_is_not_decided() {
    let all = Approvals::new();
    let ids: Vec<_> = [1, 2]
        .map(|last| {
            all.ask_with(
                7,
                now(),
                |asked| {
                    let mut bits = *asked.id.as_bytes();
                    bits[15] = last;
                    asked.id = sec0::approval::EscalationId::from_random(bits);
                    asked.binding.tool = format!("pay@{last}").into();
                },
                Shown::of(None, [last; 16]),
            )
        })
        .into();
    let run = all.vote("approve", ids[0].to_string().get(..20).unwrap(), "ana").ended(2);
    assert!(run.err.contains("more than one escalation"), "{}", run.err);
    assert!(all.list(&[]).iter().all(|row| row["votes"].as_array().unwrap().is_empty()));
    all.vote("approve", &ids[0].to_string(), "ana").ended(0);
}

#[test]
fn who_is_not_in_the_set_is_told_who_is() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();
    let run = all.run(&["approve", &id, "--key", "ana.key", "--as", "eve"]).ended(2);
    assert!(run.err.contains("no member `eve`; give `--as` one of `ana`, `bo`"), "{}", run.err);
    all.desk.run(&["keygen", "--out", "eve"]).ended(0);
    let run = all.run(&["approve", &id, "--key", "eve.key", "--as", "ana"]).ended(2);
    assert!(run.err.contains("it is nobody's in the set"), "{}", run.err);
    let run = all.run(&["approve", &id, "--key", "none.key", "--as", "ana"]).ended(2);
    assert!(run.err.contains("none.key"), "{}", run.err);
    let note = "x".repeat(1025);
    let words = ["approve", &id, "--key", "ana.key", "--as", "ana", "--note", &note];
    let run = all.run(&words).status;
    assert_eq!(run, 2);
    assert_eq!(all.shown(&id)["votes"].as_array().unwrap().len(), 0);
}

#[test]
fn a_directory_without_a_store_is_named() {
    let desk = Desk::new();
    let decide = ["approve", "abcdef", "--key", "a.key", "--as", "ana"];
    DirBuilder::new().mode(0o700).create(desk.path("empty")).unwrap();
    for words in [&["list"][..], &["show", "abcdef"], &["watch"], &decide] {
        let run = desk.run(&[&["approvals"], words, &["--dir", "empty"]].concat()).ended(2);
        assert!(run.err.contains("/empty/sec0.db` does not exist; name the audit"), "{}", run.err);
        let run = desk.run(&[&["approvals"], words].concat()).ended(2);
        let said = "`.sec0` does not exist; give `--dir` the audit directory of a server";
        assert!(run.err.contains(said), "{}", run.err);
    }
    assert!(!desk.path("empty/sec0.db").exists() && !desk.path(".sec0").exists());
}

#[test]
fn nothing_that_callers_send_moves_a_terminal() {
    let all = Approvals::new();
    let evil = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r\n";
    let shown = Shown { text: format!("{{}}\n{evil}").into(), salt: [1; 16] };
    let id = all
        .ask_with(
            3,
            now(),
            |asked| {
                asked.binding.tool = evil.into();
                asked.binding.server = evil.into();
                asked.binding.tenant = evil.into();
                asked.binding.principal = evil.into();
                asked.reasons = vec![evil.into()];
                asked.rules = vec![evil.into()];
                asked.terms.approval_set_id = Some(evil.into());
                asked.terms.required_roles.push(evil.into());
                let member = &mut asked.terms.approval_set.as_mut().unwrap().members[3];
                (member.id, member.roles) = (evil.into(), vec![evil.into()]);
            },
            shown,
        )
        .to_string();
    for words in [&["list"][..], &["list", "--json"], &["show", &id], &["show", &id, "--json"]] {
        let run = all.run(words).ended(0);
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!run.out.contains(obeyed), "{words:?}: {}", run.out.escape_debug());
    }
    assert_eq!(all.shown(&id)["tool"], evil);
    assert_eq!(all.run(&["list"]).out.lines().count(), 2);
}

#[test]
fn a_store_that_claims_an_approval_is_contradicted() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();
    let db = rusqlite::Connection::open(all.desk.path(".sec0/sec0.db")).unwrap();
    let forged = "UPDATE approvals SET ended = 'quorum_reached'";
    assert_eq!(db.execute(forged, []).unwrap(), 1);
    drop(db);
    let table = all.run(&["list", "--all"]).ended(0).out;
    assert!(table.contains("contradicted"), "{table}");
    let show = all.run(&["show", &id]).ended(0).out;
    assert!(show.contains("the store says so, and the votes do not"), "{show}");
    assert_eq!(all.shown(&id)["contradicted"], true);
}

#[test]
fn arguments_that_are_not_those_of_the_escalation_are_not_signed() {
    let all = Approvals::new();
    let id = all.ask(1, 900).to_string();
    let db = rusqlite::Connection::open(all.desk.path(".sec0/sec0.db")).unwrap();
    assert_eq!(db.execute("UPDATE approvals SET shown = '{}'", []).unwrap(), 1);
    drop(db);
    let run = all.vote("approve", &id, "ana").ended(2);
    assert!(run.err.contains("the store has a damaged row"), "{}", run.err);
    assert_eq!(run.out, "");
}

#[test]
fn a_damaged_row_is_named_and_the_others_are_listed() {
    let all = Approvals::new();
    let [good, bad] = [1, 2].map(|first| all.ask(first, 900 + u32::from(first)).to_string());
    let file = rusqlite::Connection::open(all.desk.path(".sec0/sec0.db")).unwrap();
    let change = "UPDATE approvals SET escalation = escalation || ' ' WHERE hex(id) = upper(?1)";
    assert_eq!(file.execute(change, [&bad]).unwrap(), 1);
    for words in [["list"].as_slice(), &["list", "--all"]] {
        let run = all.run(words).ended(0);
        assert!(run.out.contains(good.get(..12).unwrap()), "{}", run.out);
        assert!(run.out.contains(&format!("a damaged row, the escalation `{bad}`")), "{}", run.out);
    }
    let listed = all.list(&[]);
    assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&json!(good), &json!("pending")));
    assert_eq!(
        listed[1],
        json!({ "id": bad, "status": "damaged", "what": "its question does not read" })
    );
    for verb in ["show", "approve"] {
        let run = match verb {
            "show" => all.run(&["show", &bad]),
            verb => all.vote(verb, &bad, "ana"),
        };
        let run = run.ended(2);
        assert!(run.err.contains(&format!("a damaged row, the escalation `{bad}`")), "{}", run.err);
    }
    all.vote("approve", &good, "ana").ended(0);
}

#[test]
fn a_time_out_that_approves_nothing_is_not_said_to_approve() {
    use sec0::approval::TimeoutAction;
    let all = Approvals::new();
    let shown = |first: u8, roles: &[&str]| {
        let id = all.ask_with(
            first,
            now(),
            |asked| {
                asked.terms.timeout_action = TimeoutAction::AutoApprove;
                asked.terms.allow_unattended = true;
                asked.terms.required_roles = roles.iter().copied().map(Into::into).collect();
            },
            Shown::of(None, [9; 16]),
        );
        let id = id.to_string();
        (all.run(&["show", &id]).ended(0).out, all.shown(&id)["time_out_approves"].clone())
    };
    let (out, approves) = shown(1, &["security"]);
    assert!(out.contains("on time-out  the call is approved, unless"), "{out}");
    assert_eq!(approves, true);
    // Nobody has this role.
    let (out, approves) = shown(2, &["captain"]);
    assert!(out.contains("on time-out  the call stays refused: its approvers"), "{out}");
    assert_eq!(approves, false);
}
