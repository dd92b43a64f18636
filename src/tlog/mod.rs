//! A transparency log as bytes: the Merkle tree over its lines, signed checkpoints of the tree, and
//! proofs that a line is in it. Pure functions; who reads files and when is decided elsewhere.
//!
//! The formats are not ours, so that other people's tools can check a log: the tree is that of
//! RFC 6962, a [`Note`] is a C2SP signed note, a [`Checkpoint`] a C2SP tlog-checkpoint and a
//! [`Proof`] a C2SP tlog-proof. Ours are two extension lines of the checkpoint, with which a writer
//! can go on without reading the log again.

mod hash;
mod edge;
mod climb;
mod path;
mod consistency;
mod shown;
mod verifier_key;
mod note;
mod origin;
mod resume;
mod checkpoint;
mod proof;

#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use consistency::{ConsistencyBuilder, ConsistencyError, verify_consistency};
pub use edge::{Edge, EdgeError};
pub use hash::{leaf_hash, node_hash};
pub use note::{Note, NoteError, NoteSignature};
pub use origin::origin_of;
pub use path::{PathBuilder, PathError, verify_inclusion};
pub use proof::{Proof, ProofError};
pub use resume::{Resume, ResumeError};
pub use verifier_key::{VerifierKey, VerifierKeyError};
