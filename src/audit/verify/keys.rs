//! Which keys may sign at which place of a log.

use crate::audit::fault::{CheckpointFault, Fault, VerifyError};
use crate::audit::read::Line;
use crate::sign::{self, PublicKey, Signature};
use crate::tlog::{Note, VerifierKey};

/// The keys that were given, and those that a line of the log introduced.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    keys: Vec<Known>,
    /// Which of them the line before named.
    last: usize,
}

#[derive(Debug, Clone)]
struct Known {
    id: String,
    verifier: sign::Verifier,
    /// The number of the line with which the key gave way to another one.
    retired_by: Option<u64>,
    /// A line named it.
    is_seen: bool,
}

impl Ring {
    pub(super) fn new(keys: &[PublicKey]) -> Result<Self, VerifyError> {
        let mut ring = Self { keys: Vec::new(), last: 0 };
        for key in keys {
            match sign::Verifier::new(key) {
                Ok(verifier) => ring.add(key.key_id(), verifier),
                Err(source) => return Err(VerifyError::Key { id: key.key_id(), source }),
            }
        }
        Ok(ring)
    }

    /// Looks up the key that a line names. True when it is the first line that does.
    pub(super) fn name(&mut self, id: &str) -> Result<bool, Fault> {
        if self.keys.get(self.last).is_none_or(|known| known.id != id) {
            let found = self.keys.iter().position(|known| known.id == id);
            self.last = found.ok_or_else(|| Fault::UnknownKey(super::source::shown(id)))?;
        }
        let known = self.keys.get_mut(self.last).ok_or(Fault::Missing("key_id"))?;
        match known.retired_by {
            Some(seq) => Err(Fault::RetiredKey { id: known.id.clone(), seq }),
            None => Ok(!std::mem::replace(&mut known.is_seen, true)),
        }
    }

    /// Checks the signature of a line by the key that was named last; false where it has none.
    /// `message` is room for what was signed.
    pub(super) fn check_line(&self, line: &Line<'_>, message: &mut Vec<u8>) -> Result<bool, Fault> {
        let Some(sig) = line.sig else { return Ok(false) };
        message.clear();
        line.write_unsigned(message);
        self.check(message, sig).map(|()| true)
    }

    /// From the line `seq` on, which introduces another key and is signed by the key named last, that
    /// one signs instead of it.
    pub(super) fn follow(&mut self, seq: u64, line: &Line<'_>) -> Result<(), Fault> {
        let id = line.new_key_id.ok_or(Fault::Missing("new_key_id"))?;
        let key = line.new_public_key.ok_or(Fault::Missing("new_public_key"))?;
        self.change(seq, id, key)
    }

    fn check(&self, message: &[u8], sig: &str) -> Result<(), Fault> {
        let sig: Signature = sig.parse().map_err(|_says_no_more| Fault::NotASignature)?;
        let holds = self
            .keys
            .get(self.last)
            .is_some_and(|known| known.verifier.verify(message, &sig).is_ok());
        if holds { Ok(()) } else { Err(Fault::BadSignature) }
    }

    fn change(&mut self, seq: u64, id: &str, key: &str) -> Result<(), Fault> {
        let key: PublicKey = key.parse().map_err(|_is_none| Fault::NotAKey)?;
        let verifier = sign::Verifier::new(&key).map_err(|_is_none| Fault::NotAKey)?;
        // One key has one spelling here: what was signed is what is taken.
        if key.key_id() != id {
            return Err(Fault::NotAKey);
        }
        if let Some(known) = self.keys.get_mut(self.last) {
            known.retired_by = Some(seq);
        }
        self.add(key.key_id(), verifier);
        Ok(())
    }

    /// Checks that a key that signed at the end of the first `size` lines has signed `note`, which
    /// is of the log `origin`.
    pub(super) fn check_note(
        &self,
        note: &Note,
        origin: &str,
        size: u64,
    ) -> Result<(), CheckpointFault> {
        // The line with which a key gives way may be the last one under a checkpoint of either.
        let signs =
            |known: &&Known| known.retired_by.is_none_or(|seq| size <= seq.saturating_add(1));
        let named = |known: &Known| VerifierKey::new(origin, known.verifier.public_key());
        let keys: Vec<_> = self
            .keys
            .iter()
            .filter(signs)
            .map(named)
            .collect::<Result<_, _>>()
            .map_err(CheckpointFault::Name)?;
        note.verify(&keys).map_err(CheckpointFault::note)?;
        let signatures = note.signatures();
        for (at, one) in signatures.iter().enumerate() {
            if signatures.iter().skip(at + 1).any(|other| one == other) {
                return Err(CheckpointFault::SignedTwice);
            }
        }
        Ok(())
    }

    /// Checks a signature that may be of any key.
    pub(super) fn check_any(&self, message: &[u8], sig: &str) -> Result<(), Fault> {
        let sig: Signature = sig.parse().map_err(|_says_no_more| Fault::NotASignature)?;
        let holds = self.keys.iter().any(|known| known.verifier.verify(message, &sig).is_ok());
        if holds { Ok(()) } else { Err(Fault::BadSignature) }
    }

    /// Adds a key, or takes it back into use.
    fn add(&mut self, id: String, verifier: sign::Verifier) {
        match self.keys.iter_mut().find(|known| known.id == id) {
            Some(known) => known.retired_by = None,
            None => self.keys.push(Known { id, verifier, retired_by: None, is_seen: false }),
        }
    }
}
