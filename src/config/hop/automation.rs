use crate::policy::reading::{Kind, Node};
use std::collections::BTreeSet;

/// What is put into the headers of what a hop calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Automated {
    /// `auth`: `Authorization`.
    Auth,
    /// `ap2`: the mandate headers.
    Ap2,
    /// `identityContext`: `x-auth-context`.
    IdentityContext,
    /// `idempotency`: `x-idempotency-key`.
    Idempotency,
    /// `cause`: `x-cause-trace` and `x-cause-span`.
    Cause,
}

/// `automation` of a hop: the flags that are `true`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Automation(BTreeSet<Automated>);

impl Automation {
    /// True when this flag is set.
    pub fn has(&self, flag: Automated) -> bool {
        self.0.contains(&flag)
    }

    /// True when no flag is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn read(node: &Node) -> Self {
        let is_on = |flag: &Automated| {
            node.get(flag.as_str()).is_some_and(|it| matches!(it.kind, Kind::Flag(true)))
        };
        Self(Automated::ALL.into_iter().filter(is_on).collect())
    }
}

impl Automated {
    const ALL: [Self; 5] =
        [Self::Auth, Self::Ap2, Self::IdentityContext, Self::Idempotency, Self::Cause];

    /// The spelling in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Ap2 => "ap2",
            Self::IdentityContext => "identityContext",
            Self::Idempotency => "idempotency",
            Self::Cause => "cause",
        }
    }
}
