use super::chain::{Chain, Ties, splice};
use super::envelope::{Form, Site, write_call};
use super::event::write_event;
use super::queue::Entry;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::sign::{SignError, Signature, Signer, Signing};
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
    unsigned: Vec<u8>,
}

impl Sealer {
    pub(super) fn new(
        site: Arc<Site>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
        chain: Chain,
    ) -> Self {
        let key_id = signer.public_key().key_id();
        Self { site, signer, key_id, clock, chain, unsigned: Vec::with_capacity(2048) }
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
            Entry::Revived(revived) => revived.write(&mut self.unsigned, &ties),
        };
        let signature = self.sign(deadline)?;
        let start = out.len();
        splice(out, &self.unsigned, sig_at, &signature);
        let (_, line) = out.split_at(start);
        let prev = Digest::of(line);
        self.chain = Chain { seq: self.chain.seq.saturating_add(1), prev };
        out.push(b'\n');
        Ok(())
    }

    /// The number of the next line.
    pub(super) fn next_seq(&self) -> u64 {
        self.chain.seq
    }

    fn sign(&self, deadline: Duration) -> Result<Signature, SignError> {
        let signing = || drive(self.signer.sign(&self.unsigned), &*self.clock, deadline);
        match catch_unwind(AssertUnwindSafe(signing)) {
            Ok(signed) => signed,
            Err(_panic) => Err(SignError::new("the signer panicked")),
        }
    }
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
