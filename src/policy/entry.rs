use super::allowlist::MalformedEntry;
use super::error::Place;
use super::pattern::Pattern;
use super::places::Pointer;
use crate::call::Op;

/// A pattern for tools as it stands in the file: for whoever looks at entries one by one.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) text: Box<str>,
    pub(super) place: Place,
    pub(super) pattern: Pattern<Box<str>>,
}

/// An entry of `tools.overrides`: what its tools do, by the word of the policy.
#[derive(Debug, Clone)]
pub(super) struct Override {
    pub(super) entry: Entry,
    pub(super) op: Option<Op>,
    pub(super) side_effect: Option<bool>,
    pub(super) url_args: Vec<Pointer>,
    pub(super) path_args: Vec<Pointer>,
}

impl Entry {
    pub(super) fn read(text: &str, place: Place) -> Result<Self, MalformedEntry> {
        let pattern = Pattern::parse(text).map_err(|fault| MalformedEntry::new(text, fault))?;
        Ok(Self { text: text.trim().into(), place, pattern: pattern.kept() })
    }
}

impl Override {
    /// True when it says which arguments lead somewhere.
    pub(super) fn names_args(&self) -> bool {
        !(self.url_args.is_empty() && self.path_args.is_empty())
    }

    /// True when it says what the call does.
    pub(super) fn classifies(&self) -> bool {
        self.op.is_some() || self.side_effect.is_some()
    }
}
