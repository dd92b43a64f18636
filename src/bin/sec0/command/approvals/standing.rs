use sec0::approval::{
    ApprovalSet, Case, Escalation, Finalization, History, Member, Moment, Status, TimeoutAction,
    Verdict, tally,
};
use sec0::clock::Timestamp;
use sec0::store::sqlite::Listed;
use std::time::Duration;

/// How an escalation stands at a time, by the terms that it was created with.
pub(super) struct Standing<'a> {
    pub(super) listed: &'a Listed,
    /// What the votes come to.
    pub(super) verdict: Verdict,
    /// What decided; `None` while nothing has.
    pub(super) finalization: Option<Finalization>,
    now: Timestamp,
}

impl<'a> Standing<'a> {
    pub(super) fn of(listed: &'a Listed, now: Timestamp) -> Self {
        let kept = &listed.kept;
        let case = Case::new(&kept.escalation, kept.escalation.terms());
        let history = History { casts: &kept.casts, ended: kept.ended };
        let verdict = tally(&case, &history, Moment::at(now));
        let finalization = kept.ended.or(verdict.finalization);
        Self { listed, verdict, finalization, now }
    }

    pub(super) fn escalation(&self) -> &'a Escalation {
        &self.listed.kept.escalation
    }

    pub(super) fn status(&self) -> Status {
        self.finalization.map_or(Status::Pending, Finalization::status)
    }

    /// True where the store says that votes approved it, and they did not.
    pub(super) fn is_contradicted(&self) -> bool {
        let by_votes = matches!(
            self.finalization,
            Some(Finalization::QuorumReached | Finalization::ApprovedByApprover)
        );
        by_votes && self.verdict.finalization != self.finalization
    }

    /// How many approvals there have to be.
    pub(super) fn needed(&self) -> usize {
        self.escalation().terms().approvals()
    }

    /// How many more approvals it takes, when the roles do not ask for more.
    pub(super) fn missing_approvals(&self) -> usize {
        self.needed().saturating_sub(self.verdict.approvals.len())
    }

    /// The required roles that nobody who approved has.
    pub(super) fn missing_roles(&self) -> Vec<&'a str> {
        let terms = self.escalation().terms();
        let set = terms.approval_set.as_ref();
        let approved = |role| {
            let has = |member: &Member| member.roles.contains(role);
            let ids = self.verdict.approvals.iter();
            ids.filter_map(|id| set?.member(id)).any(has)
        };
        terms.required_roles.iter().filter(|role| !approved(role)).map(|role| &**role).collect()
    }

    pub(super) fn members(&self) -> &'a [Member] {
        let set: Option<&ApprovalSet> = self.escalation().terms().approval_set.as_ref();
        set.map_or(&[], |set| &set.members)
    }

    /// True where the call will be approved when nobody decides.
    pub(super) fn time_approves(&self) -> bool {
        Case::new(self.escalation(), self.escalation().terms()).time_approves()
    }

    /// True where the policy would have time approve the call, and its people could not.
    pub(super) fn nobody_can_approve(&self) -> bool {
        let (escalation, terms) = (self.escalation(), self.escalation().terms());
        terms.timeout_action == TimeoutAction::AutoApprove
            && terms.may_be_unattended(escalation.severity())
            && !self.time_approves()
    }

    /// How long ago it was asked.
    pub(super) fn age(&self) -> Duration {
        between(self.escalation().created_at(), self.now)
    }

    /// How long it can still be decided.
    pub(super) fn left(&self) -> Duration {
        between(self.now, self.escalation().expires_at())
    }
}

/// The time from one to the other; none where the other comes before.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    let millis = to.as_millis().saturating_sub(from.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// A length of time in one unit: `59 s`, `12 min`, `3 h`, `4 d`.
pub(super) fn rough(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds if seconds < 2 * HOUR => format!("{} min", seconds / MINUTE),
        seconds if seconds < 2 * DAY => format!("{} h", seconds / HOUR),
        seconds => format!("{} d", seconds / DAY),
    }
}

/// `1 approval`, `2 approvals`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
