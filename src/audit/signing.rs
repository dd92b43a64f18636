use super::chain::{Chain, Ties, splice};
use super::day::Day;
use super::envelope::{Form, Site, write_call};
use super::event::write_event;
use super::ledger::Ledger;
use super::queue::Entry;
use crate::call::LineSigning;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::sign::{SignError, Signature, Signer, Signing};
use crate::tlog::{Note, leaf_hash};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// Makes lines: serialises a record, ties it to the one before and signs it.
#[derive(Debug)]
pub(super) struct Sealer {
    site: Arc<Site>,
    signer: Arc<dyn Signer>,
    key_id: String,
    clock: Arc<dyn Clock>,
    /// Where the next line is tied on; moves only when a line was signed.
    chain: Chain,
    ledger: Ledger,
    signing: LineSigning,
    unsigned: Vec<u8>,
}

/// What a log is sealed with.
#[derive(Debug)]
pub(super) struct Seal {
    pub(super) site: Arc<Site>,
    pub(super) signer: Arc<dyn Signer>,
    pub(super) signing: LineSigning,
    pub(super) clock: Arc<dyn Clock>,
}

impl Sealer {
    pub(super) fn new(seal: Seal, chain: Chain, ledger: Ledger) -> Self {
        let Seal { site, signer, signing, clock } = seal;
        let key_id = signer.public_key().key_id();
        let unsigned = Vec::with_capacity(2048);
        Self { site, signer, key_id, clock, chain, ledger, signing, unsigned }
    }

    /// Appends the line of `entry`, with its line end. After an error nothing was appended, and
    /// the same entry can be given again.
    pub(super) fn seal(
        &mut self,
        entry: &Entry,
        out: &mut Vec<u8>,
        deadline: Duration,
    ) -> Result<(), SignError> {
        self.unsigned.clear();
        let ties = Ties { chain: &self.chain, key_id: &self.key_id };
        let sig_at = match entry {
            Entry::Call(facts) | Entry::Refused(facts) => {
                write_call(&mut self.unsigned, facts, &self.site, Form::Line(&ties))
            }
            Entry::Event(event) => write_event(&mut self.unsigned, event, &self.site, &ties),
            Entry::Noted(noted) => write_event(&mut self.unsigned, &noted.event, &self.site, &ties),
            Entry::KeyChange(change) => {
                write_event(&mut self.unsigned, &change.event, &self.site, &ties)
            }
            Entry::Revived(revived) => revived.write(&mut self.unsigned, &ties),
        };
        let start = out.len();
        // The line that introduces a key is signed by the one before it, whatever covers the rest.
        if self.signing == LineSigning::Record || matches!(entry, Entry::KeyChange(_)) {
            let signature = self.sign(&self.unsigned, deadline)?;
            splice(out, &self.unsigned, sig_at, &signature);
        } else {
            out.extend_from_slice(&self.unsigned);
        }
        let (_, line) = out.split_at(start);
        let prev = Digest::of(line);
        self.ledger.push(leaf_hash(line), prev);
        self.chain = Chain { seq: self.chain.seq.saturating_add(1), prev };
        out.push(b'\n');
        if let Entry::KeyChange(change) = entry {
            self.signer = Arc::clone(&change.signer);
            self.key_id = self.signer.public_key().key_id();
        }
        Ok(())
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Signs the checkpoint of now and puts it on the disk; `closed` is the day that has ended.
    pub(super) fn checkpoint(
        &mut self,
        closed: Option<Day>,
        deadline: Duration,
    ) -> Result<(), NoCheckpoint> {
        let sign = |cause: &dyn std::fmt::Display| NoCheckpoint::Sign(SignError::new(cause));
        let text = self.ledger.text().map_err(|error| sign(&error))?;
        let message = Note::to_sign(&text).map_err(|error| sign(&error))?;
        let signature = self.sign(message, deadline).map_err(NoCheckpoint::Sign)?;
        let key = self.ledger.key(&self.signer.public_key());
        let key = key.ok_or_else(|| sign(&"the tenant's name is too long for a checkpoint"))?;
        let note = Note::assemble(&text, &key, &signature).map_err(|error| sign(&error))?;
        self.ledger.store(&note, closed).map_err(NoCheckpoint::Store)
    }

    /// The number of the next line.
    pub(super) fn next_seq(&self) -> u64 {
        self.chain.seq
    }

    fn sign(&self, message: &[u8], deadline: Duration) -> Result<Signature, SignError> {
        let signing = || drive(self.signer.sign(message), &*self.clock, deadline);
        match catch_unwind(AssertUnwindSafe(signing)) {
            Ok(signed) => signed,
            Err(_panic) => Err(SignError::new("the signer panicked")),
        }
    }
}

/// Why there is no new checkpoint.
#[derive(Debug)]
pub(super) enum NoCheckpoint {
    Sign(SignError),
    Store(io::Error),
}

/// Runs a future on this thread until it is done or its time is up. One that is done at once, as
/// with a local key, costs one poll.
fn drive(
    mut signing: Signing<'_>,
    clock: &dyn Clock,
    deadline: Duration,
) -> Result<Signature, SignError> {
    if let Poll::Ready(signed) = signing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return signed;
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let start = clock.monotonic();
    loop {
        // Polled again before the first wait: the first poll left no waker behind.
        if let Poll::Ready(signed) = signing.as_mut().poll(&mut context) {
            return signed;
        }
        let spent = clock.monotonic().saturating_duration_since(start);
        match deadline.checked_sub(spent) {
            Some(left) if !left.is_zero() => std::thread::park_timeout(left),
            Some(_) | None => {
                return Err(SignError::new(format_args!("no signature after {deadline:?}")));
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
