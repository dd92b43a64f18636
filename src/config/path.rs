use crate::sign::absolute;
use std::path::{Path, PathBuf};

/// A path of a configuration: what it is, and how messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPath {
    path: PathBuf,
    shown: String,
}

impl WrittenPath {
    /// The path that `text` names from `base` on. `written` is what stands in the file, where the
    /// environment has been put into the text.
    pub(super) fn new(text: &str, written: Option<&str>, base: &Path) -> Self {
        let text = text.trim();
        // A key reference is a path, too.
        let joined = base.join(text.strip_prefix("file://").unwrap_or(text).trim());
        // Without a current directory the path stays as it is, and opening it says why.
        let path = absolute(&joined).unwrap_or(joined);
        let shown = written.map_or_else(|| escaped(&path.display().to_string()), escaped);
        Self { path, shown }
    }

    /// The path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path for a message: as it stands in the file where it has a value from the environment,
    /// which is not shown.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A message of somebody else's about the file, with the path named as in our own.
    pub(super) fn veiled(&self, message: &str) -> String {
        let plain = self.path.display().to_string();
        if self.shown == escaped(&plain) {
            return message.to_owned();
        }
        let resolved = self.path.canonicalize().map(|path| path.display().to_string());
        let message = message.replace(&plain, &self.shown);
        resolved.map_or(message.clone(), |resolved| message.replace(&resolved, &self.shown))
    }
}

/// The text without what a terminal would obey.
fn escaped(text: &str) -> String {
    let plain = |c: char| {
        !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().fold(String::new(), |mut out, c| {
        if plain(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
        out
    })
}
