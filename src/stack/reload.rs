use super::connected::tell_of_other_keys;
use super::reloading::grounded;
use super::shared::Shared;
use crate::audit::{Event, PolicyReload};
use crate::digest::Digest;
use crate::policy::{Policy, PolicyError, PolicyVersion};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a look for a newer policy came to.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a version is there and taken, or not")]
pub enum Reload {
    /// There is none, or it says the same.
    Unchanged,
    /// Calls that enter from now on are judged by it; calls under way end by the one they began
    /// with.
    Taken {
        /// The digest of the policy until now.
        was: Digest,
        /// The digest of the policy from now on.
        now: Digest,
    },
    /// There is one that was not taken: the policy stays what it was.
    Refused(ReloadError),
}

/// Why a version of the policy was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// It is no policy, or cannot be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// It changes what holds from start to end of a program.
    #[error("{file}: {} cannot change while the program runs; start it anew", .keys.join(", "))]
    Fixed {
        /// The file as it was named.
        file: String,
        /// The keys.
        keys: Vec<&'static str>,
    },
}

/// Between the two looks of one who does not want to wait for the next round.
const SETTLES: Duration = Duration::from_millis(20);

impl ReloadError {
    fn problems(&self) -> usize {
        match self {
            Self::Policy(error) => error.problems().len(),
            Self::Fixed { keys, .. } => keys.len(),
        }
    }
}

impl Shared {
    /// Looks as often as it takes to find a version settled.
    pub(super) fn reload(&self) -> Reload {
        // The first look may be the one that sees it. Whoever writes it has to get on meanwhile.
        match self.look() {
            Reload::Unchanged if self.reloading.is_some() => {
                std::thread::sleep(SETTLES);
                self.look()
            }
            Reload::Unchanged => Reload::Unchanged,
            found @ (Reload::Taken { .. } | Reload::Refused(_)) => found,
        }
    }

    fn look(&self) -> Reload {
        let Some(reloading) = &self.reloading else { return Reload::Unchanged };
        // Held while a version is taken, so that no older one comes after a newer.
        let mut source = reloading.source.lock();
        let Some(PolicyVersion { found, policy }) = source.look() else {
            return Reload::Unchanged;
        };
        let before = self.regime.load_full();
        let taken =
            policy.map_err(ReloadError::from).and_then(|next| allowed(&before.policy, next));
        match taken {
            Ok(next) if next.digest() == before.policy.digest() => Reload::Unchanged,
            Ok(next) => {
                let (was, now) = (before.policy.digest(), next.digest());
                if let Some(approvals) = &self.approvals {
                    tell_of_other_keys(&next, &approvals.signer().public_key());
                }
                let next = grounded(next, &reloading.own);
                let following = before.followed_by(next, self.clock.monotonic());
                self.regime.store(Arc::new(following));
                tracing::info!(%was, %now, "a newer policy judges the calls from now on");
                self.tell_of(PolicyReload::Taken { was, now });
                Reload::Taken { was, now }
            }
            Err(error) => {
                tracing::error!(%error, "the policy stays as it was: the newer version was refused");
                let problems = u64::try_from(error.problems()).unwrap_or(u64::MAX);
                self.tell_of(PolicyReload::Refused {
                    stays: before.policy.digest(),
                    found,
                    problems,
                });
                Reload::Refused(error)
            }
        }
    }

    fn tell_of(&self, reload: PolicyReload) {
        if let Some(log) = &self.log {
            log.event(Event::policy_reload(self.clock.wall(), reload));
        }
    }
}

fn allowed(before: &Policy, next: Policy) -> Result<Policy, ReloadError> {
    let keys = before.fixed_keys_changed(&next);
    if keys.is_empty() {
        return Ok(next);
    }
    Err(ReloadError::Fixed { file: next.file().to_owned(), keys })
}

/// Starts the thread that looks from time to time, for as long as a clone of the layer lives.
pub(super) fn watch(shared: &Arc<Shared>) -> io::Result<()> {
    let Some(every) = shared.reloading.as_ref().map(|reloading| reloading.every) else {
        return Ok(());
    };
    let weak = Arc::downgrade(shared);
    let thread = std::thread::Builder::new().name("sec0-policy".to_owned());
    thread.spawn(move || look_on(&weak, every)).map(drop)
}

fn look_on(shared: &Weak<Shared>, every: Duration) {
    loop {
        std::thread::sleep(every);
        let Some(shared) = shared.upgrade() else { return };
        // A source is somebody else's code.
        if catch_unwind(AssertUnwindSafe(|| shared.look())).is_err() {
            tracing::error!("the source of the policy panicked; it is asked again");
        }
    }
}
