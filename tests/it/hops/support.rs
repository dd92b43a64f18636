//! An app over a configuration in a directory of its own.

use sec0::config::{Config, ConfigReader};
use sec0::hop::{AppOptions, Sec0App};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A directory with a key, a configuration and perhaps a policy.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

/// Everything is allowed.
pub(crate) const OPEN: &str = "tenant: acme\ndefault_retention: 30d\nsigning: {enabled: true}\n\
    tools: {allowlist: ['mcp://*'], deny_if_unpinned_version: false}\nenforcement: {mode: enforce}\n\
    audit: {mode: batch}\n";

/// The hops of a small shop.
pub(crate) const HOPS: &str = "
    Desk.serve: {type: orchestrator, nodeId: Desk, orchestratorName: desk, orchestratorVersion: '2.0'}
    OrderAgent.run: {type: agent, nodeId: order agent, agentName: orders, agentVersion: '1.0'}
    Stock.look: {type: tool, nodeId: stock, server: warehouse, tool: look@1.0, operation: read}
    Stock.take: {type: tool, nodeId: stock, server: warehouse, tool: take@1.0, operation: delete}
    Gate.pass: {type: middleware, nodeId: gate, middleware: gate, op: pass}
    House.open: {type: server, nodeId: house, server: house}
    Skill.fold: {type: skill, nodeId: folder, skill: fold@3, source: library}
";

impl Place {
    /// With these hops; `app` goes into the section `app` besides.
    pub(crate) fn new(app: &str, hops: &str, policy: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        fs::create_dir(&keys).unwrap();
        let key = keys.join("ed25519.key");
        fs::write(&key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").unwrap();
        private(&key);
        let policy = policy.map(|policy| {
            fs::write(dir.path().join("policy.yaml"), policy).unwrap();
            "  policy: policy.yaml\n"
        });
        let text = format!(
            "app:\n  tenant: acme\n  environment: dev\n  client: {{name: shop, version: '7'}}\n{}{app}\
             \x20 hops:{hops}\ncontrolPlane: {{sec0Dir: state, localSignerPath: keys/ed25519.key, \
             appenderDir: log}}\n",
            policy.unwrap_or_default()
        );
        fs::write(dir.path().join("sec0.config.yaml"), text).unwrap();
        Self { dir }
    }

    /// The shop under this policy.
    pub(crate) fn shop(policy: &str) -> Self {
        Self::new("", HOPS, Some(policy))
    }

    pub(crate) fn config(&self) -> Config {
        let file = self.dir.path().join("sec0.config.yaml");
        ConfigReader::new().variables(|_| None).file(file).unwrap()
    }

    pub(crate) fn app(&self) -> Sec0App {
        Sec0App::init(AppOptions::new(self.config())).unwrap()
    }

    pub(crate) fn log(&self) -> std::path::PathBuf {
        self.dir.path().join("log")
    }

    /// All lines of the log, which is closed.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let days = fs::read_dir(self.log()).unwrap().map(|entry| entry.unwrap().path());
        let mut days: Vec<_> =
            days.filter(|path| path.extension() == Some("ndjson".as_ref())).collect();
        days.sort();
        let text: String = days.iter().map(|day| fs::read_to_string(day).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The records of hops, once the app has ended.
    pub(crate) async fn records(&self, app: &Sec0App) -> Vec<Value> {
        app.try_shutdown().await.unwrap();
        self.lines().into_iter().filter(|line| line.get("hop").is_some()).collect()
    }
}

#[cfg(unix)]
fn private(key: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The record of this hop; there must be one.
pub(crate) fn of<'r>(records: &'r [Value], key: &str) -> &'r Value {
    let mut found = records.iter().filter(|record| record["hop"] == key);
    let record = found.next().unwrap_or_else(|| panic!("no record of {key}: {records:?}"));
    assert!(found.next().is_none(), "{key} was recorded twice");
    record
}
