use crate::sign::PublicKey;

/// An entry of `approval_sets`: the people who may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalSet {
    /// Its name.
    pub id: Box<str>,
    /// At least one, each with an id and a key of its own, in the order of the file.
    pub members: Vec<Approver>,
}

/// One person of an approval set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Approver {
    /// The name in votes.
    pub id: Box<str>,
    /// What the person may decide as, each once.
    pub roles: Vec<Box<str>>,
    /// The key that the votes are signed with: a point that signatures can be checked with.
    pub public_key: PublicKey,
    /// The callers who are this person, and whose calls this person cannot approve.
    pub principals: Vec<Box<str>>,
}

impl ApprovalSet {
    /// The member of this name.
    pub fn member(&self, id: &str) -> Option<&Approver> {
        self.members.iter().find(|member| &*member.id == id)
    }

    /// True where some member has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.members.iter().any(|member| member.has_role(role))
    }
}

impl Approver {
    /// True where the person has this role; letter by letter.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| &**own == role)
    }
}
