use super::approvals::answered;
use super::connected::Answering;
use super::seek::{Seek, unavailable};
use crate::approval::{Kept, Reach, Said, Shown, Statement, Status, Vote, Voted, question};
use crate::call::Refusal;
use std::time::Duration;
use tokio::time::timeout;

/// How long the signer may take for a vote.
const SIGNED: Duration = Duration::from_secs(5);

impl Seek {
    /// Asks the connected user, where that one may vote and can be asked while the call waits.
    pub(super) fn ask_user(&self, kept: &Kept) -> Option<Answering> {
        let Some(Reach::Now(user)) = &self.reach else { return None };
        self.voter(kept)?;
        Some(user.ask(self.question(kept)))
    }

    /// The member as whom the connected user may vote on this: one who has not voted, whose call this
    /// is not, and for whom this layer can sign.
    pub(super) fn voter(&self, kept: &Kept) -> Option<&str> {
        let name = self.user.as_deref()?;
        let member = self.presentation.terms.approval_set.as_ref()?.member(name)?;
        let has_voted = kept.casts.iter().any(|cast| cast.vote.approver() == name);
        let is_own = member.is(&self.presentation.binding.principal);
        let is_ours = member.public_key == self.approvals.signer().public_key();
        let may = kept.status() == Status::Pending && is_ours && !is_own && !has_voted;
        may.then_some(name)
    }

    pub(super) fn question(&self, kept: &Kept) -> Box<str> {
        // The salt is for the digest, which is not needed here.
        question(&kept.escalation, &Shown::of(self.arguments.as_ref(), [0; 16]))
    }

    /// Puts what the connected user said into the store, as a vote like any other: the escalation as
    /// it stands afterwards; `None` where nothing was said.
    pub(super) async fn cast(&self, kept: &Kept, said: Said) -> Result<Option<Kept>, Refusal> {
        let Said::Vote { choice, note } = said else { return Ok(None) };
        let Some(voter) = self.voter(kept) else { return Ok(None) };
        let now = self.shared.clock.wall();
        let statement = Statement::new(&kept.escalation, voter, choice, now, &note);
        let Some(vote) = self.signed(&statement, &note).await else { return Ok(None) };
        let store = self.approvals.store();
        let outcome = answered(store.vote(vote, now)).await.map_err(|error| unavailable(&error))?;
        match outcome {
            Voted::Counted(kept) => Ok(Some(kept)),
            // Somebody was faster.
            Voted::Not(why) => {
                tracing::debug!(%why, "the vote of a connected user does not count");
                let found = answered(store.read(kept.escalation.id())).await;
                found.map_err(|error| unavailable(&error))
            }
            Voted::NotFound => Ok(None),
        }
    }

    async fn signed(&self, statement: &Statement<'_>, note: &str) -> Option<Vote> {
        let bytes = match statement.bytes() {
            Ok(bytes) => bytes,
            Err(error) => return unsigned(&error),
        };
        let sig = match timeout(SIGNED, self.approvals.signer().sign(&bytes)).await {
            Ok(Ok(sig)) => sig,
            Ok(Err(error)) => return unsigned(&error),
            Err(elapsed) => return unsigned(&elapsed),
        };
        Vote::new(statement, note, sig).map_or_else(|error| unsigned(&error), Some)
    }
}

fn unsigned(error: &dyn std::fmt::Display) -> Option<Vote> {
    tracing::error!(%error, "the vote of a connected user could not be signed; it does not count");
    None
}
