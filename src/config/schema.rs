//! Every key that a configuration may have. What must be there is said in `read` and `hop`, in the
//! words of the original.

use super::hop::HopType;
use super::url;
use crate::policy::reading::Shape::{Flag, List, OneOf, Open, Section, Text};
use crate::policy::reading::Unless::{Absent, Is, Off};
use crate::policy::reading::{AMOUNT, Document, Key, Shape, WORDS, deny_on};

const ELSEWHERE: &str = "the endpoint of telemetry is `otel.endpoint`";
const UPLOAD: &str = "the export of the log is not built yet";
const CONTROL: &str = "the policy of a control plane is not fetched yet; `app.policy` names a file";

/// Text whose absence is told in the words of the original.
const SAID: Shape = Text(|_| Ok(()));
const URL: Shape = Text(url::web);

/// The standard form.
pub(super) const STANDARD: Document = Document {
    what: "configuration",
    keys: &[
        Key::new("app", Section(APP)),
        Key::new("auth", Section(&[Key::new("sec0ApiKey", WORDS), Key::new("svcToken", SAID)])),
        Key::new("controlPlane", Section(CONTROL_PLANE)),
        Key::new("orchestrator", Section(ORCHESTRATOR_KEYS)),
        Key::new("otel", Section(OTEL)),
    ],
    home_of: |name| {
        Some(
            match name {
                "localDir" | "sec0Dir" => "controlPlane.sec0Dir",
                "localSignerPath" => "controlPlane.localSignerPath",
                "appenderDir" | "appender" => "controlPlane.appenderDir",
                "tenant" => "app.tenant",
                "environment" => "app.environment",
                "hops" => "app.hops",
                "policy" => "app.policy",
                "without_policy" | "withoutPolicy" => "app.without_policy",
                "apiKey" | "sec0ApiKey" => "auth.sec0ApiKey",
                "svcToken" => "auth.svcToken",
                "controlPlaneUrl" | "apiBaseUrl" => "controlPlane.apiBaseUrl",
                "gatewayBaseUrl" => "orchestrator.gatewayBaseUrl",
                _ => return None,
            }
            .to_owned(),
        )
    },
};

/// The flat form.
pub(super) const FLAT: Document = Document {
    what: "configuration",
    keys: &[
        Key::new("localDir", SAID),
        Key::new("localSignerPath", SAID),
        Key::new("tenant", Text(tenant)),
        Key::new("controlPlaneUrl", SAID),
        Key::new("apiKey", WORDS),
        Key::new("appenderDir", WORDS),
        Key::new("appender", Section(APPENDER)),
        Key::new("app", Section(APP)),
        Key::new("auth", Section(&[Key::new("svcToken", SAID)])),
        Key::new("orchestrator", Section(ORCHESTRATOR_KEYS)),
        Key::new("otel", Section(OTEL)),
    ],
    home_of: |name| {
        Some(
            match name {
                "sec0Dir" => "localDir",
                "sec0ApiKey" => "apiKey",
                "apiBaseUrl" => "controlPlaneUrl",
                "environment" => "app.environment",
                "hops" => "app.hops",
                "policy" => "app.policy",
                "without_policy" | "withoutPolicy" => "app.without_policy",
                "svcToken" => "auth.svcToken",
                "gatewayBaseUrl" => "orchestrator.gatewayBaseUrl",
                _ => return None,
            }
            .to_owned(),
        )
    },
};

const APP: &[Key] = &[
    Key::new("tenant", Text(tenant)),
    Key::new("environment", SAID),
    Key::new("client", Section(&[Key::new("name", SAID), Key::new("version", SAID)])),
    Key::new("clientName", SAID),
    Key::new("clientVersion", SAID),
    Key::new("policy", WORDS),
    Key::new("without_policy", OneOf(&["refuse", "allow"])),
    // Each hop is held against the keys of its type.
    Key::new("hops", Open(&Shape::Anything)),
];

const CONTROL_PLANE: &[Key] = &[
    Key::new("sec0Dir", SAID),
    Key::new("localSignerPath", SAID),
    Key::new("appenderDir", WORDS),
    Key::new("apiBaseUrl", SAID),
    Key::later("otlpEndpoint", WORDS, Absent, ELSEWHERE),
    Key::parts("presign", &[Key::later("enabled", Flag, Off, UPLOAD)]),
];

const APPENDER: &[Key] = &[
    Key::new("dir", WORDS),
    Key::parts(
        "presign",
        &[
            Key::later("apiBaseUrl", WORDS, Absent, UPLOAD),
            Key::later("auditKey", WORDS, Absent, UPLOAD),
        ],
    ),
];

const ORCHESTRATOR_KEYS: &[Key] = &[Key::new("gatewayBaseUrl", URL)];

const OTEL: &[Key] =
    &[Key::new("endpoint", URL), Key::new("serviceName", SAID), Key::new("environment", SAID)];

/// The keys of a hop: those of its type, and those that all have.
macro_rules! hop {
    ($what:literal: $($name:literal $shape:expr),*) => {
        Document {
            what: $what,
            keys: &[
                Key::new("type", SAID),
                Key::new("nodeId", SAID),
                $(Key::new($name, $shape),)*
                Key::new("operation", OneOf(&["create", "delete", "read", "update"])),
                Key::new("remoteUrl", URL),
                Key::new("automation", Section(AUTOMATION)),
                Key::new("enforcement", Section(ENFORCEMENT)),
            ],
            home_of: |_| None,
        }
    };
}

const AGENT: Document = hop!("hop": "agentName" SAID, "agentVersion" SAID);
const ORCHESTRATOR: Document = hop!("hop": "orchestratorName" SAID, "orchestratorVersion" SAID);
const GATEWAY: Document =
    hop!("hop": "gateway" SAID, "gatewayBaseUrl" URL, "tenant" Text(tenant), "authHeader" SAID);
const SERVER: Document = hop!("hop": "server" SAID);
const MIDDLEWARE: Document = hop!("hop": "middleware" SAID, "op" SAID);
const TOOL: Document = hop!("hop": "server" SAID, "tool" SAID, "toolRef" WORDS);
const SKILL: Document = hop!("hop": "skill" SAID, "source" WORDS, "skillRef" WORDS);

const AUTOMATION: &[Key] = &[
    Key::new("auth", Flag),
    Key::new("ap2", Flag),
    Key::new("identityContext", Flag),
    Key::new("idempotency", Flag),
    Key::new("cause", Flag),
];

const LEVELS: Shape = OneOf(&["gateway", "middleware"]);
const STRATEGIES: Shape = OneOf(&["deny_on_match", "deny_on_any"]);
const SCOPES: Shape = OneOf(&["auto", "base", "agent"]);
const REASONS: Shape = List(&Text(deny_on));

/// Both spellings of each; the reader refuses two of one key.
const ENFORCEMENT: &[Key] = &[
    Key::new("enabled", Flag),
    Key::new("mode", OneOf(&["observe", "enforce"])),
    Key::new("strategy", STRATEGIES),
    Key::new("deny_on", REASONS),
    Key::new("denyOn", REASONS),
    Key::new("escalate_on", REASONS),
    Key::new("escalateOn", REASONS),
    Key::new("policy_level", LEVELS),
    Key::new("policyLevel", LEVELS),
    Key::later("policy_scope", SCOPES, Is("auto"), CONTROL),
    Key::later("policyScope", SCOPES, Is("auto"), CONTROL),
    Key::later("policy_node_id", WORDS, Absent, CONTROL),
    Key::later("policyNodeId", WORDS, Absent, CONTROL),
    Key::later("refresh_ttl_ms", AMOUNT, Is("60000"), CONTROL),
    Key::later("refreshTtlMs", AMOUNT, Is("60000"), CONTROL),
    Key::later("fallback_to_base", Flag, Is("true"), CONTROL),
    Key::later("fallbackToBase", Flag, Is("true"), CONTROL),
];

/// The two spellings of a key, of which a section has one.
pub(super) const SPELLINGS: &[(&str, &str)] = &[
    ("deny_on", "denyOn"),
    ("escalate_on", "escalateOn"),
    ("policy_level", "policyLevel"),
    ("policy_scope", "policyScope"),
    ("policy_node_id", "policyNodeId"),
    ("refresh_ttl_ms", "refreshTtlMs"),
    ("fallback_to_base", "fallbackToBase"),
];

/// The keys of hops of this type.
pub(super) fn of(kind: HopType) -> &'static Document {
    match kind {
        HopType::Agent => &AGENT,
        HopType::Orchestrator => &ORCHESTRATOR,
        HopType::Gateway => &GATEWAY,
        HopType::Server => &SERVER,
        HopType::Middleware => &MIDDLEWARE,
        HopType::Tool => &TOOL,
        HopType::Skill => &SKILL,
    }
}

/// A tenant stands in every record. A blank one is none, and told in the words of the original.
fn tenant(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Ok(()) } else { crate::policy::reading::tenant(text) }
}
