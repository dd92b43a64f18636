//! What each key is for, in words: one table for the page and for the schema of editors.

/// What a key is for.
pub(super) struct About {
    /// The key with as much of its path as tells it apart.
    key: &'static str,
    /// What an enforced or noted key is where it is left out; empty where nothing is.
    pub(super) default: &'static str,
    pub(super) text: &'static str,
}

/// What the key at this path is for: the longest entry that the path ends with.
pub(super) fn about(path: &str) -> Option<&'static About> {
    let fits = ALL.iter().filter(|about| {
        path.strip_suffix(about.key).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    fits.max_by_key(|about| about.key.len())
}

/// The keys of the table, for the test that none is left over.
#[cfg(test)]
pub(super) fn described() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|about| about.key)
}

const fn on(key: &'static str, text: &'static str) -> About {
    About { key, default: "", text }
}

const fn with(key: &'static str, default: &'static str, text: &'static str) -> About {
    About { key, default, text }
}

const ALL: &[About] = &[
    // The document.
    on("tenant", "Stands in every record; 1 to 256 bytes without control characters."),
    on("security_level", "A note for readers; nothing depends on it."),
    on(
        "default_retention",
        "How long records are meant to be kept, as each of them says. What deletes is `audit.retain_days`.",
    ),
    on("signing", "How records are signed."),
    on("tools", "What may be called."),
    on("enforcement", "What refuses."),
    with("security", "{}", "Limits and checks of arguments."),
    with("audit", "{}", "How records are written."),
    with(
        "expose",
        "all",
        "Which tools a client is shown. `all`: every tool that the server lists. `filtered`: those that the policy lets be called, see [above](#what-a-client-is-shown).",
    ),
    with(
        "rules",
        "[]",
        "What arguments a call may have; see [above](#rules-on-arguments). At most 10,000, of which 1,000 with `regex`.",
    ),
    with(
        "approval_sets",
        "{}",
        "Named sets of people who approve, see [above](#when-a-human-is-asked).",
    ),
    with("registry", "{}", "The frozen registry."),
    with("observability", "{}", "Telemetry."),
    with("privacy", "{}", "What of payloads is kept."),
    with("side_effects", "{}", "Calls with side effects."),
    on("agent_guard", "Inspection of contents."),
    on("skills", "For an agent's host; a tool server has no skills."),
    on("compliance", "Packs of content rules."),
    on("sec0_export", "Upload of the log."),
    on("llm_judge", "A model that judges text."),
    on("sast", "Static scans of the server's code."),
    on("dast", "Scans of the running server."),
    // `signing`, `tools`, `enforcement`.
    on("signing.enabled", "Whether records are signed."),
    on("signing.key_ref", "Where the key is. Without it the options of the program must say."),
    on(
        "tools.allowlist",
        "What may be called; anything else is `tool_not_in_allowlist`. `[]` allows nothing.",
    ),
    with("tools.deny_if_unpinned_version", "true", "Whether `version_unpinned` is found."),
    with(
        "tools.overrides",
        "[]",
        "What tools do, by your word; see [above](#what-a-tool-does). The first entry that matches decides.",
    ),
    on("tools.overrides[].tool", "Which tools: written as an entry of the allowlist."),
    on("tools.overrides[].op", "What they do."),
    on("tools.overrides[].side_effect", "Whether that has a side effect."),
    on(
        "tools.overrides[].url_args",
        "Which arguments are URLs, beside those that the schema or the name shows: JSON pointers, or names of top-level arguments. Those of all entries that match count.",
    ),
    on("tools.overrides[].path_args", "Which arguments are paths, likewise."),
    with(
        "enforcement.mode",
        "by `deny_on`",
        "Whether what the policy finds refuses: `enforce` where `deny_on` has entries, else `observe`.",
    ),
    with(
        "enforcement.deny_on",
        "[]",
        "The reasons that refuse in `enforce`; any other is recorded as `would_deny`.",
    ),
    with(
        "enforcement.escalate_on",
        "as `deny_on`",
        "The reasons of `deny_on` for which a human is asked, see [above](#when-a-human-is-asked). `[]` asks for none.",
    ),
    on("enforcement.agent_guard", "Another place for `agent_guard`."),
    on("agent_guard.enabled", "Whether contents are inspected."),
    on("agent_guard.block_on_severity", "The least severity of a finding that refuses."),
    on("agent_guard.block_on_count", "How many findings refuse."),
    with(
        "enforcement.circuit_breakers",
        "{}",
        "When a tool that fails or is slow is left alone, see [above](#circuit-breakers).",
    ),
    with(
        "circuit_breakers.error_rate_pct",
        "0",
        "The share of failed calls that opens the circuit; `0` is off.",
    ),
    with(
        "circuit_breakers.p95_latency_ms",
        "0",
        "The latency that opens the circuit where the 95th percentile reaches it; `0` is off.",
    ),
    with(
        "circuit_breakers.min_samples",
        "20",
        "How many calls there must be in the window before a circuit opens.",
    ),
    with(
        "circuit_breakers.minSamples",
        "20",
        "Another spelling of `min_samples`, which counts where both are set.",
    ),
    with("circuit_breakers.window_ms", "60000", "How far back calls count."),
    with(
        "circuit_breakers.open_ms",
        "30000",
        "How long a circuit stays open before a call is tried.",
    ),
    with(
        "circuit_breakers.half_open_probes",
        "1",
        "How many calls are tried then; all of them must go well.",
    ),
    // `security`.
    with("security.limits", "{}", "Bounds of a call."),
    with(
        "limits.max_payload_kb",
        "0",
        "The most kilobytes (1,024 bytes) of arguments; more is `payload_too_large`. A part of a kilobyte counts as a whole one in the arguments and as none in the limit: 1.9 is 1,024 bytes. `0` is no limit.",
    ),
    with(
        "limits.max_duration_ms",
        "0",
        "The longest time of a call; more is `duration_too_long`. `0` is no limit.",
    ),
    with(
        "limits.rate",
        "[]",
        "How often each caller may call, see [above](#how-often-a-caller-may-call); more is `rate_limited`. All entries that match count.",
    ),
    on("rate[].tool", "The tools, as in the allowlist; all of them together have the rate."),
    on("rate[].per_second", "How many calls a second, on average."),
    with(
        "rate[].burst",
        "`per_second`, rounded up",
        "How many calls at once after a pause. A part of one counts as none.",
    ),
    on("security.allow_versions", "The versions of tools that each server may have."),
    on(
        "security.egress_allowlist",
        "Where URL arguments may lead, see [above](#where-a-call-may-lead); anything else is `egress_violation`. `[]` denies every URL; without the key none is checked.",
    ),
    on(
        "security.fs_allowlist",
        "Where path arguments may lead, see [above](#where-a-call-may-lead); anything else is `fs_violation`. `[]` denies every path; without the key none is checked.",
    ),
    on(
        "security.fs_base",
        "What relative paths are relative to: an absolute path. Without it every relative path is `fs_violation`.",
    ),
    on("security.deny_subprocess", "Whether handlers may start programs."),
    with("security.side_effects", "{}", "Calls with side effects: keys and approvals."),
    with(
        "side_effects.require_idempotency_key",
        "false",
        "Whether a call with side effects must have an idempotency key, else it is `missing_idempotency_for_side_effect`. `side_effects` and `security.side_effects` both have it; one of the two is enough.",
    ),
    with(
        "side_effects.approve_high_risk",
        "false",
        "Whether a human is asked where the policy denies for a reason of `escalate_on`.",
    ),
    with(
        "side_effects.escalation_ttl_seconds",
        "3600",
        "Another spelling of `human_escalation.ttl_seconds`, which counts where both are set.",
    ),
    with("side_effects.ttl_seconds", "3600", "Another one; `escalation_ttl_seconds` counts more."),
    with("side_effects.escalationTtlSeconds", "3600", "Another one; both others count more."),
    with(
        "side_effects.escalation_on_timeout",
        "auto_reject",
        "Another spelling of `human_escalation.timeout_action`, which counts where both are set.",
    ),
    with(
        "side_effects.timeout_action",
        "auto_reject",
        "Another one; `escalation_on_timeout` counts more.",
    ),
    with("side_effects.escalationOnTimeout", "auto_reject", "Another one; both others count more."),
    on(
        "human_escalation",
        "Who is asked, and how. With a key beside `tools` it is for every tool.",
    ),
    on(
        "humanEscalation",
        "Another spelling of `human_escalation`, which counts where both are set.",
    ),
    with(
        "human_escalation.tools",
        "[]",
        "The same for single tools; the first entry that matches counts.",
    ),
    with(
        "humanEscalation.tools",
        "[]",
        "The same for single tools; the first entry that matches counts.",
    ),
    on("tools[].tool", "The tools, as in the allowlist."),
    with(
        "approval_strategy",
        "single_approver",
        "How many decide: nobody (the call runs), one, or `min_approvals`. `auto_allow` needs `allow_unattended`.",
    ),
    with(
        "timeout_action",
        "auto_reject",
        "What becomes of a call that nobody decided on. `auto_approve` needs `allow_unattended`.",
    ),
    with("min_approvals", "1", "How many must approve: a whole number, 1 for `single_approver`."),
    with("min_rejections", "1", "How many rejections refuse: a whole number."),
    with("required_roles", "[]", "The roles that must be among those who approve."),
    with("veto_roles", "[]", "The roles of which one rejection refuses."),
    on(
        "approval_set_id",
        "The set of people who decide. Without it nobody can, and the call is refused.",
    ),
    on(
        "connected_user",
        "The member of the set as whom the user at the other end of the connection votes; that member's key is the server's own.",
    ),
    with(
        "wait_ms",
        "0",
        "How long a call is held for a decision; with `0` it is refused at once with the id.",
    ),
    with("ttl_seconds", "3600", "How long an approval may be given and used."),
    with(
        "allow_unattended",
        "false",
        "Whether a call may run with nobody's approval; `auto_approve` and `auto_allow` need it.",
    ),
    with("tools[].approval_strategy", "as for every tool", "How many decide."),
    with(
        "tools[].timeout_action",
        "as for every tool",
        "What becomes of a call that nobody decided on.",
    ),
    with("tools[].min_approvals", "as for every tool", "How many must approve."),
    with("tools[].min_rejections", "as for every tool", "How many rejections refuse."),
    with(
        "tools[].required_roles",
        "as for every tool",
        "The roles that must be among those who approve.",
    ),
    with("tools[].veto_roles", "as for every tool", "The roles of which one rejection refuses."),
    with("tools[].approval_set_id", "as for every tool", "The set of people who decide."),
    with(
        "tools[].connected_user",
        "as for every tool",
        "The member as whom the user at the other end of the connection votes.",
    ),
    with("tools[].wait_ms", "as for every tool", "How long a call is held for a decision."),
    with("tools[].ttl_seconds", "as for every tool", "How long an approval may be given and used."),
    with(
        "tools[].allow_unattended",
        "as for every tool",
        "Whether a call may run with nobody's approval.",
    ),
    on("security.ap2", "Mandates."),
    on("ap2.enabled", "Whether mandates are looked at."),
    on("ap2.requireForSideEffects", "Whether a call with side effects must have a mandate."),
    on("ap2.require_for_side_effects", "Another spelling of `requireForSideEffects`."),
    on("ap2.tools", "Which tools need a mandate."),
    on("ap2.tools.allow", "The tools that need a mandate."),
    on("ap2.headers", "The headers that mandates come in."),
    on("ap2.headers.intent", "The header of the intent mandate."),
    on("ap2.headers.cart", "The header of the cart mandate."),
    on("ap2.headers.bundle", "The header that has both."),
    on("ap2.trust", "Whose mandates count."),
    on("ap2.trust.didMethods", "The DID methods of issuers."),
    on("ap2.trust.issuersAllowlist", "The issuers."),
    on("ap2.trust.clockSkewSec", "How far clocks may differ."),
    on("ap2.mode", "What a missing mandate does."),
    // `audit`, `registry`.
    with(
        "audit.mode",
        "by side effect",
        "When a record is durable. `batch`: after the reply. `blocking`: the intent before the handler runs. `blocking-strict`: the outcome before the reply leaves, too. A mode of the options wins.",
    ),
    with("audit.mode.read", "batch", "The mode of calls without a side effect."),
    with("audit.mode.write", "blocking", "The mode of all other calls."),
    with(
        "audit.signing",
        "record",
        "What is signed: each line, or only the checkpoint, which covers the lines.",
    ),
    on(
        "audit.digest_key",
        "`file://` and the path of a key file: the base64 of 32 bytes, in a directory that `signing.key_ref` may name. With it the digests of arguments and results are HMAC-SHA-256.",
    ),
    on(
        "audit.retain_days",
        "For how many days a day of the log is kept after it has ended; then its files are removed, see [audit.md](audit.md#how-long-it-is-kept). A part of a day counts as a whole one. Without it nothing is removed.",
    ),
    on(
        "registry.lock",
        "What follows when the server is not the one in its lock file, see [registry.md](registry.md#the-lock-file). `require`: it does not start, whatever the mode. `warn`: it is recorded. Without it there is no comparison, unless the options name a lock file; then it is `warn`.",
    ),
    // `rules`, `approval_sets`.
    on(
        "rules[].id",
        "The name of the rule, in records; 1 to 128 bytes without control characters, each once.",
    ),
    on("rules[].tool", "The tools, as in the allowlist."),
    on("rules[].pointer", "The argument, as a JSON pointer of at most 1,024 bytes."),
    on("rules[].op", "How it is compared."),
    on("rules[].value", "What it is compared with; `exists` may go without it."),
    on("rules[].effect", "What a match does."),
    with(
        "rules[].reason",
        "rule_denied",
        "The reason that the caller gets and the record has: a small letter and then 1 to 63 small letters, digits or `_`. The reasons of sec0's own are not for it.",
    ),
    with("rules[].mode", "enforce", "Whether the rule acts, or is only recorded as `would_deny`."),
    on("approval_sets.*.members", "The people of the set, at most 1,000."),
    on("members[].id", "The name in votes, each once in a set."),
    with("members[].roles", "[]", "What the person may decide as."),
    on(
        "members[].public_key",
        "The key that votes are signed with, each once in a set: `ed25519:` and the base64 in the `.pub` file of `sec0 keygen`.",
    ),
    with(
        "members[].principals",
        "[]",
        "The callers who are this person, and whose calls this person cannot approve.",
    ),
    // `observability`, `privacy`, `side_effects`.
    on(
        "observability.enabled",
        "`true` demands telemetry: a layer without `otel.endpoint`, `otel.serviceName` and `otel.environment` does not start, see [otel.md](otel.md). `false` turns it off. Absent, the options decide.",
    ),
    on("observability.otlp_endpoint", "Where telemetry goes, where the options do not say it."),
    on(
        "observability.sample",
        "The shares of calls whose span is exported, where the options do not say them.",
    ),
    on("observability.sample.success", "The share of calls that went well."),
    on("observability.sample.error", "The share of calls that failed."),
    with("observability.sampling", "{}", "The same in newer words, which count first."),
    on("observability.sampling.success_ratio", "The share of calls that went well."),
    on(
        "observability.sampling.error_always",
        "Whether the span of every call that failed or was refused is exported.",
    ),
    with(
        "observability.redact_identities",
        "false",
        "Whether callers are left out: they always are.",
    ),
    on("observability.instrumentation", "Instrumentation of the host."),
    on("observability.instrumentation.enabled", "Whether the host is instrumented."),
    on("observability.instrumentation.allow_sdk_attach", "Whether a present SDK is joined."),
    on("observability.instrumentation.default_op", "The operation where none is known."),
    on("privacy.redact_outputs", "Whether what is sensitive is taken out of results."),
    with(
        "privacy.store_raw_payloads",
        "false",
        "Whether arguments and results are kept as they are, beside the log and unsigned, see [audit.md](audit.md#payloads-as-they-are).",
    ),
    with(
        "side_effects.max_retries",
        "0",
        "How often a failed call of an idempotent tool is run again, see [above](#retries).",
    ),
    // `skills`, `compliance`, `sec0_export`, `llm_judge`.
    on("skills.allowlist", "Which skills may be loaded."),
    on(
        "skills.deny_if_unpinned_version",
        "Without effect: with no skill on the list there is nothing to pin.",
    ),
    on("skills.scan_on_change_only", "Whether only changed skills are scanned."),
    on("skills.block_on_severity", "The least severity of a finding that refuses a skill."),
    on("compliance.packs", "The packs."),
    on("packs[].id", "The id of the pack."),
    on("packs[].name", "The name of the pack."),
    on("packs[].description", "What the pack is for."),
    on("packs[].rules", "The rules of the pack."),
    on("packs[].rules[].id", "The id of the rule."),
    on("packs[].rules[].name", "The name of the rule."),
    on("packs[].rules[].type", "Whether patterns decide (`regex`, the default) or a model (`nl`)."),
    on("packs[].rules[].location", "What is looked at."),
    on("packs[].rules[].severity", "How bad a match is."),
    on("packs[].rules[].message", "The words of the finding."),
    on("packs[].rules[].patterns", "The patterns; required unless `type` is `nl`."),
    on("packs[].rules[].instruction", "What the model is told; required where `type` is `nl`."),
    on("packs[].rules[].tags", "Tags of the finding."),
    on("packs[].rules[].threshold", "A key of older files; it is ignored, whatever its value."),
    on("compliance.policies", "Which packs are in use."),
    on("policies[].id", "The id of the policy."),
    on("policies[].name", "The name of the policy."),
    on("policies[].enabled", "Whether its packs are in use."),
    on("policies[].pack_ids", "The ids of its packs."),
    on("compliance.llm_judge", "Another place for `llm_judge`."),
    on("llm_judge.enabled", "Whether a model is asked."),
    on("llm_judge.provider", "Whose model."),
    on("llm_judge.api_key", "The key of the provider."),
    on("llm_judge.model", "Which model."),
    on("sec0_export.enabled", "Whether the log is uploaded."),
    on("sec0_export.cadence", "How often the log is uploaded."),
    on("sec0_export.bucket_uri", "Where the log goes."),
    // `sast`, `dast`.
    on("sast.enabled", "Whether code is scanned."),
    on("sast.block_on_change", "Whether changed code is refused until it is scanned."),
    on("sast.block_on_severity", "The least severity of a finding that refuses."),
    on("sast.cache_ttl_ms", "How long a scan counts."),
    on("sast.scan_all_on_server_change", "Whether a change of the server scans all tools."),
    on("sast.scan_on_change_only", "Whether only changed code is scanned."),
    on("dast.enabled", "Whether the running server is scanned."),
    on("dast.block_on_change", "Whether changed code is refused until it is scanned."),
    on("dast.block_on_severity", "The least severity of a finding that refuses."),
    on("dast.block_on_count", "How many findings refuse."),
    on("dast.rule_ttl_ms", "How long a failed scan refuses."),
    on("dast.sandbox_url", "What is scanned."),
    on("dast.templates", "The templates of the scanner."),
    on("dast.tags", "Which templates are used, by tag."),
    on("dast.exclude_tags", "Which templates are left out, by tag."),
    on("dast.severity", "Which templates are used, by severity."),
    on("dast.mode", "Whether a call waits for the scan."),
    on("dast.scope", "What one scan covers."),
];
