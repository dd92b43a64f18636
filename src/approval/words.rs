use serde::{Deserialize, Serialize};
use std::fmt;

/// A closed set of words, each with one spelling on every wire.
macro_rules! words {
    (
        $(#[$about:meta])*
        $name:ident { $( $(#[$doc:meta])* $word:ident = $wire:literal, )* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[expect(clippy::exhaustive_enums, reason = "whoever decides must know all of them")]
        pub enum $name { $( $(#[$doc])* #[serde(rename = $wire)] $word, )* }

        impl $name {
            /// Every word.
            pub const ALL: &'static [Self] = &[ $( Self::$word, )* ];

            /// The wire spelling.
            pub fn as_str(self) -> &'static str {
                match self { $( Self::$word => $wire, )* }
            }

            /// The word with this spelling; `None` for every other text.
            pub fn from_wire(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What has become of an escalation.
    Status {
        /// Nothing has decided it.
        Pending = "pending",
        /// The call may be made, once.
        Approved = "approved",
        /// The call may not be made.
        Rejected = "rejected",
        /// Nobody decided in time; the call may not be made.
        Expired = "expired",
    }
}

words! {
    /// Which rule decided: `finalization_reason`.
    Finalization {
        /// As many approved as had to, with all required roles among them.
        QuorumReached = "quorum_reached",
        /// As many rejected as had to.
        RejectedByQuorum = "rejected_by_quorum",
        /// The one approver who had to has approved.
        ApprovedByApprover = "approved_by_approver",
        /// The one approver who had to has rejected.
        RejectedByApprover = "rejected_by_approver",
        /// Somebody with a role of `veto_roles` has rejected.
        Vetoed = "vetoed",
        /// The time was up, and `auto_reject` applied.
        TimedOutRejected = "timed_out_rejected",
        /// The time was up, and `auto_approve` applied.
        TimedOutApproved = "timed_out_approved",
        /// The strategy is `auto_allow`.
        AutoAllowed = "auto_allowed",
        /// The strategy is `auto_allow`, and this call is too grave or `allow_unattended` is not
        /// set.
        UnattendedRefused = "unattended_refused",
        /// No set of approvers is there, or the one that is has no members.
        NoApproversConfigured = "no_approvers_configured",
    }
}

words! {
    /// How a call is decided: `approval_strategy`.
    Strategy {
        /// At once, by nobody.
        AutoAllow = "auto_allow",
        /// By the first valid vote.
        SingleApprover = "single_approver",
        /// By `min_approvals` or `min_rejections` votes.
        HumanQuorum = "human_quorum",
    }
}

words! {
    /// What becomes of a call that nobody decides on: `timeout_action`.
    TimeoutAction {
        /// It is approved, where that is permitted.
        AutoApprove = "auto_approve",
        /// It expires.
        AutoReject = "auto_reject",
    }
}

words! {
    /// What an approver says.
    Choice {
        /// The call may be made.
        Approve = "approve",
        /// It may not.
        Reject = "reject",
    }
}

impl Status {
    /// True when nothing that comes later changes it.
    pub fn is_final(self) -> bool {
        self != Self::Pending
    }
}

impl Finalization {
    /// The status to which the rule led.
    pub fn status(self) -> Status {
        match self {
            Self::QuorumReached
            | Self::ApprovedByApprover
            | Self::TimedOutApproved
            | Self::AutoAllowed => Status::Approved,
            Self::RejectedByQuorum
            | Self::RejectedByApprover
            | Self::Vetoed
            | Self::UnattendedRefused
            | Self::NoApproversConfigured => Status::Rejected,
            Self::TimedOutRejected => Status::Expired,
        }
    }

    /// True when nobody has looked at the call that was approved.
    pub fn is_unattended(self) -> bool {
        matches!(self, Self::TimedOutApproved | Self::AutoAllowed)
    }
}
