//! What every store of approvals is tested with.

use super::*;
use std::sync::Arc;

/// Which terms an escalation of the tests has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Two of three must approve, one can reject.
    Two,
    /// Nobody is asked.
    Nobody,
    /// Two of three, and time approves.
    Time,
}

pub(crate) fn terms_by(by: By) -> Terms {
    let strategy = if by == By::Nobody { Strategy::AutoAllow } else { Strategy::HumanQuorum };
    let action =
        if by == By::Time { TimeoutAction::AutoApprove } else { TimeoutAction::AutoReject };
    Terms {
        min_approvals: 2,
        allow_unattended: true,
        timeout_action: action,
        ..terms(strategy, three())
    }
}

/// Asks for the call number `call` so many seconds after the start, with the id number `id`.
pub(crate) fn asking(by: By, call: u8, id: u64, after: i64) -> Arc<Asking> {
    asking_of(by, call, id, after, "local:1")
}

pub(crate) fn asking_of(by: By, call: u8, id: u64, after: i64, principal: &str) -> Arc<Asking> {
    let shown = Shown { text: format!("{{\"call\": {call}}}").into(), salt: [call; 16] };
    let mut asked = Asked {
        id: id_of(id),
        created_at: seconds(after),
        shown: shown.digest(),
        ..asked(terms_by(by))
    };
    asked.binding.arguments = Fingerprint::Sha256([call; 32]);
    asked.binding.principal = principal.into();
    let escalation = Escalation::new(asked).unwrap();
    Arc::new(Asking { escalation, shown, stream: "".into() })
}

pub(crate) fn id_of(id: u64) -> EscalationId {
    EscalationId::from_random((u128::from(id) << 64 | 7).to_be_bytes())
}

pub(crate) fn vote_of(escalation: &Escalation, who: &str, choice: Choice, after: i64) -> Vote {
    cast(escalation, who, choice, after).vote
}

pub(crate) fn presentation(escalation: &Escalation) -> Arc<Presentation> {
    Arc::new(Presentation {
        binding: escalation.binding().clone(),
        terms: escalation.terms().clone(),
        severity: escalation.severity(),
    })
}

pub(crate) fn at_second(after: i64) -> Timestamp {
    seconds(after)
}
