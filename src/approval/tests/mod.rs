mod evidence;
mod exhaustive;
mod forged;
mod golden;
mod machine;
mod spending;
pub(crate) mod model;
pub(crate) mod stores;
mod terms;

use super::*;
use crate::call::Severity;
use crate::clock::Timestamp;
use crate::digest::{Digest, Fingerprint};
use crate::sign::{LocalDevSigner, Signer};
use std::time::Duration;

pub(super) const CREATED: i64 = 1_700_000_000_000;
pub(super) const TTL: u64 = 60;

/// The key of a member, by the first byte of his name.
pub(super) fn key(id: &str) -> LocalDevSigner {
    LocalDevSigner::from_seed([id.as_bytes()[0]; 32])
}

pub(super) fn member(id: &str, roles: &[&str], principals: &[&str]) -> Member {
    Member {
        id: id.into(),
        roles: words(roles),
        public_key: key(id).public_key(),
        principals: words(principals),
    }
}

pub(super) fn words(words: &[&str]) -> Vec<Box<str>> {
    words.iter().copied().map(Into::into).collect()
}

pub(super) fn terms(strategy: Strategy, members: Vec<Member>) -> Terms {
    Terms {
        strategy,
        min_approvals: 1,
        min_rejections: 1,
        required_roles: Vec::new(),
        veto_roles: Vec::new(),
        timeout_action: TimeoutAction::AutoReject,
        ttl_seconds: TTL,
        allow_unattended: false,
        approval_set_id: Some("prod".into()),
        approval_set: Some(ApprovalSet { members }),
    }
}

pub(super) fn three() -> Vec<Member> {
    vec![
        member("ana", &["security"], &["local:1000"]),
        member("bo", &["finance"], &[]),
        member("cy", &["security", "finance"], &[]),
    ]
}

pub(super) fn binding() -> Binding {
    Binding {
        tenant: "acme".into(),
        server: "demo".into(),
        tool: "pay@1.0".into(),
        definition: Digest::from_bytes([1; 32]),
        arguments: Fingerprint::Sha256([2; 32]),
        principal: "local:1000".into(),
        policy: Digest::from_bytes([3; 32]),
    }
}

pub(super) fn asked(terms: Terms) -> Asked {
    Asked {
        id: EscalationId::from_random([7; 16]),
        binding: binding(),
        terms,
        reasons: words(&["large_sum"]),
        rules: words(&["big"]),
        severity: Severity::High,
        created_at: Timestamp::from_millis(CREATED),
        shown: Shown { text: "{\"sum\": 900}".into(), salt: [9; 16] }.digest(),
    }
}

pub(super) fn escalation(terms: Terms) -> Escalation {
    Escalation::new(asked(terms)).unwrap()
}

/// The vote of `id` so many seconds after the creation, taken at once.
pub(super) fn cast(escalation: &Escalation, id: &str, choice: Choice, after: i64) -> Cast {
    let at = seconds(after);
    let statement = Statement::new(escalation, id, choice, at, "");
    let sig = key(id).sign_now(&statement.bytes().unwrap());
    Cast { vote: Vote::new(&statement, "", sig).unwrap(), taken_at: at }
}

pub(super) fn approve(escalation: &Escalation, id: &str) -> Cast {
    cast(escalation, id, Choice::Approve, 1)
}

pub(super) fn reject(escalation: &Escalation, id: &str) -> Cast {
    cast(escalation, id, Choice::Reject, 1)
}

pub(super) fn seconds(after: i64) -> Timestamp {
    Timestamp::from_millis(CREATED + after * 1000)
}

/// Both clocks agree.
pub(super) fn moment(after: u64) -> Moment {
    let wall = seconds(i64::try_from(after).unwrap());
    Moment { wall, measured: Some(Duration::from_secs(after)) }
}

/// What these votes come to by the escalation's own terms, 10 seconds after its creation.
pub(super) fn verdict(escalation: &Escalation, casts: &[Cast]) -> Verdict {
    at(escalation, casts, moment(10))
}

pub(super) fn at(escalation: &Escalation, casts: &[Cast], moment: Moment) -> Verdict {
    let case = Case::new(escalation, escalation.terms());
    tally(&case, &History { casts, ended: None }, moment)
}
