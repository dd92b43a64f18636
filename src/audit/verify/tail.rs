use super::keys::Ring;
use crate::audit::fault::{Fault, VerifyError};
use crate::audit::read::Line;
use crate::call::LineSigning;
use crate::sign::PublicKey;

/// The signatures of the lines that a writer goes on behind, and that its next checkpoint will vouch
/// for.
#[derive(Debug)]
pub(in crate::audit) struct TailCheck {
    ring: Ring,
    signing: LineSigning,
    message: Vec<u8>,
}

impl TailCheck {
    /// Lines under `keys`, and those that a line introduces. They need a signature of their own if
    /// that is how the log is signed.
    ///
    /// # Errors
    ///
    /// One of the keys is none.
    pub(in crate::audit) fn new(
        keys: &[PublicKey],
        signing: LineSigning,
    ) -> Result<Self, VerifyError> {
        Ok(Self { ring: Ring::new(keys)?, signing, message: Vec::new() })
    }

    /// Checks who signed the line `seq`. Lines are given in their order.
    pub(in crate::audit) fn check(&mut self, seq: u64, line: &Line<'_>) -> Result<(), Fault> {
        self.ring.name(line.key_id.ok_or(Fault::Missing("key_id"))?)?;
        let needs_one = self.signing == LineSigning::Record || line.is_key_change();
        if !self.ring.check_line(line, &mut self.message)? && needs_one {
            return Err(Fault::Missing("sig"));
        }
        if line.is_key_change() {
            self.ring.follow(seq, line)?;
        }
        Ok(())
    }
}
