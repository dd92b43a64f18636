use super::binding::Binding;
use crate::digest::Digest;

/// How much a store of approvals keeps, in all and of one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalBounds {
    all: Used,
    share: Used,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is bounded is these two")]
pub struct Used {
    /// Escalations.
    pub rows: u64,
    /// Bytes of them, of what approvers are shown, and of votes.
    pub bytes: u64,
}

impl Default for ApprovalBounds {
    fn default() -> Self {
        let all = Used { rows: 65_536, bytes: 256 << 20 };
        Self { all, share: Used { rows: all.rows / 4, bytes: all.bytes / 4 } }
    }
}

impl ApprovalBounds {
    /// The most escalations at a time (65,536); of one principal a quarter.
    #[must_use]
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.all.rows = rows;
        self.share.rows = rows.div_ceil(4);
        self
    }

    /// The most bytes at a time (256 MiB); of one principal a quarter.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.all.bytes = bytes;
        self.share.bytes = bytes.div_ceil(4);
        self
    }

    /// True when one more escalation of `len` bytes fits among all.
    pub fn fits_all(&self, all: Used, len: u64) -> bool {
        self.all.takes(all, len)
    }

    /// True when one more escalation of `len` bytes fits among those of its principal.
    pub fn fits_share(&self, share: Used, len: u64) -> bool {
        self.share.takes(share, len)
    }
}

impl Used {
    fn takes(self, used: Self, len: u64) -> bool {
        used.rows < self.rows && used.bytes.saturating_add(len) <= self.bytes
    }
}

impl Binding {
    /// Whose part of the store it takes: 32 bytes, the same for one principal of one tenant.
    pub fn share(&self) -> [u8; 32] {
        let (tenant, principal) = (&self.tenant, &self.principal);
        // With its length in front, no tenant runs into a principal.
        let whose = format!("sec0/approval/share/v1\n{} {tenant}{principal}", tenant.len());
        *Digest::of(whose.as_bytes()).as_bytes()
    }
}
