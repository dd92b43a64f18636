use super::form;
use crate::sign::PublicKey;
use serde::{Deserialize, Serialize};

/// The people who may decide: an entry of `approval_sets`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a record must hold the whole set")]
pub struct ApprovalSet {
    /// Its members.
    pub members: Vec<Member>,
}

/// One of those who may decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a record must hold the whole member")]
pub struct Member {
    /// The name under which the member votes.
    pub id: Box<str>,
    /// For what the member stands.
    pub roles: Vec<Box<str>>,
    /// With what the member's votes are checked.
    #[serde(with = "form::public_key")]
    pub public_key: PublicKey,
    /// The callers who are this member, and whose calls the member cannot approve.
    pub principals: Vec<Box<str>>,
}

impl ApprovalSet {
    /// The member who votes as `id`.
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| &*member.id == id)
    }
}

impl Member {
    /// True when the member stands for one of `roles`.
    pub fn has_any(&self, roles: &[Box<str>]) -> bool {
        roles.iter().any(|role| self.roles.contains(role))
    }

    /// True when calls of `principal` are the member's own.
    pub fn is(&self, principal: &str) -> bool {
        self.principals.iter().any(|own| &**own == principal)
    }
}
