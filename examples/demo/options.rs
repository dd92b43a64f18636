//! The command line of `server_stdio` and `server_http`.

use sec0::{Sec0Options, Sec0SecurityLayer};
use std::error::Error;
use std::path::PathBuf;

const USAGE: &str = "usage: --policy FILE --dir DIR [--mode batch] [--addr HOST:PORT] [--bare]";

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) addr: Option<String>,
    pub(crate) bare: bool,
    policy: Option<PathBuf>,
    dir: Option<PathBuf>,
}

impl Options {
    pub(crate) fn parse() -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value; {USAGE}"));
            match word.as_str() {
                "--policy" => options.policy = Some(value()?.into()),
                "--dir" => options.dir = Some(value()?.into()),
                "--addr" => options.addr = Some(value()?),
                "--bare" => options.bare = true,
                "--mode" => match value()?.as_str() {
                    "batch" => {}
                    other => Err(format!("audit mode `{other}` is not built yet; use `batch`"))?,
                },
                other => Err(format!("unknown option `{other}`; {USAGE}"))?,
            }
        }
        Ok(options)
    }

    /// The layer that the options ask for.
    pub(crate) fn layer(&self) -> Result<Sec0SecurityLayer, Box<dyn Error>> {
        let (Some(policy), Some(dir)) = (&self.policy, &self.dir) else {
            return Err(format!("`--policy` and `--dir` are needed; {USAGE}").into());
        };
        let options = Sec0Options::from_policy_file(policy)?.audit_dir(dir);
        Ok(Sec0SecurityLayer::try_new(options)?)
    }
}
