use super::super::error::shown;
use super::fault::Fault;
use std::path::{Path, PathBuf};

/// The most bytes of a path, as in most systems.
const MOST: usize = 4096;

/// A path as an argument spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelling {
    /// Absolute, with repeated slashes, `.` and `..` resolved, whatever is a link.
    pub(super) plain: PathBuf,
    /// Absolute and not resolved, where it has a `..`: a system follows a link before it goes up.
    pub(super) climbing: Option<PathBuf>,
}

impl Spelling {
    /// Reads a path; a relative one is below `base`.
    pub(super) fn read(text: &str, base: Option<&Path>) -> Result<Self, Fault> {
        if text.len() > MOST {
            return Err(Fault::TooLong);
        }
        let padded = text.trim() != text || text.is_empty();
        if padded || text.chars().any(|letter| letter.is_control() || matches!(letter, '\\' | '~'))
        {
            return Err(Fault::BadLetter);
        }
        if has_encoded(text) {
            return Err(Fault::Encoded);
        }
        let written = if text.starts_with('/') {
            PathBuf::from(text)
        } else if text.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err(Fault::Scheme);
        } else {
            base.ok_or(Fault::Relative)?.join(text)
        };
        let climbs = text.split('/').any(|part| part == "..");
        Ok(Self { plain: resolved(text, base), climbing: climbs.then_some(written) })
    }
}

/// Reads `security.fs_base`.
pub(in crate::policy) fn base(text: &str) -> Result<PathBuf, String> {
    absolute(text).map_err(|fault| format!("is `{}`, {fault}", shown(text)))
}

/// A path of the policy: absolute, and spelled so that it is compared as it stands.
pub(super) fn absolute(text: &str) -> Result<PathBuf, &'static str> {
    if text.trim().is_empty() {
        return Err("which names nothing; write an absolute path");
    }
    if !text.starts_with('/') {
        return Err("which is not absolute; begin it with `/`");
    }
    if text.len() > MOST {
        return Err("which is longer than 4096 bytes, the most a path may have");
    }
    if text.contains('*') {
        return Err("where `*` is not the whole last part; write `/data/*`");
    }
    if text.split('/').any(|part| part == "." || part == "..") {
        return Err("which has a `.` or `..`; write where it leads");
    }
    let spelling = Spelling::read(text, None).map_err(|_fault| {
        "which no argument can match: it has a backslash, `~`, a control character, a blank at an \
         end, or an encoded letter; write the path as it is"
    })?;
    Ok(spelling.plain)
}

/// The path by its letters alone: `..` takes the part before it away.
fn resolved(text: &str, base: Option<&Path>) -> PathBuf {
    let mut plain = match base {
        Some(base) if !text.starts_with('/') => base.to_owned(),
        _ => PathBuf::from("/"),
    };
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// True where somebody who decodes would find a dot, a separator or an end. A `%` that is itself
/// encoded hides one of them, and so does UTF-8 that is longer than it must be.
fn has_encoded(text: &str) -> bool {
    const HIDDEN: [&str; 10] = ["2e", "2f", "5c", "25", "00", "7e", "c0", "c1", "e0%80", "f0%80"];
    text.match_indices('%').any(|(at, _)| {
        let behind = text.as_bytes().get(at.saturating_add(1)..).unwrap_or_default();
        HIDDEN.iter().any(|code| {
            behind.get(..code.len()).is_some_and(|it| it.eq_ignore_ascii_case(code.as_bytes()))
        })
    })
}
