use super::*;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

fn text(allowed: &str) -> String {
    format!(
        "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
         tools: {{allowlist: ['mcp://demo/{allowed}']}}\nenforcement: {{deny_on: [tool_not_in_allowlist]}}\n"
    )
}

fn allows(policy: &Policy, tool: &str) -> bool {
    policy.allowlist().matches(crate::call::ToolRef::new("demo", tool, None)).is_some()
}

struct Desk {
    _dir: TempDir,
    path: PathBuf,
}

impl Desk {
    fn new() -> (Self, PolicyFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.yaml");
        fs::write(&path, text("add")).unwrap();
        let (file, policy) = PolicyFile::open(&path).unwrap();
        assert!(allows(&policy, "add"));
        (Self { _dir: dir, path }, file)
    }
}

/// What two looks one after the other give.
fn look(file: &mut PolicyFile) -> Option<PolicyVersion> {
    assert!(file.look().is_none(), "a first look must not settle anything");
    file.look()
}

fn taken(file: &mut PolicyFile) -> Policy {
    look(file).expect("a version").policy.unwrap()
}

#[test]
fn a_file_that_stays_as_it_is_gives_nothing() {
    let (desk, mut file) = Desk::new();
    assert!(look(&mut file).is_none());
    // Another file with the same content, and the same content written anew.
    fs::write(&desk.path, text("add")).unwrap();
    assert!(look(&mut file).is_none());
}

#[test]
fn a_new_content_is_given_once_and_with_the_digest_of_its_bytes() {
    let (desk, mut file) = Desk::new();
    fs::write(&desk.path, text("echo")).unwrap();
    let version = look(&mut file).unwrap();
    assert_eq!(version.found, Some(Digest::of(text("echo").as_bytes())));
    assert!(allows(&version.policy.unwrap(), "echo"));
    assert!(look(&mut file).is_none());
}

#[test]
fn a_file_is_given_only_when_two_looks_found_the_same() {
    let (desk, mut file) = Desk::new();
    for half in ["e", "ec", "ech"] {
        fs::write(&desk.path, text(half)).unwrap();
        assert!(file.look().is_none(), "{half}");
    }
    assert!(allows(&file.look().unwrap().policy.unwrap(), "ech"));
    // Back to what was given before anybody settled on the new one.
    fs::write(&desk.path, text("echo")).unwrap();
    assert!(file.look().is_none());
    fs::write(&desk.path, text("ech")).unwrap();
    assert!(look(&mut file).is_none());
}

#[test]
fn a_file_that_is_replaced_or_a_link_that_is_turned_is_seen() {
    let (desk, mut file) = Desk::new();
    let next = desk.path.with_file_name("next.yaml");
    fs::write(&next, text("echo")).unwrap();
    fs::rename(&next, &desk.path).unwrap();
    assert!(allows(&taken(&mut file), "echo"));

    let turned = desk.path.with_file_name("turned.yaml");
    fs::write(&turned, text("slow")).unwrap();
    fs::remove_file(&desk.path).unwrap();
    std::os::unix::fs::symlink(&turned, &desk.path).unwrap();
    assert!(allows(&taken(&mut file), "slow"));
}

#[test]
fn what_is_no_policy_is_given_once_with_what_is_wrong_with_it() {
    let (desk, mut file) = Desk::new();
    fs::write(&desk.path, "tenant: [").unwrap();
    let version = look(&mut file).unwrap();
    assert_eq!(version.found, Some(Digest::of(b"tenant: [")));
    let error = version.policy.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:", desk.path.display())), "{error}");
    assert!(look(&mut file).is_none());

    fs::remove_file(&desk.path).unwrap();
    let version = look(&mut file).unwrap();
    assert_eq!(version.found, None);
    assert!(version.policy.unwrap_err().to_string().contains("cannot be read"));
    assert!(look(&mut file).is_none());

    // What was there first is a change again.
    fs::write(&desk.path, text("add")).unwrap();
    assert!(allows(&taken(&mut file), "add"));
}

#[test]
fn the_keys_that_hold_from_start_to_end_are_named_when_they_change() {
    let one = Policy::from_yaml(&text("add")).unwrap();
    assert_eq!(one.fixed_keys_changed(&Policy::from_yaml(&text("echo")).unwrap()), [""; 0]);
    let all = "tenant: other\ndefault_retention: 90d\nsigning: {enabled: true, key_ref: 'file://k'}\n\
               tools: {allowlist: []}\nprivacy: {store_raw_payloads: true}\n\
               registry: {lock: warn}\nobservability: {enabled: true}\nenforcement: {}\n\
               security: {limits: {rate: [{tool: add, per_second: 1}]}}\n\
               audit: {mode: batch, signing: checkpoint, digest_key: 'file://d', retain_days: 3}\n";
    let changed = one.fixed_keys_changed(&Policy::from_yaml(all).unwrap());
    assert_eq!(
        changed,
        [
            "tenant",
            "default_retention",
            "signing.key_ref",
            "audit.mode",
            "audit.signing",
            "audit.digest_key",
            "audit.retain_days",
            "privacy.store_raw_payloads",
            "observability",
            "registry.lock",
        ]
    );
}
