use super::operator::{OpName, Operator};
use super::pointer::Pointer;
use crate::call::Cited;
use crate::policy::entry::Entry;
use crate::policy::error::Place;
use std::sync::Arc;

/// An entry of `rules`, compiled.
#[derive(Debug, Clone)]
pub(in crate::policy) struct ArgumentRule {
    pub(super) cited: Arc<Cited>,
    pub(super) place: Place,
    pub(super) tool: Entry,
    pub(super) pointer: Pointer,
    /// The same for every rule on the same pointer, in the order of the file.
    pub(super) spot: u32,
    pub(super) op: OpName,
    pub(super) operator: Operator,
    /// What it compares with, as it was written, for those who compare rules.
    pub(super) value: Box<str>,
    pub(super) does: Does,
    /// It decides; else it is only recorded.
    pub(super) acts: bool,
}

/// What a match does: `rules[].effect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Does {
    Allow,
    Ask,
    Deny,
}

impl Does {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "allow" => Some(Self::Allow),
            "ask" => Some(Self::Ask),
            "deny" => Some(Self::Deny),
            _ => None,
        }
    }

    /// The spelling in policies.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}
