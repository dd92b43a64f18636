//! The command line.

use sec0::{Sec0Options, Sec0SecurityLayer};
use std::fmt;
use std::path::PathBuf;

const USAGE: &str = "usage: --form bare|owned|any [--addr HOST:PORT] [--policy FILE --dir DIR]";

/// How the fixture is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Without the layer.
    Bare,
    /// Its routes, owned by the layer.
    Owned,
    /// As any server, which the layer sees only from outside.
    Any,
}

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) addr: String,
    pub(crate) form: Form,
    policy: Option<PathBuf>,
    dir: Option<PathBuf>,
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
        let mut options =
            Self { addr: "127.0.0.1:0".to_owned(), form: Form::Bare, policy: None, dir: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value; {USAGE}"));
            match word.as_str() {
                "--addr" => options.addr = value()?,
                "--form" => options.form = form(&value()?)?,
                "--policy" => options.policy = Some(value()?.into()),
                "--dir" => options.dir = Some(value()?.into()),
                other => Err(format!("unknown option `{other}`; {USAGE}"))?,
            }
        }
        Ok(options)
    }

    /// The layer that the options ask for.
    pub(crate) fn layer(&self) -> Result<Sec0SecurityLayer, Complaint> {
        let (Some(policy), Some(dir)) = (&self.policy, &self.dir) else {
            return Err(format!("a form with a layer needs `--policy` and `--dir`; {USAGE}").into());
        };
        let options = Sec0Options::from_policy_file(policy)?.audit_dir(dir);
        Ok(Sec0SecurityLayer::try_new(options)?)
    }
}

fn form(word: &str) -> Result<Form, Complaint> {
    match word {
        "bare" => Ok(Form::Bare),
        "owned" => Ok(Form::Owned),
        "any" => Ok(Form::Any),
        other => Err(format!("there is no form `{other}`; {USAGE}").into()),
    }
}
