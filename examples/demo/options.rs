//! The command line of `server_stdio` and `server_http`.

use sec0::audit::Stream;
use sec0::{AuditMode, Sec0Options, Sec0SecurityLayer};
use std::fmt;
use std::path::PathBuf;

const USAGE: &str = "usage: --policy FILE --dir DIR [--mode batch|blocking|blocking-strict] \
                     [--addr HOST:PORT] [--lock FILE] [--writer ID] [--bare]";

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) addr: Option<String>,
    pub(crate) bare: bool,
    lock: Option<PathBuf>,
    mode: Option<AuditMode>,
    policy: Option<PathBuf>,
    dir: Option<PathBuf>,
    writer: Option<Stream>,
}

/// Why the program does not go on. What `main` returns is shown in its debug form: here, its text.
pub(crate) struct Complaint(String);

impl<E: fmt::Display> From<E> for Complaint {
    fn from(cause: E) -> Self {
        Self(cause.to_string())
    }
}

impl fmt::Debug for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Options {
    pub(crate) fn parse() -> Result<Self, Complaint> {
        let mut options = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value; {USAGE}"));
            match word.as_str() {
                "--policy" => options.policy = Some(value()?.into()),
                "--dir" => options.dir = Some(value()?.into()),
                "--addr" => options.addr = Some(value()?),
                "--lock" => options.lock = Some(value()?.into()),
                "--writer" => options.writer = Some(Stream::of_writer(&value()?)?),
                "--bare" => options.bare = true,
                "--mode" => options.mode = Some(value()?.parse()?),
                other => Err(format!("unknown option `{other}`; {USAGE}"))?,
            }
        }
        Ok(options)
    }

    /// The layer that the options ask for.
    pub(crate) fn layer(&self) -> Result<Sec0SecurityLayer, Complaint> {
        let (Some(policy), Some(dir)) = (&self.policy, &self.dir) else {
            return Err(format!("`--policy` and `--dir` are needed; {USAGE}").into());
        };
        let mut options = Sec0Options::from_watched_policy_file(policy)?.audit_dir(dir);
        if let Some(mode) = self.mode {
            options = options.audit_mode(mode);
        }
        if let Some(writer) = &self.writer {
            options = options.writer_id(writer.clone());
        }
        if let Some(lock) = &self.lock {
            options = options.lock_file(lock);
        }
        Ok(Sec0SecurityLayer::try_new(options)?)
    }
}
