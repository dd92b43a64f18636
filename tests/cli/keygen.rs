//! `sec0 keygen`.

use super::{Desk, Run, mode};
use serde_json::json;
use std::os::unix::fs::symlink;
use std::process::Command;

#[test]
fn makes_a_pair_that_only_its_owner_can_read_and_tells_the_public_half() {
    let desk = Desk::new();
    // Whatever the shell allows others by default.
    let sec0 = env!("CARGO_BIN_EXE_sec0");
    let script = format!("umask 0; exec '{sec0}' keygen --out keys/mine.key");
    let output = Command::new("sh").arg("-c").arg(script).current_dir(desk.0.path()).output();
    let run = Run::of(output.unwrap()).ended(0);
    assert_eq!(mode(&desk.path("keys/mine.key")), 0o600);
    assert_eq!(mode(&desk.path("keys")), 0o700);
    let (seed, public) = (desk.read("keys/mine.key"), desk.read("keys/mine.pub"));
    assert_ne!(seed, public);
    let key = sec0::sign::key_file::read_public(&desk.path("keys/mine.pub")).unwrap();
    assert_eq!(public.trim(), key.to_base64());
    for text in ["keys/mine.key", "keys/mine.pub", public.trim(), &key.key_id()] {
        assert!(run.out.contains(text), "{text} is not in {}", run.out);
    }
    assert!(!run.out.contains(seed.trim()), "the seed is on stdout");
}

#[test]
fn says_the_same_as_json() {
    let desk = Desk::new();
    let run = desk.run(&["keygen", "--out", "mine", "--json"]).ended(0);
    let key = sec0::sign::key_file::read_public(&desk.path("mine.pub")).unwrap();
    let expected = json!({
        "key_file": "mine.key",
        "public_key_file": "mine.pub",
        "public_key": key.to_base64(),
        "key_id": key.key_id(),
    });
    assert_eq!(run.json(), expected);
    assert!(!run.out.contains(desk.read("mine.key").trim()), "the seed is on stdout");
}

#[test]
fn puts_the_pair_where_the_default_options_look_for_it() {
    let desk = Desk::new();
    desk.run(&["keygen"]).ended(0);
    assert_eq!(mode(&desk.path(".sec0/keys/ed25519.key")), 0o600);
    assert!(desk.path(".sec0/keys/ed25519.pub").exists());
}

#[test]
fn overwrites_neither_half() {
    let desk = Desk::new();
    desk.run(&["keygen", "--out", "mine.key"]).ended(0);
    let before = (desk.read("mine.key"), desk.read("mine.pub"));
    for json in [&[][..], &["--json"]] {
        let run = desk.run(&[&["keygen", "--out", "mine.key"], json].concat()).ended(2);
        assert!(run.err.contains("`mine.key` exists and is not overwritten"), "{}", run.err);
        assert!(!run.err.contains(before.0.trim()));
    }
    assert_eq!((desk.read("mine.key"), desk.read("mine.pub")), before);

    std::fs::remove_file(desk.path("mine.key")).unwrap();
    let run = desk.run(&["keygen", "--out", "mine.key"]).ended(2);
    assert!(run.err.contains("`mine.pub` exists and is not overwritten"), "{}", run.err);
    assert_eq!(desk.read("mine.pub"), before.1);
    assert!(!desk.path("mine.key").exists(), "half a pair is left");
}

#[test]
fn says_where_it_cannot_write() {
    let desk = Desk::new();
    desk.write("a-file", "");
    let run = desk.run(&["keygen", "--out", "a-file/mine.key"]).ended(2);
    assert!(run.err.contains("a-file"), "{}", run.err);
    // A link is somebody else's file.
    desk.write("target", "");
    symlink(desk.path("target"), desk.path("link.key")).unwrap();
    desk.run(&["keygen", "--out", "link.key"]).ended(2);
    assert_eq!(desk.read("target"), "");
}
