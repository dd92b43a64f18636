//! All small cases, against the rules said in another way.

use super::*;
use std::collections::BTreeSet;

const IDS: [&str; 3] = ["ana", "bo", "cy"];

/// Every order in which some of three people vote, each once, each either way.
fn orders() -> Vec<Vec<(usize, Choice)>> {
    let mut found = vec![Vec::new()];
    let mut at = 0;
    while let Some(order) = found.get(at).cloned() {
        at += 1;
        for who in (0..3).filter(|who| order.iter().all(|(other, _)| other != who)) {
            for choice in [Choice::Approve, Choice::Reject] {
                let mut next: Vec<(usize, Choice)> = order.clone();
                next.push((who, choice));
                found.push(next);
            }
        }
    }
    found
}

/// The first of all prefixes that is enough for one side.
fn by_the_rules(terms: &Terms, order: &[(usize, Choice)]) -> Status {
    let members = &terms.approval_set.as_ref().unwrap().members;
    for len in 1..=order.len() {
        let of = |choice: Choice| -> Vec<&Member> {
            let votes = order[..len].iter().filter(|(_, said)| *said == choice);
            votes.map(|(who, _)| &members[*who]).collect()
        };
        let (yes, no) = (of(Choice::Approve), of(Choice::Reject));
        let held: BTreeSet<_> = yes.iter().flat_map(|member| &member.roles).collect();
        let is_single = terms.strategy == Strategy::SingleApprover;
        let enough = |count: usize, of_quorum: u32| {
            count >= if is_single { 1 } else { usize::try_from(of_quorum).unwrap() }
        };
        let is_vetoed =
            no.iter().any(|it| it.roles.iter().any(|role| terms.veto_roles.contains(role)));
        if is_vetoed || enough(no.len(), terms.min_rejections) {
            return Status::Rejected;
        }
        let roles = terms.required_roles.iter().all(|role| held.contains(role));
        if enough(yes.len(), terms.min_approvals) && roles {
            return Status::Approved;
        }
    }
    Status::Pending
}

#[test]
fn every_small_vote_comes_to_what_the_rules_say() {
    let asked = escalation(terms(Strategy::HumanQuorum, three()));
    let orders = orders();
    assert_eq!(orders.len(), 1 + 6 + 24 + 48);
    let roles: [[&[&str]; 3]; 3] =
        [[&["a"], &["b"], &["a", "b"]], [&[], &["a"], &["a"]], [&["b"], &["b"], &[]]];
    let mut seen = BTreeSet::new();
    for roles in roles {
        let members = IDS.iter().zip(roles).map(|(id, roles)| member(id, roles, &[])).collect();
        let set = Some(ApprovalSet { members });
        for number in 0..3 * 3 * 3 * 2 * 2 {
            let (yes, no, need) = (number % 3 + 1, number / 3 % 3 + 1, number / 9 % 3);
            let (veto, single) = (number / 27 % 2 == 1, number / 54 == 1);
            let strategy = if single { Strategy::SingleApprover } else { Strategy::HumanQuorum };
            let required: [&[&str]; 3] = [&[], &["a"], &["a", "b"]];
            let terms = Terms {
                min_approvals: yes,
                min_rejections: no,
                required_roles: words(required[usize::try_from(need).unwrap()]),
                veto_roles: if veto { words(&["b"]) } else { Vec::new() },
                approval_set: set.clone(),
                ..terms(strategy, Vec::new())
            };
            let case = Case::new(&asked, &terms);
            for order in &orders {
                // Single approvers differ in nothing behind the first two votes.
                if single && order.len() > 2 {
                    continue;
                }
                let casts: Vec<_> =
                    order.iter().map(|(who, said)| cached(&asked, *who, *said)).collect();
                let verdict = tally(&case, &History { casts: &casts, ended: None }, moment(2));
                let expected = by_the_rules(&terms, order);
                assert_eq!(verdict.status, expected, "{terms:?} {order:?}");
                seen.insert(verdict.finalization);
            }
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

/// A vote over the one escalation: signed once.
fn cached(asked: &Escalation, who: usize, choice: Choice) -> Cast {
    use std::sync::OnceLock;
    static VOTES: OnceLock<Vec<Cast>> = OnceLock::new();
    let votes = VOTES.get_or_init(|| {
        let one = |id: &&str| [approve(asked, id), reject(asked, id)];
        IDS.iter().flat_map(one).collect()
    });
    votes[2 * who + usize::from(choice == Choice::Reject)].clone()
}
