//! `sec0 approvals watch`.

use super::{Approvals, now};
use rustix::process::{Pid, Signal, kill_process};
use sec0::approval::{Asked, Shown};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

/// The command while it runs.
struct Watch {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Watch {
    fn start(all: &Approvals, more: &[&str]) -> Self {
        let mut command = all.desk.command(&[&["approvals", "watch"], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// What else it says when it is told to end, and how it ends.
    fn end(mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        let mut fault = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut fault).unwrap();
        assert_eq!((self.child.wait().unwrap().code(), fault.as_str()), (Some(0), ""));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A test that fails leaves no process behind; one that has ended is none.
        drop(self.child.kill());
    }
}

#[test]
fn each_change_is_a_line_as_it_happens() {
    let all = Approvals::new();
    let (there, decided) = (all.ask(1, 900).to_string(), all.ask(2, 901).to_string());
    all.vote("reject", &decided, "cy").ended(0);

    let mut watch = Watch::start(&all, &["--json"]);
    let event = watch.json();
    assert_eq!((&event["event"], &event["id"]), (&"pending".into(), &there.clone().into()));

    let asked = all.ask(3, 902).to_string();
    let event = watch.json();
    assert_eq!((&event["event"], &event["id"]), (&"created".into(), &asked.clone().into()));
    assert_eq!((&event["status"], &event["tool"]), (&"pending".into(), &"pay@1.0".into()));

    all.vote("approve", &asked, "ana").ended(0);
    let event = watch.json();
    assert_eq!((&event["event"], &event["id"]), (&"vote".into(), &asked.clone().into()));
    assert_eq!(event["votes"][0]["approver"], "ana");

    all.vote("approve", &asked, "bo").ended(0);
    assert_eq!(watch.json()["event"], "vote");
    let event = watch.json();
    assert_eq!((&event["event"], &event["status"]), (&"decided".into(), &"approved".into()));
    watch.end(Signal::TERM);
}

#[test]
fn time_that_is_up_is_a_change_without_any_server() {
    let all = Approvals::new();
    all.ask(2, 900);
    let mut watch = Watch::start(&all, &["--json"]);
    assert_eq!(watch.json()["event"], "pending");
    let short = |asked: &mut Asked| asked.terms.ttl_seconds = 1;
    let id = all.ask_with(1, now(), short, Shown::of(None, [0; 16])).to_string();
    assert_eq!(watch.json()["event"], "created");
    let event = watch.json();
    assert_eq!((&event["event"], &event["status"]), (&"decided".into(), &"expired".into()));
    assert_eq!(event["id"], id.as_str());
    watch.end(Signal::TERM);
}

#[test]
fn people_read_the_same() {
    let all = Approvals::new();
    all.ask(1, 900);
    let mut watch = Watch::start(&all, &[]);
    let line = watch.line();
    assert!(line.contains("  pending  01abababab"), "{line}");
    let id = all.ask(2, 901).to_string();
    assert!(watch.line().contains("  created  02abababab"));
    let words = ["reject", &id, "--key", "cy.key", "--as", "cy", "--note", "no\u{1b}[2J"];
    all.run(&words).ended(0);
    let line = watch.line();
    assert!(line.ends_with("  cy: reject, `no\\u001b[2J`\n"), "{line}");
    let line = watch.line();
    assert!(line.contains("  decided  ") && line.ends_with("  by vetoed\n"), "{line}");
    watch.end(Signal::INT);
}
