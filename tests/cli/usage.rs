//! Help, wrong use, and whoever does not read to the end.

use super::{Desk, Run, policy};
use std::path::Path;

#[test]
fn every_command_has_help_that_goes_to_stdout() {
    let desk = Desk::new();
    for words in [
        &[][..],
        &["approvals"],
        &["approvals", "approve"],
        &["keygen"],
        &["policy"],
        &["policy", "check"],
        &["policy", "explain"],
        &["audit"],
        &["audit", "verify"],
    ] {
        let run = desk.run(&[words, &["--help"]].concat()).ended(0);
        assert!(run.out.contains(&format!("Usage: {}", [&["sec0"], words].concat().join(" "))));
        let short = desk.run(&[words, &["-h"]].concat()).ended(0);
        assert!(short.out.contains("Usage: sec0"));
    }
    let help = desk.run(&["--help"]).ended(0).out;
    for text in ["keygen", "policy", "audit", "0 fine", "1 the thing checked does not hold"] {
        assert!(help.contains(text), "{text}");
    }
    let version = desk.run(&["--version"]).ended(0).out;
    assert_eq!(version, format!("sec0 {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_use_is_status_2_and_says_what_is_wrong() {
    let desk = Desk::new();
    let cases: [(&[&str], &str); 13] = [
        (&[], "Usage: sec0"),
        (&["sign"], "'sign'"),
        (&["policy"], "Usage: sec0 policy"),
        (&["policy", "check"], "<FILE>"),
        (&["policy", "check", "a", "b"], "'b'"),
        (&["policy", "chekc", "a"], "'check'"),
        (&["policy", "explain", "a"], "--tool"),
        (&["policy", "check", "a", "--server", "demo"], "--server-tools"),
        (
            &["policy", "explain", "a", "--tool", "mcp://s/t", "--annotations-are-claims"],
            "--server-tools",
        ),
        (&["audit", "verify", "log"], "--public-key"),
        (&["approvals", "approve", "abcdef", "--key", "a.key"], "--as"),
        (&["approvals", "show"], "<ID>"),
        (&["keygen", "--force"], "'--force'"),
    ];
    for (words, text) in cases {
        let run = desk.run(words).ended(2);
        assert!(run.err.contains(text), "{words:?}: {}", run.err);
        assert_eq!(run.out, "");
    }
    assert_eq!(std::fs::read_dir(desk.0.path()).unwrap().count(), 0, "something was made");
}

/// As in `sec0 … | true`.
fn into_a_closed_pipe(desk: &Desk, words: &[&str]) -> Run {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Run::of(desk.command(words).stdout(writer).output().unwrap())
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let desk = Desk::new();
    desk.write("policy.yaml", policy::GOOD);
    let check = ["policy", "check", "policy.yaml", "--json"];
    for words in [&check[..3], &check, &["keygen", "--out", "a.key"]] {
        let run = into_a_closed_pipe(&desk, words);
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{words:?}");
    }
    assert!(desk.path("a.key").exists());
    // What does not hold does not hold, whoever reads.
    desk.write("policy.yaml", "");
    assert_eq!(into_a_closed_pipe(&desk, &check).status, 1);
}

#[test]
fn a_reader_of_help_that_has_gone_away_is_no_failure() {
    let run = into_a_closed_pipe(&Desk::new(), &["--help"]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
}

#[test]
fn an_answer_that_cannot_be_written_is_not_reported_as_fine() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return;
    }
    let desk = Desk::new();
    desk.write("policy.yaml", policy::GOOD);
    for words in [&["policy", "check", "policy.yaml"][..], &["--help"]] {
        let out = std::fs::OpenOptions::new().write(true).open(full).unwrap();
        let run = Run::of(desk.command(words).stdout(out).output().unwrap());
        assert_eq!(run.status, 3, "{words:?}");
    }
}
