//! Random histories against an automaton that moves event by event, where the engine works
//! everything out again from what was stored.

use super::*;
use crate::approval::Strategy;
use proptest::prelude::*;
use std::collections::BTreeSet;

const IDS: [&str; 4] = ["ana", "bo", "cy", "zoe"];

#[derive(Debug, Clone)]
enum Step {
    /// Somebody votes; `signer` is whose key is used, `signed` how many seconds the time that is
    /// signed is off.
    Vote { who: usize, signer: usize, choice: Choice, signed: i64 },
    /// A vote that is stored is sent again.
    Again(prop::sample::Index),
    /// Time passes on both clocks.
    Pass(u64),
    /// The wall clock steps.
    Jump(i64),
    /// The program starts anew: what it measured is gone, what was stored is not.
    Restart,
}

fn step() -> impl Strategy_<Value = Step> {
    let choice = prop_oneof![Just(Choice::Approve), Just(Choice::Reject)];
    let vote = (0..4_usize, 0..20_usize, choice, prop_oneof![9 => Just(0), 1 => -90..90_i64]);
    prop_oneof![
        6 => vote.prop_map(|(who, signer, choice, signed)| {
            // Mostly his own key.
            Step::Vote { who, signer: if signer < 4 { signer } else { who }, choice, signed }
        }),
        1 => any::<prop::sample::Index>().prop_map(Step::Again),
        3 => (0..50_u64).prop_map(Step::Pass),
        1 => (-200..200_i64).prop_map(Step::Jump),
        1 => Just(Step::Restart),
    ]
}

use proptest::strategy::Strategy as Strategy_;

fn some_terms() -> impl Strategy_<Value = (Terms, Severity)> {
    let strategies = prop_oneof![
        4 => Just(Strategy::HumanQuorum),
        2 => Just(Strategy::SingleApprover),
        1 => Just(Strategy::AutoAllow),
    ];
    let roles = || prop::collection::vec(prop::sample::select(vec!["security", "finance"]), 0..2);
    let severities = vec![Severity::Low, Severity::High, Severity::Critical];
    let numbers = (0..4_u32, 0..3_u32, 0..4_usize);
    (strategies, numbers, roles(), roles(), any::<[bool; 3]>(), prop::sample::select(severities))
        .prop_map(|(strategy, (yes, no, people), required, veto, flags, severity)| {
            let [auto_approve, allow_unattended, is_there] = flags;
            let members = three().into_iter().take(people).collect();
            let action =
                if auto_approve { TimeoutAction::AutoApprove } else { TimeoutAction::AutoReject };
            let terms = Terms {
                min_approvals: yes,
                min_rejections: no,
                required_roles: words(&required),
                veto_roles: words(&veto),
                timeout_action: action,
                allow_unattended,
                approval_set: (is_there || people > 1).then_some(ApprovalSet { members }),
                ..terms(strategy, Vec::new())
            };
            (terms, severity)
        })
}

/// The automaton: who has said what, and whether it is over.
#[derive(Debug)]
struct Model {
    terms: Terms,
    grave: bool,
    yes: BTreeSet<usize>,
    no: BTreeSet<usize>,
    state: Status,
    by_time: bool,
}

impl Model {
    fn start(terms: &Terms, severity: Severity) -> Self {
        let grave = severity == Severity::Critical || !terms.allow_unattended;
        let nobody = terms.approval_set.as_ref().is_none_or(|set| set.members.is_empty());
        let state = match terms.strategy {
            Strategy::AutoAllow if grave => Status::Rejected,
            Strategy::AutoAllow => Status::Approved,
            Strategy::SingleApprover | Strategy::HumanQuorum if nobody => Status::Rejected,
            Strategy::SingleApprover | Strategy::HumanQuorum => Status::Pending,
        };
        let (yes, no) = (BTreeSet::new(), BTreeSet::new());
        Self { terms: terms.clone(), grave, yes, no, state, by_time: false }
    }

    fn people(&self) -> usize {
        self.terms.approval_set.as_ref().map_or(0, |set| set.members.len())
    }

    fn has(who: usize, role: &str) -> bool {
        match who {
            0 => role == "security",
            1 => role == "finance",
            _ => true,
        }
    }

    fn enough(&self, yes: &BTreeSet<usize>) -> bool {
        let quorum = self.terms.strategy == Strategy::HumanQuorum;
        let least = if quorum { self.terms.min_approvals.max(1) } else { 1 };
        yes.len() >= usize::try_from(least).unwrap()
            && self
                .terms
                .required_roles
                .iter()
                .all(|role| yes.iter().any(|who| Self::has(*who, role)))
    }

    fn time_approves(&self) -> bool {
        let others: BTreeSet<_> = (1..self.people()).collect();
        self.terms.timeout_action == TimeoutAction::AutoApprove
            && !self.grave
            && self.enough(&others)
    }

    /// A vote is seen; `is_late` by the wall clock or the time that was signed.
    fn vote(&mut self, who: usize, is_own_key: bool, choice: Choice, is_late: bool) {
        let voted = self.yes.contains(&who) || self.no.contains(&who);
        if self.state != Status::Pending || who >= self.people() || !is_own_key || voted {
            return;
        }
        match choice {
            Choice::Approve if who == 0 || is_late => {}
            Choice::Approve => {
                self.yes.insert(who);
                if self.enough(&self.yes) {
                    self.state = Status::Approved;
                }
            }
            Choice::Reject if is_late && !self.time_approves() => {}
            Choice::Reject => {
                self.no.insert(who);
                let quorum = self.terms.strategy == Strategy::HumanQuorum;
                let least = if quorum { self.terms.min_rejections.max(1) } else { 1 };
                let veto = self.terms.veto_roles.iter().any(|role| Self::has(who, role));
                if veto || self.no.len() >= usize::try_from(least).unwrap() {
                    self.state = Status::Rejected;
                }
            }
        }
    }

    fn time(&mut self, wall: i64, measured: u64) {
        if self.state != Status::Pending {
            return;
        }
        let ttl = i64::try_from(TTL).unwrap();
        if self.time_approves() {
            if measured >= TTL {
                (self.state, self.by_time) = (Status::Approved, true);
            }
        } else if measured >= TTL || wall >= ttl {
            self.state = Status::Expired;
        }
    }
}

/// A store: it takes votes while nothing has ended, and keeps the first end.
#[derive(Debug, Default)]
struct Store {
    casts: Vec<Cast>,
    ended: Option<Finalization>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_engine_says_what_the_automaton_says_and_never_approves_more(
        (terms, severity) in some_terms(),
        steps in prop::collection::vec(step(), 0..14),
    ) {
        let asked = Escalation::new(Asked { severity, ..asked(terms.clone()) }).unwrap();
        let mut model = Model::start(&terms, severity);
        let mut store = Store::default();
        let (mut wall, mut measured) = (0_i64, 0_u64);
        for step in [Step::Pass(0)].into_iter().chain(steps) {
            match step {
                Step::Vote { who, signer, choice, signed } if store.ended.is_none() => {
                    let at = seconds(wall + signed);
                    let statement = Statement::new(&asked, IDS[who], choice, at, "");
                    let sig = key(IDS[signer]).sign_now(&statement.bytes().unwrap());
                    let vote = Vote::new(&statement, "", sig).unwrap();
                    store.casts.push(Cast { vote, taken_at: seconds(wall) });
                    let is_late = wall.max(wall + signed) >= i64::try_from(TTL).unwrap();
                    model.vote(who, who == signer, choice, is_late);
                }
                Step::Again(which) if store.ended.is_none() && !store.casts.is_empty() => {
                    let again = which.get(&store.casts).clone();
                    // It was in time when it came first; now it counts only if it did then, and
                    // then the approver has voted.
                    let vote = &again.vote;
                    let who = IDS.iter().position(|id| *id == vote.approver()).unwrap();
                    let key = key(vote.approver()).public_key();
                    let ttl = i64::try_from(TTL).unwrap();
                    let is_late = vote.at().max(seconds(wall)) >= seconds(ttl);
                    model.vote(who, vote.is_signed_by(&key), vote.choice(), is_late);
                    store.casts.push(Cast { vote: vote.clone(), taken_at: seconds(wall) });
                }
                Step::Vote { .. } | Step::Again(_) => {}
                Step::Pass(secs) => {
                    measured += secs;
                    wall += i64::try_from(secs).unwrap();
                }
                Step::Jump(secs) => wall += secs,
                Step::Restart => measured = 0,
            }
            model.time(wall, measured);
            let moment = Moment { wall: seconds(wall), measured: Some(Duration::from_secs(measured)) };
            let history = History { casts: &store.casts, ended: store.ended };
            let verdict = tally(&Case::new(&asked, &terms), &history, moment);
            let presented =
                Presented { binding: asked.binding(), terms: &terms, severity };
            let spend = spendable(Some(&asked), &history, &presented, moment, false);
            prop_assert!(spend.is_err() || model.state == Status::Approved);
            if model.by_time && measured < TTL {
                // What time approved and nobody measures any more waits again.
                prop_assert_ne!(verdict.status, Status::Rejected);
                prop_assert!(spend.is_err());
            } else {
                prop_assert_eq!(verdict.status, model.state, "{:?} {:?}", model, store);
            }
            if store.ended.is_none() {
                store.ended = verdict.finalization;
            }
            // The order of later votes, and what else is sent, changes nothing that has ended.
            if verdict.status.is_final() {
                let mut more = store.casts.clone();
                more.extend(store.casts.iter().rev().cloned());
                more.push(reject(&asked, "cy"));
                let history = History { casts: &more, ended: store.ended };
                let later = tally(&Case::new(&asked, &terms), &history, moment);
                let stops_time = verdict.finalization == Some(Finalization::TimedOutApproved);
                prop_assert!(later.status == verdict.status || stops_time);
            }
        }
    }
}
