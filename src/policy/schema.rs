//! Every key that a policy may have, in one table.

use super::asking::ApprovalStrategy;
use super::rules::OpName;
use super::shape::Shape::{
    Anything, Either, Filled, Flag, List, Number, OneOf, Open, Positive, Saying, Section, Text,
    Told,
};
use super::shape::Unless::{Absent, Is, Off, OffOr};
use super::shape::{AMOUNT, COUNT, Key, SEVERITIES, Shape, Stands, TEXTS, TIMEOUT_ACTIONS, WORDS};
use super::{unbuilt, words};

const HOST: &str = "the host of the server is not instrumented from here";
const SKILLS: &str = "skills are loaded by an agent's host, never by a tool server";
const REDACTION: &str = "redaction is not built yet";
const GUARD: &str = "the inspection of contents is not built yet";
const VERSIONS: &str = "the gateway, whose key it is, is not built yet";
const PROCESSES: &str = "what a handler starts cannot be seen from here";
const MANDATES: &str = "mandates are not verified yet, and are not accepted unverified";
const JUDGE: &str = "the judging of text by a model is not built yet";
const SCANS: &str = "code scans run beside the server, and none is wired in yet";
const UPLOAD: &str = "the export of the log is not built yet";
const SIGNED: &str = "every record is signed, and that cannot be turned off";

/// The keys of the document itself.
pub(super) const ROOT: &[Key] = &[
    Key::new("tenant", Told(words::tenant, words::tenant_schema)).required(),
    Key::new("security_level", OneOf(&["gateway", "middleware"])).noted(),
    Key::new("default_retention", OneOf(&["30d", "90d", "180d"])).required(),
    Key::new("signing", Section(SIGNING_KEYS)).required(),
    Key::new("tools", Section(TOOLS)).required(),
    Key::new("enforcement", Section(ENFORCEMENT)).required(),
    Key::new("security", Section(SECURITY)),
    Key::new("audit", Section(AUDIT)),
    Key::new("expose", OneOf(&["all", "filtered"])),
    Key::new("rules", List(&Section(RULE))),
    Key::new("approval_sets", Open(&Section(APPROVAL_SET))),
    Key::new("registry", Section(&[Key::new("lock", OneOf(&["require", "warn"]))])),
    Key::new("observability", Section(OBSERVABILITY)),
    Key::new("privacy", Section(PRIVACY)),
    Key::new("side_effects", Section(SIDE_EFFECTS)),
    Key::parts("agent_guard", AGENT_GUARD),
    Key::parts("skills", SKILL_KEYS),
    Key::parts("compliance", COMPLIANCE),
    Key::parts("sec0_export", EXPORT_KEYS),
    Key::parts("llm_judge", LLM_JUDGE),
    Key::parts("sast", SAST),
    Key::parts("dast", DAST),
];

const RULE: &[Key] = &[
    Key::new("id", Told(words::rule_id, words::rule_id_schema)).required(),
    Key::new("tool", Text(words::pattern)).required(),
    Key::new("pointer", Told(words::pointer, words::pointer_schema)).required(),
    Key::new("op", OneOf(OpName::WORDS)).required(),
    Key::new("value", Anything).required_unless("op", "exists"),
    Key::new("effect", OneOf(&["allow", "deny", "ask"])).required(),
    Key::new("reason", Told(words::token, words::token_schema)),
    Key::new("mode", OneOf(&["enforce", "audit"])),
];

const SIGNING_KEYS: &[Key] = &[
    Key {
        name: "enabled",
        shape: Flag,
        required: true,
        needed: None,
        stands: Stands::Refused(Is("true"), SIGNED),
    },
    Key::new("key_ref", WORDS),
];

const TOOLS: &[Key] = &[
    Key::new("allowlist", List(&Text(words::pattern))).required(),
    Key::new("deny_if_unpinned_version", Flag),
    Key::new("overrides", List(&Saying(SAYING, OVERRIDE))),
];

const SAYING: &[&str] = &["op", "side_effect", "url_args", "path_args"];

const OVERRIDE: &[Key] = &[
    Key::new("tool", Text(words::pattern)).required(),
    Key::new("op", OneOf(&["create", "delete", "read", "update"])),
    Key::new("side_effect", Flag),
    Key::new("url_args", List(&Text(words::argument))),
    Key::new("path_args", List(&Text(words::argument))),
];

const DENIED: Shape = Told(words::deny_on, words::deny_on_schema);
const REASONS: Shape = Told(words::reason, words::reason_schema);

const ENFORCEMENT: &[Key] = &[
    Key::new("mode", OneOf(&["observe", "enforce"])),
    Key::new("deny_on", List(&DENIED)),
    Key::new("escalate_on", List(&REASONS)),
    Key::parts("agent_guard", AGENT_GUARD),
    Key::new("circuit_breakers", Section(CIRCUIT_BREAKERS)),
];

const CIRCUIT_BREAKERS: &[Key] = &[
    Key::new("error_rate_pct", Number(0, 100)),
    Key::new("p95_latency_ms", AMOUNT),
    Key::new("min_samples", AMOUNT),
    Key::new("minSamples", AMOUNT),
    Key::new("window_ms", COUNT),
    Key::new("open_ms", COUNT),
    Key::new("half_open_probes", COUNT),
];

const SECURITY: &[Key] = &[
    Key::new("limits", Section(LIMITS)),
    Key::later("allow_versions", Open(&TEXTS), Off, VERSIONS),
    Key::new("egress_allowlist", List(&Text(words::egress))),
    Key::new("fs_allowlist", List(&Told(words::root, words::root_schema))),
    Key::new("fs_base", Told(words::base, words::root_schema)),
    Key::later("deny_subprocess", Flag, Off, PROCESSES),
    Key::new("side_effects", Section(ESCALATION)),
    Key::parts("ap2", AP2),
];

const LIMITS: &[Key] = &[
    Key::new("max_payload_kb", AMOUNT),
    Key::new("max_duration_ms", AMOUNT),
    Key::new("rate", List(&Section(RATE))),
];

const RATE: &[Key] = &[
    Key::new("tool", Text(words::pattern)).required(),
    Key::new("per_second", Positive).required(),
    Key::new("burst", COUNT),
];

const ESCALATION: &[Key] = &[
    Key::new("require_idempotency_key", Flag),
    Key::new("approve_high_risk", Flag),
    Key::new("escalation_ttl_seconds", TTL),
    Key::new("ttl_seconds", TTL),
    Key::new("escalationTtlSeconds", TTL),
    Key::new("escalation_on_timeout", TIMEOUT_ACTIONS),
    Key::new("timeout_action", TIMEOUT_ACTIONS),
    Key::new("escalationOnTimeout", TIMEOUT_ACTIONS),
    Key::new("human_escalation", Section(HUMANS)),
    Key::new("humanEscalation", Section(HUMANS)),
];

/// Up to thirty days.
const TTL: Shape = Number(1, 2_592_000);
/// Up to a day.
const WAIT: Shape = Number(0, 86_400_000);
const PEOPLE: Shape = Number(1, 1000);
const NAMES: Shape = List(&NAME);
const NAME: Shape = Told(words::name, words::name_schema);

const HUMANS: &[Key] = &[
    Key::new("approval_strategy", OneOf(ApprovalStrategy::WORDS)),
    Key::new("timeout_action", TIMEOUT_ACTIONS),
    Key::new("min_approvals", PEOPLE),
    Key::new("min_rejections", PEOPLE),
    Key::new("required_roles", NAMES),
    Key::new("veto_roles", NAMES),
    Key::new("approval_set_id", NAME),
    Key::new("connected_user", NAME),
    Key::new("wait_ms", WAIT),
    Key::new("ttl_seconds", TTL),
    Key::new("allow_unattended", Flag),
    Key::new("tools", List(&Section(HUMANS_FOR))),
];

const HUMANS_FOR: &[Key] = &[
    Key::new("tool", Text(words::pattern)).required(),
    Key::new("approval_strategy", OneOf(ApprovalStrategy::WORDS)),
    Key::new("timeout_action", TIMEOUT_ACTIONS),
    Key::new("min_approvals", PEOPLE),
    Key::new("min_rejections", PEOPLE),
    Key::new("required_roles", NAMES),
    Key::new("veto_roles", NAMES),
    Key::new("approval_set_id", NAME),
    Key::new("connected_user", NAME),
    Key::new("wait_ms", WAIT),
    Key::new("ttl_seconds", TTL),
    Key::new("allow_unattended", Flag),
];

const APPROVAL_SET: &[Key] = &[Key::new("members", Filled(&Section(MEMBER))).required()];

const MEMBER: &[Key] = &[
    Key::new("id", NAME).required(),
    Key::new("roles", NAMES),
    Key::new("public_key", Text(words::public_key)).required(),
    Key::new("principals", NAMES),
];

const AP2: &[Key] = &[
    Key::later("enabled", Flag, Off, MANDATES),
    Key::later("requireForSideEffects", Flag, Off, MANDATES),
    Key::later("require_for_side_effects", Flag, Off, MANDATES),
    Key::parts("tools", &[Key::later("allow", TEXTS, Off, MANDATES)]),
    Key::parts(
        "headers",
        &[
            Key::later("intent", WORDS, Absent, MANDATES),
            Key::later("cart", WORDS, Absent, MANDATES),
            Key::later("bundle", WORDS, Absent, MANDATES),
        ],
    ),
    Key::parts(
        "trust",
        &[
            Key::later("didMethods", TEXTS, Off, MANDATES),
            Key::later("issuersAllowlist", TEXTS, Absent, MANDATES),
            Key::later("clockSkewSec", AMOUNT, Off, MANDATES),
        ],
    ),
    Key::later("mode", OneOf(&["observe", "partial", "full"]), Absent, MANDATES),
];

const MODE: Shape = OneOf(&["batch", "blocking", "blocking-strict"]);

const AUDIT: &[Key] = &[
    Key::new("mode", Either(&MODE, &Section(&[Key::new("read", MODE), Key::new("write", MODE)]))),
    Key::new("signing", OneOf(&["record", "checkpoint"])),
    Key::new("digest_key", Told(words::key_file, words::key_file_schema)),
    Key::new("retain_days", COUNT),
];

const RATIO: Shape = Number(0, 1);

const OBSERVABILITY: &[Key] = &[
    Key::new("enabled", Flag),
    Key::new("otlp_endpoint", WORDS),
    Key::new(
        "sample",
        Section(&[Key::new("success", RATIO).required(), Key::new("error", RATIO).required()]),
    ),
    Key::new(
        "sampling",
        Section(&[Key::new("success_ratio", RATIO), Key::new("error_always", Flag)]),
    ),
    Key::new("redact_identities", Flag),
    Key::parts(
        "instrumentation",
        &[
            Key::later("enabled", Flag, Off, HOST),
            Key::later("allow_sdk_attach", Flag, Off, HOST),
            Key::later("default_op", WORDS, Absent, HOST),
        ],
    ),
];

const PRIVACY: &[Key] =
    &[Key::later("redact_outputs", Flag, Off, REDACTION), Key::new("store_raw_payloads", Flag)];

const SIDE_EFFECTS: &[Key] =
    &[Key::new("require_idempotency_key", Flag), Key::new("max_retries", Number(0, 10))];

const AGENT_GUARD: &[Key] = &[
    Key::later("enabled", Flag, Off, GUARD),
    Key::later("block_on_severity", SEVERITIES, Absent, GUARD),
    Key::later("block_on_count", COUNT, Absent, GUARD),
];

const SKILL_KEYS: &[Key] = &[
    Key::later("allowlist", TEXTS, Off, SKILLS).required(),
    // With no skill on the list there is nothing to pin.
    Key::new("deny_if_unpinned_version", Flag).required().noted(),
    Key::later("scan_on_change_only", Flag, Off, SKILLS),
    Key::later("block_on_severity", SEVERITIES, Absent, SKILLS),
];

const COMPLIANCE: &[Key] = &[
    Key::later("packs", List(&Section(unbuilt::PACK)), Off, GUARD),
    Key::later("policies", List(&Section(unbuilt::PACKS_IN_USE)), Off, GUARD),
    Key::parts("llm_judge", LLM_JUDGE),
];

const LLM_JUDGE: &[Key] = &[
    Key::later("enabled", Flag, Off, JUDGE),
    Key::later("provider", OneOf(&["openai", "anthropic"]), Absent, JUDGE),
    Key::later("api_key", WORDS, Absent, JUDGE),
    Key::later("model", WORDS, Absent, JUDGE),
];

const SAST: &[Key] = &[
    Key::later("enabled", Flag, Off, SCANS),
    Key::later("block_on_change", Flag, Off, SCANS),
    Key::later("block_on_severity", SEVERITIES, Absent, SCANS),
    Key::later("cache_ttl_ms", AMOUNT, OffOr("60000"), SCANS),
    Key::later("scan_all_on_server_change", Flag, Off, SCANS),
    Key::later("scan_on_change_only", Flag, Off, SCANS),
];

const DAST: &[Key] = &[
    Key::later("enabled", Flag, Off, SCANS),
    Key::later("block_on_change", Flag, Off, SCANS),
    Key::later("block_on_severity", SEVERITIES, Absent, SCANS),
    Key::later("block_on_count", COUNT, Absent, SCANS),
    Key::later("rule_ttl_ms", AMOUNT, Off, SCANS),
    Key::later("sandbox_url", WORDS, Absent, SCANS),
    Key::later("templates", TEXTS, Off, SCANS),
    Key::later("tags", TEXTS, Off, SCANS),
    Key::later("exclude_tags", TEXTS, Off, SCANS),
    Key::later("severity", TEXTS, Off, SCANS),
    Key::later("mode", OneOf(&["sync", "async"]), Absent, SCANS),
    Key::later("scope", OneOf(&["server", "tool"]), Absent, SCANS),
];

const EXPORT_KEYS: &[Key] = &[
    Key::later("enabled", Flag, Off, UPLOAD).required(),
    Key::later("cadence", OneOf(&["daily", "weekly", "monthly"]), Absent, UPLOAD),
    Key::later("bucket_uri", WORDS, Absent, UPLOAD),
];

/// Where a key of this name belongs: the one place that has it, or the one where it is enforced.
pub(super) fn home_of(name: &str) -> Option<String> {
    let (mut enforced, mut others) = (Vec::new(), Vec::new());
    every_key(ROOT, "", &mut |path, key| {
        // A key of an entry of some list is no place to send anybody to.
        if key.name == name && !path.contains(['[', '*']) {
            let homes = if key.is_enforced() { &mut enforced } else { &mut others };
            homes.push(path.to_owned());
        }
    });
    let mut homes = if enforced.is_empty() { others } else { enforced };
    if homes.len() == 1 { homes.pop() } else { None }
}

/// Shows every key of `keys` and below to `visit`, with its path: `[]` stands for any entry of a
/// list, `*` for any key of the user's own.
pub(crate) fn every_key(keys: &'static [Key], under: &str, visit: &mut impl FnMut(&str, &Key)) {
    for key in keys {
        let path = joined(under, key.name);
        visit(&path, key);
        below(&key.shape, &path, &mut *visit);
    }
}

fn below(shape: &Shape, path: &str, visit: &mut impl FnMut(&str, &Key)) {
    match shape {
        Section(keys) | Saying(_, keys) => every_key(keys, path, visit),
        List(item) | Filled(item) => below(item, &format!("{path}[]"), visit),
        Open(item) => below(item, &joined(path, "*"), visit),
        Either(one, other) => {
            below(one, path, &mut *visit);
            below(other, path, visit);
        }
        Flag | Number(..) | Positive | OneOf(_) | Text(_) | Told(..) | Anything => {}
    }
}

/// The path of `name` in the section at `path`.
pub(super) fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
