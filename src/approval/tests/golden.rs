//! The bytes that are signed do not change: votes are checked years later. Each was worked out a
//! second time with other programs.

use super::*;

const ESCALATION: &str = concat!(
    r#"{"binding":{"arguments":"sha256:02020202020202020202020202020202020202020202020202020202"#,
    r#"02020202","definition_sha256":"010101010101010101010101010101010101010101010101010101010"#,
    r#"1010101","policy_sha256":"03030303030303030303030303030303030303030303030303030303030303"#,
    r#"03","principal":"local:1000","server":"demo","tenant":"acme","tool":"pay@1.0"},"created_"#,
    r#"at_ms":1700000000000,"expires_at_ms":1700000060000,"id":"0707070707070707070707070707070"#,
    r#"7","reasons":["large_sum"],"rules":["big"],"severity":"high","shown_sha256":"b9114a34c41bc40fbb0ee6b2de2"#,
    r#"9e97c142de626294083db19fabe85fe30dc67","terms":{"allow_unattended":false,"approval_set":"#,
    r#"{"members":[{"id":"ana","principals":["local:1000"],"public_key":"ed25519:rwaj4ykXFOTzVs"#,
    r#"GcmxXNGVHsbmZiqne+B1R/KJODNB0=","roles":["security"]},{"id":"bo","principals":[],"public"#,
    r#"_key":"ed25519:LfBBJfABWvtHzoU674dyCU/5SYwUyxueEpc8KSfaD6Y=","roles":["finance"]},{"id":"#,
    r#""cy","principals":[],"public_key":"ed25519:p/bfr484uJuozmSbWU+R5NAf3Ff5yUk99DteUKmYc2c=""#,
    r#","roles":["security","finance"]}]},"approval_set_id":"prod","min_approvals":1,"min_rejec"#,
    r#"tions":1,"required_roles":["security"],"strategy":"human_quorum","timeout_action":"auto_"#,
    r#"reject","ttl_seconds":60,"veto_roles":["finance"]}}"#,
);
const DIGEST: &str = "541ca8bd75a28cdbbf7f375e009d30e813330feacd44c071ac054bb679a35459";
const STATEMENT: &str = concat!(
    r#"{"approver":"bo","decision":"approve","escalation_id":"07070707070707070707070707070707""#,
    r#","escalation_sha256":"541ca8bd75a28cdbbf7f375e009d30e813330feacd44c071ac054bb679a35459","#,
    r#""note_sha256":"a0199daac5e43390d1c052c0784e2b2e8fc3c064ff7a2b072399b39c2a25e816","ts_ms""#,
    r#":1700000001000}"#,
);
const VOTE: &str = concat!(
    r#"{"approver":"bo","decision":"approve","escalation_id":"07070707070707070707070707070707""#,
    r#","escalation_sha256":"541ca8bd75a28cdbbf7f375e009d30e813330feacd44c071ac054bb679a35459","#,
    r#""note":"checked, \"fine\"","sig":"ed25519:KcQ+fNPeC/fQAPMNAFdpfDbHNq+jy15CfZMyMD8/KCwOXH"#,
    r#"/6QR+ey4SJwQRtN1A8ryIgpr5TIk7snW0aAQgMBQ==","ts_ms":1700000001000}"#,
);
const CALL: &str = "9164e1ae2d77da9becf57cae38efa9dd7704f7f1461bb286630aa9efc961416e";
const NOTE: &str = "checked, \"fine\"";

fn golden() -> Escalation {
    escalation(Terms {
        required_roles: words(&["security"]),
        veto_roles: words(&["finance"]),
        ..terms(Strategy::HumanQuorum, three())
    })
}

#[test]
fn an_escalation_has_these_bytes() {
    assert_eq!(golden().canonical(), ESCALATION);
    assert_eq!(golden().digest().to_string(), DIGEST);
    assert_eq!(binding().call_key().unwrap().to_string(), CALL);
}

#[test]
fn an_approver_signs_these_bytes() {
    let asked = golden();
    let statement = Statement::new(&asked, "bo", Choice::Approve, seconds(1), NOTE);
    let bytes = statement.bytes().unwrap();
    assert_eq!(str::from_utf8(&bytes).unwrap(), format!("sec0/approval/v1\n{STATEMENT}"));
    let vote = Vote::new(&statement, NOTE, key("bo").sign_now(&bytes)).unwrap();
    assert_eq!(vote.canonical().as_deref(), Ok(VOTE));
}

#[test]
fn what_was_kept_years_ago_still_counts() {
    let asked = Escalation::parse(ESCALATION).unwrap();
    let vote = Vote::parse(VOTE).unwrap();
    assert_eq!((vote.note(), vote.at()), (NOTE, seconds(1)));
    let verdict = verdict(&asked, &[Cast { vote, taken_at: seconds(1) }]);
    assert_eq!(verdict.approvals, words(&["bo"]));
}
