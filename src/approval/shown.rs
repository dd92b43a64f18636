use crate::digest::Digest;

/// What approvers are shown of the arguments, and a random salt.
///
/// Votes are over the digest, so that nobody can be shown one thing and sign another. The log has
/// the digest alone: with the salt, which stays in the store, it says nothing of arguments that
/// somebody can guess.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store keeps both parts")]
pub struct Shown {
    /// The text, with secrets masked.
    pub text: Box<str>,
    /// 128 random bits.
    pub salt: [u8; 16],
}

impl Shown {
    /// The most bytes of the text. A longer one is cut by whoever masks it, and says so.
    pub const MAX_TEXT: usize = 64 * 1024;

    /// What stands for it in the escalation.
    pub fn digest(&self) -> Digest {
        let parts = [&b"sec0/approval/shown/v1\n"[..], &self.salt, self.text.as_bytes()];
        Digest::of(&parts.concat())
    }
}
