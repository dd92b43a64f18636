//! A grant is for exactly one call.

use super::*;
use crate::call::Reason;
use Unspendable::*;
use std::collections::BTreeSet;

fn asked() -> Escalation {
    escalation(terms(Strategy::SingleApprover, three()))
}

fn present(
    asked: &Escalation,
    casts: &[Cast],
    presented: &Presented<'_>,
) -> Result<Verdict, Unspendable> {
    let history = History { casts, ended: None };
    spendable(Some(asked), &history, presented, moment(5), false)
}

fn same(asked: &Escalation) -> Presented<'_> {
    Presented { binding: asked.binding(), terms: asked.terms(), severity: asked.severity() }
}

#[test]
fn an_approved_call_is_permitted_and_says_by_whom() {
    let asked = asked();
    let verdict = present(&asked, &[approve(&asked, "cy")], &same(&asked)).unwrap();
    assert_eq!(verdict.approvals, words(&["cy"]));
}

#[test]
fn whatever_differs_from_the_call_is_refused_for_a_reason_of_its_own() {
    let asked = asked();
    let casts = [approve(&asked, "bo")];
    let of = |binding| {
        present(&asked, &casts, &Presented { binding: &binding, ..same(&asked) }).unwrap_err()
    };
    let other = Digest::from_bytes([0xEE; 32]);
    assert_eq!(of(Binding { tenant: "other".into(), ..binding() }), OtherPrincipal);
    assert_eq!(of(Binding { principal: "local:0".into(), ..binding() }), OtherPrincipal);
    assert_eq!(of(Binding { server: "other".into(), ..binding() }), OtherTool);
    assert_eq!(of(Binding { tool: "pay@1.1".into(), ..binding() }), OtherTool);
    assert_eq!(of(Binding { definition: other, ..binding() }), OtherTool);
    let arguments = Fingerprint::Sha256([0xEE; 32]);
    assert_eq!(of(Binding { arguments, ..binding() }), OtherArguments);
    // The same digest under a key is not the same digest.
    let arguments = Fingerprint::Hmac([2; 32]);
    assert_eq!(of(Binding { arguments, ..binding() }), OtherArguments);
    assert_eq!(of(Binding { policy: other, ..binding() }), OtherPolicy);
}

#[test]
fn terms_that_were_changed_in_the_store_permit_nothing() {
    let policy = terms(Strategy::HumanQuorum, three());
    let forged = [
        Terms { strategy: Strategy::AutoAllow, allow_unattended: true, ..policy.clone() },
        Terms {
            approval_set: Some(ApprovalSet { members: vec![member("mallory", &[], &[])] }),
            ..policy.clone()
        },
        Terms { ttl_seconds: TTL + 1, ..policy.clone() },
    ];
    for forged in forged {
        let asked = escalation(forged);
        let casts = [approve(&asked, "mallory"), approve(&asked, "bo")];
        let presented = Presented { terms: &policy, ..same(&asked) };
        assert_eq!(present(&asked, &casts, &presented), Err(OtherPolicy));
    }
}

#[test]
fn it_is_spent_once_used_in_time_and_only_when_approved() {
    let asked = asked();
    let casts = [approve(&asked, "bo")];
    let history = History { casts: &casts, ended: Some(Finalization::ApprovedByApprover) };
    let presented = same(&asked);
    let spend = |escalation, history: &History<'_>, moment, is_spent| {
        spendable(escalation, history, &presented, moment, is_spent).map(|_| ())
    };
    assert_eq!(spend(Some(&asked), &history, moment(5), true), Err(Spent));
    assert_eq!(spend(None, &history, moment(5), false), Err(Unknown));
    assert_eq!(spend(Some(&asked), &history, moment(TTL - 1), false), Ok(()));
    assert_eq!(spend(Some(&asked), &history, moment(TTL), false), Err(Expired));
    // The wall clock was set back, and the program has measured.
    let back = Moment { wall: seconds(1), measured: Some(Duration::from_secs(TTL)) };
    assert_eq!(spend(Some(&asked), &history, back, false), Err(Expired));
    let not = |casts: &[Cast], after| {
        let history = History { casts, ended: history.ended };
        spend(Some(&asked), &history, moment(after), false).unwrap_err()
    };
    assert_eq!(not(&[], 5), NotApproved(Status::Pending));
    assert_eq!(not(&[], TTL), NotApproved(Status::Expired));
    assert_eq!(not(&[reject(&asked, "bo")], 5), NotApproved(Status::Rejected));
}

#[test]
fn what_time_approved_can_be_used_for_as_long_again() {
    let auto = Terms {
        timeout_action: TimeoutAction::AutoApprove,
        allow_unattended: true,
        ..terms(Strategy::SingleApprover, three())
    };
    let asked = escalation(auto);
    let spend = |moment, severity| {
        let presented = Presented { severity, ..same(&asked) };
        spendable(Some(&asked), &History::default(), &presented, moment, false).map(|_| ())
    };
    let high = Severity::High;
    assert_eq!(spend(moment(TTL), high), Ok(()));
    assert_eq!(spend(moment(2 * TTL - 1), high), Ok(()));
    assert_eq!(spend(moment(2 * TTL), high), Err(Expired));
    let unmeasured = Moment::at(seconds(i64::try_from(TTL).unwrap()));
    assert_eq!(spend(unmeasured, high), Err(NotApproved(Status::Pending)));
    let critical = spend(moment(TTL), Severity::Critical);
    assert_eq!(critical, Err(NotApproved(Status::Expired)));
}

#[test]
fn every_refusal_has_a_reason_of_its_own_in_the_record() {
    let all = [
        Unknown,
        OtherPrincipal,
        OtherTool,
        OtherArguments,
        OtherPolicy,
        Spent,
        Expired,
        NotApproved(Status::Pending),
        NotApproved(Status::Rejected),
    ];
    let reasons: BTreeSet<_> = all.iter().map(|one| one.reason()).collect();
    assert_eq!(reasons.len(), all.len());
    assert!(!reasons.contains(&Reason::ApprovalInvalid), "that is for the reply alone");
}

#[test]
fn the_same_call_has_the_same_key_and_every_other_call_another() {
    let other = Digest::from_bytes([0xEE; 32]);
    let calls = [
        binding(),
        Binding { tenant: "acm".into(), server: "edemo".into(), ..binding() },
        Binding { tenant: "other".into(), ..binding() },
        Binding { server: "other".into(), ..binding() },
        Binding { tool: "pay".into(), ..binding() },
        Binding { definition: other, ..binding() },
        Binding { arguments: Fingerprint::Hmac([2; 32]), ..binding() },
        Binding { principal: "local:1001".into(), ..binding() },
        Binding { policy: other, ..binding() },
    ];
    let keys: BTreeSet<_> = calls.iter().map(|call| call.call_key().unwrap()).collect();
    assert_eq!(keys.len(), calls.len());
    assert_eq!(binding().call_key(), binding().call_key());
}
