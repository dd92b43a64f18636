use super::*;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

mod contract;
mod environment;
mod hops;
mod hostile;
mod page;
mod reading;
mod resolving;

/// The smallest configuration in the standard form.
const STANDARD: &str = "app: {tenant: acme, environment: dev}\n\
     controlPlane: {sec0Dir: log, localSignerPath: keys/ed25519.key, appenderDir: hops}\n";

/// A directory with a configuration and its key.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(text: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(desk.path("keys")).unwrap();
        desk.write("keys/ed25519.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n");
        desk.write("sec0.config.yaml", text);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path(name), mode).unwrap();
    }

    fn read(&self) -> Result<Config, ConfigError> {
        none().file(self.path("sec0.config.yaml"))
    }

    fn resolve(&self) -> Result<Resolved, ConfigError> {
        self.read()?.resolve()
    }
}

/// A reader in an environment that has nothing.
fn none() -> ConfigReader<'static> {
    ConfigReader::new().variables(|_| None)
}

/// The smallest standard configuration with these hops, in flow style.
fn with_hops(hops: &str) -> String {
    STANDARD.replace("environment: dev", &format!("environment: dev, hops: {{{hops}}}"))
}

/// All that is said of a text that is refused.
#[track_caller]
fn refused(text: &str) -> String {
    none().yaml(text).expect_err(text).to_string()
}
