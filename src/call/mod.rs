//! A call and its words: values only, no I/O, no clock.
//!
//! Every door (the rmcp handler, and later the wrapper, the gateway and the hop) makes a [`Call`]
//! and gets an [`Outcome`] back; everything in between speaks in the types of this folder.

mod asked;
mod audit_mode;
mod bounded;
mod claimed;
mod cleared;
mod declared;
mod dedupe;
mod escalated;
mod found;
mod hop;
mod lock_rule;
mod name;
mod operation;
mod outcome;
mod payload;
mod question;
mod reason;
mod seen;
mod span;
mod token;
mod trail;
mod work;

pub use asked::{Arguments, Call};
pub use audit_mode::{AuditMode, AuditModes, LineSigning, UnknownAuditMode};
pub use bounded::{BreakerRule, CircuitChange, CircuitState, RateRule};
pub use claimed::{Claimed, JsonText, RareClaims, RejectedClaim, Unusable};
pub use cleared::Cleared;
pub use declared::{Declared, Here, PlaceKind, PlaceKinds};
pub use dedupe::{Dedupe, Lasting};
pub use escalated::{Escalated, EscalationStatus};
pub use found::{Cited, Found};
pub use hop::{HopIdent, HopMember};
pub use lock_rule::LockRule;
pub use name::{ServerIdent, ToolName, ToolRef, ToolVersion};
pub use operation::{Basis, Hints, Op, Operation};
pub use outcome::{AsksBack, Code, End, Outcome, Refusal, Reply, Retry, Status};
pub(crate) use payload::Room;

pub use payload::{Payload, Payloads};
pub use question::Question;
pub use reason::{Force, Raised, Reason, Severity, UnknownReason};
pub use seen::Seen;
pub use span::{Hex, SpanIds};
pub use token::ApprovalToken;
pub use trail::{Decision, Facts, KeyedDigests, Trail, TrailKeeper, TrailWatch};
pub use work::Work;
