//! The rules one by one.

use super::*;
use Finalization::*;

fn quorum(approvals: u32, rejections: u32) -> Terms {
    let terms = terms(Strategy::HumanQuorum, three());
    Terms { min_approvals: approvals, min_rejections: rejections, ..terms }
}

#[test]
fn the_first_valid_vote_decides_for_a_single_approver() {
    let asked = escalation(terms(Strategy::SingleApprover, three()));
    let approved = verdict(&asked, &[approve(&asked, "bo"), reject(&asked, "cy")]);
    assert_eq!(approved.finalization, Some(ApprovedByApprover));
    assert_eq!(approved.uncounted, [None, Some(Uncounted::Decided)]);
    let rejected = verdict(&asked, &[reject(&asked, "bo"), approve(&asked, "cy")]);
    assert_eq!(
        (rejected.status, rejected.finalization),
        (Status::Rejected, Some(RejectedByApprover))
    );
}

#[test]
fn a_single_approver_does_not_count_to_a_quorum() {
    let more = Terms { strategy: Strategy::SingleApprover, ..quorum(3, 3) };
    let asked = escalation(more);
    assert_eq!(verdict(&asked, &[approve(&asked, "bo")]).status, Status::Approved);
}

#[test]
fn a_quorum_is_reached_by_different_approvers_only() {
    let asked = escalation(quorum(2, 2));
    let bo = approve(&asked, "bo");
    let again = verdict(&asked, &[bo.clone(), bo.clone(), cast(&asked, "bo", Choice::Approve, 2)]);
    assert_eq!(again.status, Status::Pending);
    assert_eq!(again.uncounted[1..], [Some(Uncounted::Repeated); 2]);
    let both = verdict(&asked, &[bo, approve(&asked, "cy")]);
    assert_eq!(both.finalization, Some(QuorumReached));
    assert_eq!(both.approvals, words(&["bo", "cy"]));
}

#[test]
fn the_first_vote_of_an_approver_stays() {
    let asked = escalation(quorum(2, 2));
    let votes = [approve(&asked, "bo"), reject(&asked, "bo"), reject(&asked, "cy")];
    let verdict = verdict(&asked, &votes);
    assert_eq!((verdict.status, verdict.rejections.len()), (Status::Pending, 1));
}

#[test]
fn two_names_with_one_key_are_one_approver() {
    let mut members = three();
    members[2].public_key = members[1].public_key;
    let asked = escalation(Terms { approval_set: Some(ApprovalSet { members }), ..quorum(2, 1) });
    let statement = Statement::new(&asked, "cy", Choice::Approve, seconds(1), "");
    let sig = key("bo").sign_now(&statement.bytes().unwrap());
    let second = Cast { vote: Vote::new(&statement, "", sig).unwrap(), taken_at: seconds(1) };
    let verdict = verdict(&asked, &[approve(&asked, "bo"), second]);
    assert_eq!(verdict.uncounted, [None, Some(Uncounted::Repeated)]);
    assert_eq!(verdict.status, Status::Pending);
}

#[test]
fn every_required_role_must_be_among_the_approvals() {
    for strategy in [Strategy::SingleApprover, Strategy::HumanQuorum] {
        let required = words(&["security", "finance"]);
        let mut members = three();
        members[0].principals.clear();
        let terms = Terms { required_roles: required, ..terms(strategy, members) };
        let asked = escalation(terms);
        assert_eq!(verdict(&asked, &[approve(&asked, "bo")]).status, Status::Pending);
        assert_eq!(verdict(&asked, &[approve(&asked, "cy")]).status, Status::Approved);
        let two = [approve(&asked, "bo"), approve(&asked, "ana")];
        assert_eq!(verdict(&asked, &two).status, Status::Approved);
    }
}

#[test]
fn one_rejection_with_a_veto_role_ends_it() {
    let asked = escalation(Terms { veto_roles: words(&["finance"]), ..quorum(1, 3) });
    let vetoed = verdict(&asked, &[reject(&asked, "bo"), approve(&asked, "cy")]);
    assert_eq!((vetoed.status, vetoed.finalization), (Status::Rejected, Some(Vetoed)));
    let no_veto = verdict(&asked, &[reject(&asked, "ana"), approve(&asked, "cy")]);
    assert_eq!(no_veto.finalization, Some(QuorumReached));
}

#[test]
fn a_member_rejects_a_call_of_his_own_and_never_approves_it() {
    let asked = escalation(quorum(1, 1));
    let own = verdict(&asked, &[approve(&asked, "ana")]);
    assert_eq!((own.status, own.uncounted[0]), (Status::Pending, Some(Uncounted::OwnCall)));
    let both = verdict(&asked, &[approve(&asked, "ana"), reject(&asked, "ana")]);
    assert_eq!(both.finalization, Some(RejectedByQuorum));
}

#[test]
fn without_approvers_it_is_decided_at_once_and_never_by_time() {
    let auto = Terms {
        timeout_action: TimeoutAction::AutoApprove,
        allow_unattended: true,
        ..quorum(1, 1)
    };
    let empty = Some(ApprovalSet::default());
    for set in [None, empty] {
        let asked = escalation(Terms { approval_set: set, ..auto.clone() });
        for after in [0, TTL, 10 * TTL] {
            let verdict = at(&asked, &[approve(&asked, "bo")], moment(after));
            assert_eq!(verdict.finalization, Some(NoApproversConfigured));
            assert_eq!(verdict.status, Status::Rejected);
        }
    }
}

#[test]
fn auto_allow_wants_to_be_allowed_and_nothing_critical() {
    let auto = Terms { allow_unattended: true, ..terms(Strategy::AutoAllow, Vec::new()) };
    let fine = escalation(Terms { approval_set: None, ..auto.clone() });
    assert_eq!(verdict(&fine, &[]).finalization, Some(AutoAllowed));
    let unsaid = escalation(Terms { allow_unattended: false, ..auto.clone() });
    assert_eq!(verdict(&unsaid, &[]).finalization, Some(UnattendedRefused));
    let critical = Asked { severity: Severity::Critical, ..asked(auto) };
    let critical = Escalation::new(critical).unwrap();
    assert_eq!(verdict(&critical, &[]).finalization, Some(UnattendedRefused));
    // The call became graver since it was asked, or somebody wrote so into the store.
    let case = Case { severity: Severity::Critical, ..Case::new(&fine, fine.terms()) };
    let graver = tally(&case, &History::default(), moment(1));
    assert_eq!(graver.finalization, Some(UnattendedRefused));
}

#[test]
fn time_rejects_by_either_clock() {
    let asked = escalation(quorum(1, 1));
    let ttl = i64::try_from(TTL).unwrap();
    let early = Moment { wall: seconds(ttl - 1), measured: Some(Duration::from_secs(TTL - 1)) };
    assert_eq!(at(&asked, &[], early).status, Status::Pending);
    let by_wall = Moment::at(seconds(ttl));
    let by_measure = Moment { wall: seconds(-5000), measured: Some(Duration::from_secs(TTL)) };
    for moment in [by_wall, by_measure] {
        let verdict = at(&asked, &[], moment);
        assert_eq!(
            (verdict.status, verdict.finalization),
            (Status::Expired, Some(TimedOutRejected))
        );
    }
}

#[test]
fn no_step_of_the_wall_clock_approves() {
    let auto = Terms {
        timeout_action: TimeoutAction::AutoApprove,
        allow_unattended: true,
        ..quorum(1, 1)
    };
    let asked = escalation(auto.clone());
    let far = seconds(1_000_000);
    for measured in [None, Some(Duration::ZERO), Some(Duration::from_secs(TTL - 1))] {
        assert_eq!(at(&asked, &[], Moment { wall: far, measured }).status, Status::Pending);
    }
    let measured = Moment { wall: seconds(-9), measured: Some(Duration::from_secs(TTL)) };
    assert_eq!(at(&asked, &[], measured).finalization, Some(TimedOutApproved));
    // What forbids it.
    let unsaid = Terms { allow_unattended: false, ..auto.clone() };
    let nobody_else = Terms { min_approvals: 3, ..auto.clone() };
    for terms in [unsaid, nobody_else] {
        let asked = escalation(terms);
        assert_eq!(at(&asked, &[], measured).finalization, Some(TimedOutRejected));
    }
    let critical = Escalation::new(Asked { severity: Severity::Critical, ..super::asked(auto) });
    assert_eq!(at(&critical.unwrap(), &[], measured).finalization, Some(TimedOutRejected));
}

#[test]
fn a_late_vote_counts_only_where_it_stops_what_time_would_approve() {
    let late = i64::try_from(TTL).unwrap();
    let by_time = quorum(1, 1);
    let auto = Terms {
        timeout_action: TimeoutAction::AutoApprove,
        allow_unattended: true,
        ..by_time.clone()
    };
    for (terms, to_late_rejection) in [(by_time, None), (auto, Some(RejectedByQuorum))] {
        let asked = escalation(terms);
        let unmeasured = Moment::at(seconds(1));
        let signed_late = cast(&asked, "bo", Choice::Approve, late);
        let taken_late = Cast { taken_at: seconds(late), ..approve(&asked, "bo") };
        let back = Cast { taken_at: seconds(1), ..signed_late.clone() };
        for vote in [signed_late, taken_late, back] {
            let verdict = at(&asked, &[vote], unmeasured);
            assert_eq!(verdict.uncounted, [Some(Uncounted::Late)]);
        }
        let rejection = cast(&asked, "bo", Choice::Reject, late);
        assert_eq!(at(&asked, &[rejection], unmeasured).finalization, to_late_rejection);
    }
}

#[test]
fn an_end_without_approval_stays_and_a_stored_approval_is_not_believed() {
    let asked = escalation(quorum(1, 1));
    let casts = [approve(&asked, "bo")];
    let case = Case::new(&asked, asked.terms());
    for ended in Finalization::ALL {
        let history = History { casts: &casts, ended: Some(*ended) };
        let expected = match ended.status() {
            Status::Approved => Some(QuorumReached),
            Status::Pending | Status::Rejected | Status::Expired => Some(*ended),
        };
        assert_eq!(tally(&case, &history, moment(2)).finalization, expected, "{ended}");
        let history = History { casts: &[], ended: Some(*ended) };
        assert_ne!(tally(&case, &history, moment(2)).status, Status::Approved, "{ended}");
    }
}

#[test]
fn words_have_one_spelling() {
    for word in Finalization::ALL {
        assert_eq!(Finalization::from_wire(word.as_str()), Some(*word));
        let json = serde_json::to_string(word).unwrap();
        assert_eq!(json, format!("\"{word}\""));
    }
    assert_eq!(Status::from_wire("Approved"), None);
}
