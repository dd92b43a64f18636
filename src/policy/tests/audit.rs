//! `audit`: the modes, the signing and the key of the digests.

use super::*;
use crate::call::{AuditMode, AuditModes};

#[test]
fn a_class_that_the_audit_mode_does_not_name_has_its_default() {
    use AuditMode::{Batch, Blocking, BlockingStrict};
    let modes = |read, write| AuditModes { read, write };
    for (written, expected) in [
        ("audit: {}", modes(Batch, Blocking)),
        ("audit: {mode: {}}", modes(Batch, Blocking)),
        ("audit: {mode: batch}", modes(Batch, Batch)),
        ("audit: {mode: blocking-strict}", modes(BlockingStrict, BlockingStrict)),
        ("audit: {mode: {read: blocking}}", modes(Blocking, Blocking)),
        ("audit: {mode: {write: blocking-strict}}", modes(Batch, BlockingStrict)),
        ("audit: {mode: {read: blocking, write: batch}}", modes(Blocking, Batch)),
    ] {
        assert_eq!(Policy::from_yaml(&with(written)).unwrap().audit_modes(), expected, "{written}");
    }
    assert_eq!(Policy::from_yaml(GOOD).unwrap().audit_modes(), modes(Batch, Blocking));
}

#[test]
fn the_key_of_the_digests_is_not_looked_for_when_a_policy_is_read() {
    let policy = Policy::from_yaml(&with("audit: {digest_key: 'file:///no/such.key'}")).unwrap();
    assert_eq!(policy.digest_key_ref(), Some("file:///no/such.key"));
    let text = wrong(&with("audit: {digest_key: keys/digest.key}"));
    assert!(text.contains("`audit.digest_key` must be `file://` and the path of a key"), "{text}");
}

#[test]
fn a_digest_key_that_is_the_signing_key_is_a_warning() {
    let warnings = |digests: &str| {
        let text = with(&format!("audit: {{digest_key: '{digests}'}}"));
        let text = text.replace("enabled: true", "enabled: true\n  key_ref: file://keys/a.key");
        let policy = Policy::from_yaml(&text).unwrap();
        policy.warnings().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(warnings("file://keys/b.key"), [""; 0]);
    let [warning] = &*warnings("file://keys/a.key") else { panic!("not one warning") };
    assert!(warning.contains("`audit.digest_key` names the signing key"), "{warning}");
}
