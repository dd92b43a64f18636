//! What the log says of approvals is checked, line by line.

use super::*;
use crate::canonical;

const CREATED_LINE: &str = "approval_created";
const VOTE_LINE: &str = "approval_vote";
const DECIDED_LINE: &str = "approval_decided";

fn text<T: serde::Serialize>(value: &T) -> String {
    String::from_utf8(canonical::to_vec(value).unwrap()).unwrap()
}

/// The lines of an escalation that two have approved.
fn lines(asked: &Escalation, casts: &[Cast], verdict: &Verdict) -> Vec<(&'static str, String)> {
    let created = [(CREATED_LINE, asked.canonical().to_owned())];
    let votes = casts.iter().map(|cast| (VOTE_LINE, text(cast)));
    created.into_iter().chain(votes).chain([(DECIDED_LINE, text(verdict))]).collect()
}

fn check(lines: &[(&str, String)]) -> Result<u64, EvidenceFault> {
    let mut evidence = Evidence::default();
    let id = EscalationId::from_random([7; 16]).to_string();
    for (event, about) in lines {
        evidence.line(event, &id, about)?;
    }
    Ok(evidence.unchecked())
}

fn two() -> (Escalation, Vec<Cast>, Verdict) {
    let terms = Terms { min_approvals: 2, ..terms(Strategy::HumanQuorum, three()) };
    let asked = escalation(terms);
    let casts = vec![approve(&asked, "ana"), approve(&asked, "bo"), approve(&asked, "cy")];
    let verdict = verdict(&asked, &casts);
    (asked, casts, verdict)
}

#[test]
fn a_decision_that_follows_from_its_votes_holds() {
    let (asked, casts, verdict) = two();
    assert_eq!(verdict.status, Status::Approved);
    let lines = lines(&asked, &casts, &verdict);
    assert_eq!(check(&lines), Ok(0));
    assert_eq!(
        lines[4].1,
        r#"{"approvals":["bo","cy"],"finalization_reason":"quorum_reached","rejections":[],"status":"approved"}"#
    );
}

#[test]
fn every_way_to_end_holds() {
    let auto = Terms {
        timeout_action: TimeoutAction::AutoApprove,
        allow_unattended: true,
        ..terms(Strategy::SingleApprover, three())
    };
    let by_time = terms(Strategy::SingleApprover, three());
    let allowed = Terms { strategy: Strategy::AutoAllow, ..auto.clone() };
    let nobody = Terms { approval_set: None, ..by_time.clone() };
    for terms in [auto, by_time, allowed, nobody] {
        let asked = escalation(terms);
        let verdict = at(&asked, &[], moment(TTL));
        assert_eq!(check(&lines(&asked, &[], &verdict)), Ok(0), "{verdict:?}");
    }
}

#[test]
fn what_does_not_follow_is_found() {
    let (asked, casts, verdict) = two();
    let good = lines(&asked, &casts, &verdict);
    let without = |at: usize| {
        let mut lines = good.clone();
        lines.remove(at);
        check(&lines)
    };
    // The vote of `ana` counts nothing: it is a call of her own.
    assert_eq!(without(1), Ok(0));
    assert_eq!(without(2), Err(EvidenceFault::DoesNotFollow));
    assert_eq!(without(3), Err(EvidenceFault::DoesNotFollow));
    // Nobody can say what the votes are about.
    assert_eq!(without(0), Ok(4));
    let with = |at: usize, line: (&'static str, String)| {
        let mut lines = good.clone();
        lines.insert(at, line);
        check(&lines)
    };
    let longer = Terms { ttl_seconds: 7, ..asked.terms().clone() };
    let another = escalation(longer).canonical().to_owned();
    assert_eq!(with(1, (CREATED_LINE, another.clone())), Err(EvidenceFault::CreatedTwice));
    assert_eq!(with(5, (CREATED_LINE, another)), Err(EvidenceFault::CreatedTwice));
    let rejected = text(&Verdict { status: Status::Rejected, ..verdict.clone() });
    assert_eq!(with(5, (DECIDED_LINE, rejected)), Err(EvidenceFault::DecidedTwice));
    assert_eq!(with(5, good[3].clone()), Ok(1));
    assert_eq!(with(2, ("approval_spent", String::new())), Err(EvidenceFault::UnknownEvent));
    let other = Verdict { approvals: words(&["cy", "bo"]), ..verdict.clone() };
    assert_eq!(check(&lines(&asked, &casts, &other)), Err(EvidenceFault::DoesNotFollow));
    let by_time = Verdict { finalization: Some(Finalization::TimedOutApproved), ..verdict };
    assert_eq!(check(&lines(&asked, &[], &by_time)), Err(EvidenceFault::DoesNotFollow));
}

#[test]
fn lines_that_stand_twice_word_for_word_say_nothing_new() {
    let (asked, casts, verdict) = two();
    let good = lines(&asked, &casts, &verdict);
    for (at, line) in good.iter().enumerate() {
        for later in at..=good.len() {
            let mut lines = good.clone();
            lines.insert(later, line.clone());
            // A vote behind the decision is counted as one that nobody looked at.
            let behind = later == good.len() && line.0 == VOTE_LINE;
            assert_eq!(check(&lines), Ok(u64::from(behind)), "{at} {later}");
        }
    }
    let twice: Vec<_> = good.iter().chain(&good).cloned().collect();
    assert_eq!(check(&twice), Ok(3));
}

#[test]
fn a_forged_vote_is_found_where_it_stands() {
    let (asked, casts, verdict) = two();
    let statement = Statement::new(&asked, "bo", Choice::Approve, seconds(1), "");
    let sig = key("cy").sign_now(&statement.bytes().unwrap());
    let forged = Cast { vote: Vote::new(&statement, "", sig).unwrap(), taken_at: seconds(1) };
    let casts = [casts[2].clone(), forged];
    assert_eq!(check(&lines(&asked, &casts, &verdict)), Err(EvidenceFault::NotAMembers));
}

#[test]
fn the_id_of_a_line_is_that_of_what_it_is_about() {
    let (asked, casts, _) = two();
    let mut evidence = Evidence::default();
    for id in ["07", "08080808080808080808080808080808"] {
        let created = evidence.line(CREATED_LINE, id, asked.canonical());
        assert_eq!(created, Err(EvidenceFault::OtherId));
        assert_eq!(evidence.line(VOTE_LINE, id, &text(&casts[0])), Err(EvidenceFault::OtherId));
    }
    assert!(Cast::parse(&text(&casts[0]).replace(':', ": ")).is_err());
}

/// The same escalation with another id.
fn numbered(number: u8) -> Escalation {
    let id = EscalationId::from_random([number; 16]);
    Escalation::new(Asked { id, ..asked(terms(Strategy::SingleApprover, three())) }).unwrap()
}

#[test]
fn the_oldest_that_nothing_decides_is_given_up_and_what_follows_is_counted() {
    let all: Vec<_> = (1..=3).map(numbered).collect();
    for mut evidence in [
        Evidence::of_at_most(2, usize::MAX, 9),
        Evidence::of_at_most(9, 2 * all[0].canonical().len() + 600, 9),
    ] {
        for asked in &all {
            evidence.created(asked.canonical()).unwrap();
        }
        assert_eq!(evidence.unchecked(), 0, "all that was said so far was looked at");
        for (asked, unchecked) in all.iter().zip([2, 2, 2]) {
            let cast = approve(asked, "bo");
            evidence.vote(&text(&cast)).unwrap();
            let verdict = verdict(asked, &[cast]);
            evidence.decided(asked.id(), &text(&verdict)).unwrap();
            assert_eq!(evidence.unchecked(), unchecked, "{}", asked.id());
        }
        // It is still known which one it was.
        evidence.created(all[0].canonical()).unwrap();
        let other = Asked { reasons: words(&["other"]), ..asked(all[0].terms().clone()) };
        let other = Asked { id: all[0].id(), ..other };
        let other = Escalation::new(other).unwrap();
        assert_eq!(evidence.created(other.canonical()), Err(EvidenceFault::CreatedTwice));
    }
}

#[test]
fn no_more_is_kept_than_may_be_of_what_is_decided() {
    let mut evidence = Evidence::of_at_most(2, usize::MAX, 3);
    let ended = |asked: &Escalation| text(&verdict(asked, &[approve(asked, "bo")]));
    for number in 1..=9 {
        let asked = numbered(number);
        evidence.created(asked.canonical()).unwrap();
        evidence.vote(&text(&approve(&asked, "bo"))).unwrap();
        evidence.decided(asked.id(), &ended(&asked)).unwrap();
    }
    assert_eq!(evidence.unchecked(), 0);
    evidence.decided(numbered(9).id(), &ended(&numbered(9))).unwrap();
    assert_eq!(evidence.unchecked(), 0, "the newest are known");
    evidence.decided(numbered(1).id(), &ended(&numbered(1))).unwrap();
    assert_eq!(evidence.unchecked(), 1);
}
