//! Random histories of a store against an automaton that was written from what [`ApprovalStore`]
//! promises.

use super::stores::*;
use super::*;
use proptest::prelude::{Just, ProptestConfig, prop, prop_oneof, proptest};
use proptest::strategy::Strategy as Strategy_;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Ask(u8),
    Vote {
        which: usize,
        who: &'static str,
        choice: Choice,
        key: &'static str,
    },
    Settle(usize),
    Spend {
        which: usize,
        is_other: bool,
    },
    Recorded,
    /// Time passes on both clocks.
    Pass(i64),
    /// The wall clock steps.
    Jump(i64),
    /// All programs end, and one after the other begins anew.
    Reopen,
}

/// Steps, each by one of two programs.
pub(crate) fn steps() -> impl Strategy_<Value = Vec<(usize, Step)>> {
    let who = || prop::sample::select(vec!["ana", "bo", "cy", "zoe"]);
    let choice = prop_oneof![3 => Just(Choice::Approve), 1 => Just(Choice::Reject)];
    let vote = (0..9_usize, who(), choice, who(), 0..9_u8);
    let step = prop_oneof![
        4 => (0..4_u8).prop_map(Step::Ask),
        7 => vote.prop_map(|(which, who, choice, key, slip)| {
            Step::Vote { which, who, choice, key: if slip == 0 { key } else { who } }
        }),
        2 => (0..9_usize).prop_map(Step::Settle),
        4 => (0..9_usize, 0..5_u8).prop_map(|(which, other)| Step::Spend { which, is_other: other == 0 }),
        1 => Just(Step::Recorded),
        2 => (0..50_i64).prop_map(Step::Pass),
        1 => (-200..200_i64).prop_map(Step::Jump),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec((0..2_usize, step), 0..40)
}

/// One escalation: who has said what, and whether it is over.
#[derive(Debug)]
struct Model {
    asked: Escalation,
    call: u8,
    created: i64,
    yes: BTreeSet<&'static str>,
    no: usize,
    said: BTreeSet<&'static str>,
    state: Status,
    is_by_time: bool,
    is_spent: bool,
    /// Since when it is measured.
    since: i64,
}

const fn by(call: u8) -> By {
    match call {
        0 => By::Nobody,
        1 => By::Time,
        _ => By::Two,
    }
}

const fn principal(call: u8) -> &'static str {
    // That of `ana`.
    if call == 3 { "local:1000" } else { "local:1" }
}

impl Model {
    fn ttl() -> i64 {
        i64::try_from(TTL).unwrap()
    }

    fn is_time(&self) -> bool {
        by(self.call) == By::Time
    }

    /// How long it is there, or its grant can be used.
    fn lives(&self) -> i64 {
        let is_by_votes = self.state == Status::Approved && !self.is_by_time;
        Self::ttl() * if self.is_time() && !is_by_votes { 2 } else { 1 }
    }

    fn is_found(&self, wall: i64) -> bool {
        !self.is_spent && self.state != Status::Expired && wall < self.created + self.lives()
    }

    /// Time decides, once.
    fn time(&mut self, wall: i64, measured: i64) {
        if self.state != Status::Pending {
            return;
        }
        if self.is_time() {
            if measured >= Self::ttl() {
                (self.state, self.is_by_time) = (Status::Approved, true);
            }
        } else if measured >= Self::ttl() || wall >= self.created + Self::ttl() {
            self.state = Status::Expired;
        }
    }

    /// Whether it counts.
    fn vote(&mut self, who: &'static str, is_signed: bool, choice: Choice, wall: i64) -> bool {
        let is_late = wall >= self.created + Self::ttl();
        let is_own = choice == Choice::Approve && who == "ana" && self.call == 3;
        let may_be_late = choice == Choice::Reject && self.is_time();
        let counts = self.state == Status::Pending
            && who != "zoe"
            && is_signed
            && !self.said.contains(who)
            && !is_own
            && (!is_late || may_be_late);
        if !counts {
            self.time(wall, 0);
            return false;
        }
        self.said.insert(who);
        if choice == Choice::Reject {
            self.no += 1;
            self.state = Status::Rejected;
        } else {
            self.yes.insert(who);
            if self.yes.len() == 2 {
                self.state = Status::Approved;
            }
        }
        true
    }

    fn spend(&mut self, is_other: bool, wall: i64, measured: i64) -> bool {
        self.time(wall, measured);
        let lasts = if self.is_by_time { 2 * Self::ttl() } else { Self::ttl() };
        let is_over = wall >= self.created + lasts || measured >= lasts;
        let is_approved =
            self.state == Status::Approved && (!self.is_by_time || measured >= Self::ttl());
        let may = !is_other && !self.is_spent && is_approved && !is_over;
        self.is_spent |= may;
        may
    }
}

type Stores = [Arc<dyn ApprovalStore>; 2];

/// Walks these steps with both the stores, which see the same.
pub(crate) async fn walk(open: impl Fn() -> Arc<dyn ApprovalStore>, steps: Vec<(usize, Step)>) {
    let mut stores: Stores = [open(), open()];
    let mut models: Vec<Model> = Vec::new();
    let mut lines = Vec::new();
    let (mut wall, mut measure) = (0_i64, 0_i64);
    for (place, step) in steps {
        let store = Arc::clone(&stores[place]);
        match step {
            Step::Ask(call) => ask(&*store, &mut models, call, wall, measure).await,
            Step::Pass(secs) => (wall, measure) = (wall + secs, measure + secs),
            Step::Jump(secs) => wall += secs,
            Step::Reopen => {
                stores =
                    [Arc::new(MemoryApprovals::default()), Arc::new(MemoryApprovals::default())];
                drop(store);
                stores.fill_with(&open);
                for model in &mut models {
                    model.since = measure;
                }
            }
            Step::Recorded => take_lines(&*store, &mut lines).await,
            step @ (Step::Vote { .. } | Step::Settle(_) | Step::Spend { .. }) => {
                on_one(&*store, &mut models, step, wall, measure).await;
            }
        }
        compare(&*stores[1 - place], &models).await;
    }
    take_lines(&*stores[0], &mut lines).await;
    let is_decided = |model: &&Model| model.state != Status::Pending;
    let decided = models.iter().filter(is_decided).count();
    let votes: usize = models.iter().map(|model| model.said.len()).sum();
    assert_eq!(lines.len(), models.len() + votes + decided);
    follow(&lines);
}

async fn ask(
    store: &dyn ApprovalStore,
    models: &mut Vec<Model>,
    call: u8,
    wall: i64,
    measure: i64,
) {
    let number = u64::try_from(models.len()).unwrap();
    let asking = asking_of(by(call), call, number, wall, principal(call));
    let opened = store.ask(asking.clone(), at_second(wall)).await.unwrap();
    let is_there = |model: &&Model| model.call == call && model.is_found(wall);
    let there: Vec<_> = models.iter().filter(is_there).collect();
    assert_eq!(opened.is_new, there.is_empty());
    if !opened.is_new {
        let id = opened.kept.escalation.id();
        assert!(there.iter().any(|model| model.asked.id() == id));
        return;
    }
    let is_nobodys = by(call) == By::Nobody;
    models.push(Model {
        asked: asking.escalation.clone(),
        call,
        created: wall,
        yes: BTreeSet::new(),
        no: 0,
        said: BTreeSet::new(),
        state: if is_nobodys { Status::Approved } else { Status::Pending },
        is_by_time: false,
        is_spent: false,
        since: measure,
    });
}

async fn compare(store: &dyn ApprovalStore, models: &[Model]) {
    for model in models {
        let kept = store.read(model.asked.id()).await.unwrap().unwrap();
        assert_eq!(kept.status(), model.state, "{model:?}");
        assert_eq!(kept.spent_at.is_some(), model.is_spent, "{model:?}");
        assert_eq!(kept.casts.len(), model.said.len(), "{model:?}");
    }
}

async fn on_one(
    store: &dyn ApprovalStore,
    models: &mut [Model],
    step: Step,
    wall: i64,
    measure: i64,
) {
    let (Step::Vote { which, .. } | Step::Settle(which) | Step::Spend { which, .. }) = step else {
        panic!("{step:?} is not about one")
    };
    if models.is_empty() {
        return;
    }
    // The newest are the ones of interest.
    let at = models.len() - 1 - which % models.len();
    let model = &mut models[at];
    let id = model.asked.id();
    let measured = measure - model.since;
    let moment = Moment {
        wall: at_second(wall),
        measured: Some(Duration::from_secs(u64::try_from(measured).unwrap())),
    };
    match step {
        Step::Vote { who, choice, key: signer, .. } => {
            let statement = Statement::new(&model.asked, who, choice, at_second(wall), "");
            let sig = key(signer).sign_now(&statement.bytes().unwrap());
            let vote = Vote::new(&statement, "", sig).unwrap();
            let voted = store.vote(vote, at_second(wall)).await.unwrap();
            let counts = model.vote(who, who == signer, choice, wall);
            assert_eq!(matches!(voted, Voted::Counted(_)), counts, "{voted:?} {model:?}");
        }
        Step::Settle(_) => {
            store.settle(id, moment).await.unwrap().unwrap();
            model.time(wall, measured);
        }
        Step::Spend { is_other, .. } => {
            let mut presented = (*presentation(&model.asked)).clone();
            if is_other {
                presented.binding.arguments = Fingerprint::Sha256([0xEE; 32]);
            }
            let spent = store.spend(id, Arc::new(presented), moment).await.unwrap();
            let may = model.spend(is_other, wall, measured);
            assert_eq!(spent.is_ok(), may, "{spent:?} {model:?}");
        }
        Step::Ask(_) | Step::Recorded | Step::Pass(_) | Step::Jump(_) | Step::Reopen => {}
    }
}

/// What the log would write.
async fn take_lines(store: &dyn ApprovalStore, to: &mut Vec<Line>) {
    loop {
        let after = to.last().map_or(0, |line: &Line| line.number);
        let lines = store.lines("", after).await.unwrap();
        let Some(last) = lines.last() else { break };
        store.recorded("", last.number).await.unwrap();
        assert_eq!(store.lines("other", 0).await.unwrap(), []);
        to.extend(lines);
    }
    assert_eq!(store.lines("", 0).await.unwrap(), []);
}

/// A log of these lines must hold.
fn follow(lines: &[Line]) {
    assert!(lines.is_sorted_by(|one, next| one.number < next.number));
    let mut evidence = Evidence::default();
    for line in lines {
        let event = match line.about {
            LineAbout::Created => "approval_created",
            LineAbout::Voted => "approval_vote",
            LineAbout::Decided { .. } => "approval_decided",
        };
        evidence.line(event, &line.id.to_string(), &line.body).unwrap();
    }
    assert_eq!(evidence.unchecked(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_store_in_memory_does_what_the_automaton_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = MemoryApprovals::default();
        runtime.block_on(walk(|| Arc::new(store.clone()), steps));
    }
}
