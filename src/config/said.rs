use super::hop::HopType;
use crate::policy::reading::{hint, shown};

/// What the TypeScript original says too, to the letter, each of its own cause; and what to do
/// about it, which it does not say.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    NotFound(&'a str),
    NoObject(&'a str),
    NothingGiven,
    LocalDir,
    LocalSignerPath,
    Sec0Dir,
    StandardSignerPath,
    App,
    Tenant,
    EnvironmentMissing,
    EnvironmentInvalid(&'a str),
    HopNoObject(&'a str),
    HopTypeMissing(&'a str),
    HopTypeUnknown(&'a str, &'a str),
    HopField(&'a str, &'a str),
    HopBaseUrl(&'a str),
    HopTenant(&'a str),
    HopOrchestrator(&'a str),
    HopAgent(&'a str),
    HopNode(HopType, &'a str),
    KeyNotFound(&'a str),
    ControlPlaneUrl,
    AppenderDir,
}

impl Said<'_> {
    /// The text of the original.
    pub(super) fn text(&self) -> String {
        match *self {
            Self::NotFound(path) => format!("[sec0] Config file not found: {path}"),
            Self::NoObject(path) => format!("[sec0] Invalid config file: {path}"),
            Self::NothingGiven => "[sec0] Configuration required. \
                 Please provide a config file path or config object."
                .to_owned(),
            Self::LocalDir => "[sec0] localDir is required in configuration.".to_owned(),
            Self::LocalSignerPath => "[sec0] localSignerPath is required in configuration \
                 (absolute path to ED25519 base64 key file)"
                .to_owned(),
            Self::Sec0Dir => "[sec0] controlPlane.sec0Dir is required".to_owned(),
            Self::StandardSignerPath => {
                "[sec0] controlPlane.localSignerPath is required".to_owned()
            }
            Self::App => "[sec0] app configuration block is required.".to_owned(),
            Self::Tenant => "[sec0] app.tenant is required".to_owned(),
            Self::EnvironmentMissing => {
                "[sec0] app.environment must be set to one of dev, staging, or prod.".to_owned()
            }
            Self::EnvironmentInvalid(value) => format!(
                "[sec0] app.environment \"{value}\" is invalid. Expected dev, staging, or prod."
            ),
            Self::HopNoObject(key) => format!(
                "[sec0] Invalid hop configuration for \"{key}\". \
                 Expected an object with type information."
            ),
            Self::HopTypeMissing(key) => {
                format!("[sec0] Hop \"{key}\" is missing required field 'type'.")
            }
            Self::HopTypeUnknown(key, found) => {
                format!("[sec0] Hop \"{key}\" has unknown type \"{found}\".")
            }
            Self::HopField(key, field) => {
                format!("[sec0] Hop \"{key}\" requires a non-empty '{field}' value.")
            }
            Self::HopBaseUrl(key) => format!(
                "[sec0] Hop \"{key}\" requires 'gatewayBaseUrl'. \
                 Provide it in app.hops or orchestrator.gatewayBaseUrl."
            ),
            Self::HopTenant(key) => format!("[sec0] Hop \"{key}\" requires a tenant value."),
            Self::HopOrchestrator(key) => format!(
                "[sec0] Hop \"{key}\" requires orchestratorName and orchestratorVersion \
                 (either in app.hops or app.client)."
            ),
            Self::HopAgent(key) => format!(
                "[sec0] Agent hop \"{key}\" requires 'agentName' and 'agentVersion' in app.hops."
            ),
            Self::HopNode(kind, key) => {
                format!("[sec0] {} hop \"{key}\" requires a non-empty nodeId.", kind.title())
            }
            Self::KeyNotFound(path) => format!("[sec0] Signing key file not found at: {path}"),
            Self::ControlPlaneUrl => "[sec0-node] controlPlaneUrl could not be resolved".to_owned(),
            Self::AppenderDir => "[sec0-node] Missing appender.dir in configuration".to_owned(),
        }
    }

    /// What to do about it.
    pub(super) fn fix(&self) -> String {
        match *self {
            Self::NotFound(_) => "name a file that is there, or make one".to_owned(),
            Self::NoObject(_) => {
                "write a map with `app` and `controlPlane`, or with `localDir`".to_owned()
            }
            Self::NothingGiven => "name the file, usually `sec0.config.yaml`".to_owned(),
            Self::LocalDir => "write `localDir: .sec0`, the directory of the log".to_owned(),
            Self::LocalSignerPath => "make a key with `sec0 keygen` and write \
                 `localSignerPath: .sec0/keys/ed25519.key`"
                .to_owned(),
            Self::Sec0Dir => "write `sec0Dir: .sec0` in `controlPlane`".to_owned(),
            Self::StandardSignerPath => "make a key with `sec0 keygen` and write \
                 `localSignerPath: .sec0/keys/ed25519.key` in `controlPlane`"
                .to_owned(),
            Self::App => "write `app` with `tenant` and `environment`".to_owned(),
            Self::Tenant => "write `tenant: acme` in `app`; it stands in each record".to_owned(),
            Self::EnvironmentMissing | Self::EnvironmentInvalid(_) => {
                "write `environment: dev`, `staging` or `prod` in `app`".to_owned()
            }
            Self::HopNoObject(_) => {
                "write a map, such as `{type: tool, nodeId: orders, server: shop, tool: pay}`"
                    .to_owned()
            }
            Self::HopTypeMissing(_) => {
                format!("write one of {}", HopType::listed())
            }
            Self::HopTypeUnknown(_, found) => {
                let hint = hint(found, HopType::WORDS);
                let hint = hint.trim_start_matches("; ").trim_end_matches(';');
                let gap = if hint.is_empty() { "" } else { " " };
                format!("{hint}{gap}the types are {}", HopType::listed())
            }
            Self::HopField(_, field) => format!("write `{field}` in the hop"),
            Self::HopBaseUrl(_) => {
                "write the URL of the gateway, such as `https://gateway.example.com`".to_owned()
            }
            Self::HopTenant(_) => "write `tenant` in the hop, or `app.tenant`".to_owned(),
            Self::HopOrchestrator(_) => {
                "write both in the hop, or `name` and `version` in `app.client`".to_owned()
            }
            Self::HopAgent(_) => "write both in the hop".to_owned(),
            Self::HopNode(..) => {
                "of this one nothing is left: write letters or digits in `nodeId`".to_owned()
            }
            Self::KeyNotFound(path) => format!("make a key with `sec0 keygen --out {path}`"),
            Self::ControlPlaneUrl => {
                "write a URL such as `https://api.sec0.ai`, or leave it out".to_owned()
            }
            Self::AppenderDir => "hops write their records there: write `appenderDir`, in the \
                 standard form in `controlPlane`"
                .to_owned(),
        }
    }
}

/// A value of the file for a message: what was written, where the environment has been put in.
pub(super) fn quoted(text: &str, written: Option<&str>) -> String {
    shown(written.unwrap_or(text))
}
