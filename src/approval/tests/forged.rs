//! What is no vote, and what is not read.

use super::*;
use crate::approval::Strategy;
use crate::sign::Signature;
use crate::tlog::{Checkpoint, origin_of};
use proptest::prelude::*;

fn asked_of_one() -> Escalation {
    escalation(terms(Strategy::SingleApprover, three()))
}

fn uncounted(asked: &Escalation, vote: Vote) -> Option<Uncounted> {
    let verdict = verdict(asked, &[Cast { vote, taken_at: seconds(1) }]);
    assert_eq!(verdict.status == Status::Pending, verdict.uncounted[0].is_some());
    verdict.uncounted[0]
}

fn signed_by(who: &str, statement: &Statement<'_>) -> Vote {
    let sig = key(who).sign_now(&statement.bytes().unwrap());
    Vote::new(statement, "", sig).unwrap()
}

#[test]
fn a_vote_by_a_stranger_or_in_anothers_name_counts_nothing() {
    let asked = asked_of_one();
    let by = |id| Statement::new(&asked, id, Choice::Approve, seconds(1), "");
    assert_eq!(uncounted(&asked, signed_by("bo", &by("bo"))), None);
    assert_eq!(uncounted(&asked, signed_by("cy", &by("bo"))), Some(Uncounted::BadSignature));
    assert_eq!(uncounted(&asked, signed_by("zoe", &by("zoe"))), Some(Uncounted::UnknownApprover));
}

#[test]
fn a_vote_counts_for_no_other_escalation() {
    let asked = asked_of_one();
    let vote = approve(&asked, "bo").vote;
    let base = super::asked(asked.terms().clone());
    let more = Terms { min_approvals: 2, ..base.terms.clone() };
    let others = [
        Asked { id: EscalationId::from_random([8; 16]), ..base.clone() },
        Asked { binding: Binding { tenant: "other".into(), ..binding() }, ..base.clone() },
        Asked { terms: more, ..base.clone() },
        Asked { severity: Severity::Low, ..base.clone() },
        Asked { created_at: seconds(1), ..base.clone() },
        Asked { reasons: Vec::new(), ..base.clone() },
        Asked { rules: Vec::new(), ..base.clone() },
        Asked { shown: Digest::from_bytes([0; 32]), ..base },
    ];
    for other in others {
        let other = Escalation::new(other).unwrap();
        assert_eq!(uncounted(&other, vote.clone()), Some(Uncounted::OtherEscalation));
    }
}

#[test]
fn whatever_is_changed_in_a_vote_it_no_longer_counts() {
    let asked = asked_of_one();
    let text = {
        let statement = Statement::new(&asked, "bo", Choice::Reject, seconds(1), "no");
        let sig = key("bo").sign_now(&statement.bytes().unwrap());
        Vote::new(&statement, "no", sig).unwrap().canonical().unwrap()
    };
    assert_eq!(uncounted(&asked, Vote::parse(&text).unwrap()), None);
    let changes = [
        ("\"reject\"", "\"approve\""),
        ("\"no\"", "\"yes\""),
        ("\"bo\"", "\"cy\""),
        ("1700000001000", "1700000001001"),
    ];
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        let vote = Vote::parse(&text.replace(from, to)).unwrap();
        assert_eq!(uncounted(&asked, vote), Some(Uncounted::BadSignature), "{to}");
    }
}

#[test]
fn a_signature_of_a_vote_is_none_of_a_checkpoint_or_a_line_of_the_log() {
    let asked = asked_of_one();
    let bytes = Statement::new(&asked, "bo", Choice::Approve, seconds(1), "").bytes().unwrap();
    assert!(bytes.starts_with(FIRST_LINE.as_bytes()));
    // A line of the log is an object.
    assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_err());
    // No log has that name, and a checkpoint has a number in its second line.
    assert!(origin_of("acme", None).starts_with("sec0-audit/"));
    let text = str::from_utf8(&bytes).unwrap();
    for text in [text.to_owned(), format!("{text}\n")] {
        assert!(Checkpoint::parse(&text).is_err());
    }
}

#[test]
fn a_vote_has_bounds() {
    let asked = asked_of_one();
    let long = "n".repeat(MAX_NOTE + 1);
    let statement = Statement::new(&asked, "bo", Choice::Approve, seconds(1), &long);
    let sig = Signature::from_bytes([0; 64]);
    assert_eq!(Vote::new(&statement, &long, sig), Err(NotAVote::Note));
    for name in ["", &*"b".repeat(129)] {
        let statement = Statement::new(&asked, name, Choice::Approve, seconds(1), "");
        assert_eq!(Vote::new(&statement, "", sig), Err(NotAVote::Approver));
    }
    let padded =
        format!("{}{}", approve(&asked, "bo").vote.canonical().unwrap(), " ".repeat(20_000));
    assert_eq!(Vote::parse(&padded), Err(NotAVote::TooLong));
}

#[test]
fn an_escalation_has_bounds() {
    let wide = (0..4000).map(|at| member(&format!("{at}"), &[], &[])).collect();
    let wide = Escalation::new(asked(terms(Strategy::HumanQuorum, wide)));
    assert_eq!(wide, Err(NotAnEscalation::TooLong));
    let endless = Terms { ttl_seconds: u64::MAX, ..terms(Strategy::HumanQuorum, three()) };
    assert_eq!(Escalation::new(asked(endless)), Err(NotAnEscalation::Time));
    let before = Asked {
        created_at: Timestamp::from_millis(-1),
        ..asked(terms(Strategy::HumanQuorum, three()))
    };
    assert_eq!(Escalation::new(before), Err(NotAnEscalation::Time));
    assert_eq!(Escalation::parse(&" ".repeat(MAX_ESCALATION + 1)), Err(NotAnEscalation::TooLong));
}

#[test]
fn an_escalation_is_read_only_in_its_one_form() {
    let asked = asked_of_one();
    let text = asked.canonical();
    assert_eq!(Escalation::parse(text), Ok(asked.clone()));
    let expiry = asked.expires_at().as_millis();
    let changed = [
        text.replace(",\"id\"", ", \"id\""),
        text.replace(&expiry.to_string(), &(expiry + 1).to_string()),
        text.replace("\"veto_roles\":[]", "\"veto_roles\":[],\"zzz\":1"),
        text.replacen("ed25519:", "", 1),
    ];
    for changed in changed {
        assert_ne!(changed, text);
        assert!(Escalation::parse(&changed).is_err(), "{changed}");
    }
}

proptest! {
    #[test]
    fn no_text_brings_the_readers_down(text in any::<String>()) {
        prop_assert!(Escalation::parse(&text).is_err());
        prop_assert!(Vote::parse(&text).is_err());
    }

    /// A flipped bit anywhere makes it another text, or none.
    #[test]
    fn one_changed_byte_makes_another_digest_or_nothing(at in 0_usize..1000, with in any::<u8>()) {
        let asked = asked_of_one();
        let mut bytes = asked.canonical().as_bytes().to_vec();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        if let Ok(text) = String::from_utf8(bytes) && let Ok(other) = Escalation::parse(&text) {
            prop_assert_ne!(other.digest(), asked.digest());
        }
    }
}

/// 2^53 + 1 is no double: it would be stored, and recorded, as another time than the one signed.
#[test]
fn a_vote_at_a_time_that_json_cannot_write_is_none() {
    let asked = asked_of_one();
    for at in [i64::MIN, -9_007_199_254_740_993, -1, 9_007_199_254_740_993, i64::MAX] {
        let at = Timestamp::from_millis(at);
        let statement = Statement::new(&asked, "bo", Choice::Approve, at, "");
        let sig = key("bo").sign_now(&statement.bytes().unwrap());
        assert_eq!(Vote::new(&statement, "", sig), Err(NotAVote::Time));
    }
}
