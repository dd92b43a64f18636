use super::{Sides, report};
use crate::failure::Failure;
use clap::Args;
use sec0::registry::{Lock, LockDrift, LockError};
use serde_json::json;
use std::io::Write as _;

/// Write the lock file: the server's tools, as somebody has looked at them.
///
/// An older lock file is replaced, and what changed is told. Its server is kept unless `--server`
/// names another one.
#[derive(Debug, Args)]
pub(crate) struct LockTools {
    #[command(flatten)]
    sides: Sides,
}

impl LockTools {
    pub(super) fn run(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        let file = &self.sides.lock;
        let mut now = self.sides.now()?;
        let before = match Lock::from_file(file) {
            Ok(lock) => Some(lock),
            Err(LockError::Missing { .. }) => None,
            Err(error) => return Err(report::foreign(&error)),
        };
        if let Some(before) = &before {
            if before.binary().is_some() && now.binary().is_none() {
                return Err(Failure::Usage(format!(
                    "`{}` has the server's executable, and this one would not; name it with \
                     `--binary`, or remove the file first",
                    file.display()
                )));
            }
            if let (Some(server), None) = (before.server(), now.server()) {
                let server = server.clone();
                now = now.with_server(server);
            }
        }
        let drift = before.as_ref().map(|before| before.drift(&now));
        // A file whose text would be the same is left alone, so that nobody has to look at it.
        let is_new = before.is_none_or(|before| before.to_string() != now.to_string());
        if is_new {
            now.write(file).map_err(Failure::usage)?;
        }
        self.tell(&now, drift.as_ref(), is_new, out)
    }

    fn tell(
        &self,
        now: &Lock,
        drift: Option<&LockDrift>,
        is_new: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let file = self.sides.lock.display();
        if self.sides.json {
            let report = json!({
                "lock": file.to_string(),
                "tools": now.tools().len(),
                "registry_sha256": now.registry_digest().to_string(),
                "written": is_new,
                "changes": drift.map_or(json!([]), |drift| report::changes(drift, false)),
            });
            return report::print(out, &report);
        }
        for change in drift.iter().flat_map(|drift| &drift.tools) {
            writeln!(out, "{change}")?;
        }
        let written = if is_new { "written" } else { "nothing changed" };
        Ok(writeln!(out, "{file}: {written}, {} tools", now.tools().len())?)
    }
}
