use super::*;
use proptest::prelude::*;
use std::fs::File;
use std::io::Write as _;

const ROOT_KEYS: &str = "`tenant`, `security_level`, `default_retention`, `signing`, `tools`, \
    `enforcement`, `security`, `audit`, `expose`, `rules`, `approval_sets`, `registry`, \
    `observability`, `privacy`, `side_effects`, `agent_guard`, `skills`, `compliance`, \
    `sec0_export`, `llm_judge`, `sast`, `dast`";
const REASONS: &str = "`missing_audit_signature`, `tool_not_in_allowlist`, `version_unpinned`, \
    `missing_idempotency_for_side_effect`, `egress_violation`, `fs_violation`, `payload_too_large`, `duration_too_long`, `registry_mutation`, `handler_swap`, \
    `server_code_changed`, `tool_code_changed`";

fn lines(count: usize, line: impl FnMut(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

fn assert_says(cases: &[(String, &str)]) {
    for (text, said) in cases {
        let said: Vec<_> =
            said.lines().map(|line| format!("policy.yaml:{}", line.trim())).collect();
        let said = said.join("\n").replace("{ROOT}", ROOT_KEYS).replace("{REASONS}", REASONS);
        assert_eq!(wrong(text), said, "{text}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_was_meant() {
    assert_says(&[
        (
            with("enforcemnt: {}"),
            "8:1: unknown key `enforcemnt`; did you mean `enforcement`? allowed here: {ROOT}",
        ),
        (with("zzz: 1"), "8:1: unknown key `zzz`; allowed here: {ROOT}"),
        (
            with("deny_on: []"),
            "8:1: unknown key `deny_on`; did you mean `enforcement.deny_on`? allowed here: {ROOT}",
        ),
        (
            with("allowlist: []"),
            "8:1: unknown key `allowlist`; did you mean `tools.allowlist`? allowed here: {ROOT}",
        ),
        (
            enforcing("{denyOn: []}"),
            "7:15: unknown key `denyOn` in `enforcement`; did you mean `deny_on`? allowed here: `mode`, `deny_on`, `escalate_on`, `agent_guard`, `circuit_breakers`",
        ),
        (
            with("audit: {mode: {reed: batch}}"),
            "8:16: unknown key `reed` in `audit.mode`; did you mean `read`? allowed here: `read`, `write`",
        ),
        (
            with("agent_guard: {enabled: false, blok: 1}"),
            "8:31: unknown key `blok` in `agent_guard`; allowed here: `enabled`, `block_on_severity`, `block_on_count`",
        ),
        (with("\"a\\e[31m\": 1"), "8:1: unknown key `a\\u{1b}[31m`; allowed here: {ROOT}"),
        (with("1: x"), "8:1: a key must be text, found a number; quote it"),
    ]);
}

#[test]
fn a_key_that_stands_twice_is_named_with_both_places() {
    assert_says(&[
        (
            with("tenant: other"),
            "8:1: the key `tenant` stands here a second time, the first is at 1:1; keep one",
        ),
        (
            enforcing("{mode: observe, mode: enforce}"),
            "7:30: the key `mode` in `enforcement` stands here a second time, the first is at 7:15; keep one",
        ),
        (
            with("security: {allow_versions: {a: ['1'], a: ['2']}}"),
            "8:39: the key `a` in `security.allow_versions` stands here a second time, the first is at 8:29; keep one",
        ),
    ]);
}

#[test]
fn a_missing_key_is_named_at_the_section_that_lacks_it() {
    assert_says(&[
        (
            String::new(),
            "1:1: the file is empty; a policy must have `tenant`, `default_retention`, `signing`, `tools`, `enforcement`",
        ),
        (
            "# nothing\n".into(),
            "1:1: the file is empty; a policy must have `tenant`, `default_retention`, `signing`, `tools`, `enforcement`",
        ),
        (GOOD.replace("tenant: acme\n", ""), "1:1: missing key `tenant`; it must be text"),
        (
            GOOD.replace("default_retention: 30d\n", ""),
            "1:1: missing key `default_retention`; it must be one of `30d`, `90d`, `180d`",
        ),
        (GOOD.replace("enforcement: {}\n", ""), "1:1: missing key `enforcement`; it must be a map"),
        (
            GOOD.replace("enabled: true", "key_ref: k"),
            "3:1: missing key `enabled` in `signing`; it must be `true` or `false`",
        ),
        (
            GOOD.replace("  allowlist: [mcp://demo/add@1.0]", "  deny_if_unpinned_version: true"),
            "5:1: missing key `allowlist` in `tools`; it must be a list of text",
        ),
        (
            with("sec0_export: {}"),
            "8:1: missing key `enabled` in `sec0_export`; it must be `true` or `false`",
        ),
        (
            with("observability: {enabled: false, sample: {error: 1}}"),
            "8:33: missing key `success` in `observability.sample`; it must be a number from 0 to 1",
        ),
    ]);
}

#[test]
fn a_wrong_type_is_named_with_what_was_found_and_the_way_out() {
    let list = |value: &str| GOOD.replace("[mcp://demo/add@1.0]", value);
    let signing = |value: &str| GOOD.replace("enabled: true", &format!("enabled: {value}"));
    assert_says(&[
        ("- a\n".into(), "1:1: the file must be a map, found a list"),
        (list("7"), "6:14: `tools.allowlist` must be a list of text, found a number"),
        (
            list("'*'"),
            "6:14: `tools.allowlist` must be a list of text, found text; write it as a list, `[…]`",
        ),
        (list("{}"), "6:14: `tools.allowlist` must be a list of text, found a map"),
        (
            list("[1.0, [a]]"),
            "6:15: `tools.allowlist[0]` must be text, found a number; quote it\n6:20: `tools.allowlist[1]` must be text, found a list",
        ),
        (list(""), "6:12: `tools.allowlist` has no value; it must be a list of text"),
        (
            signing("yes"),
            "4:12: `signing.enabled` must be `true` or `false`, found `yes`, which is text in YAML 1.2; write `true`",
        ),
        (
            signing("Off"),
            "4:12: `signing.enabled` must be `true` or `false`, found `Off`, which is text in YAML 1.2; write `false`",
        ),
        (
            signing("'true'"),
            "4:12: `signing.enabled` must be `true` or `false`, found text; take off the quotes",
        ),
        (signing("1"), "4:12: `signing.enabled` must be `true` or `false`, found a number"),
        (GOOD.replace("acme", "12"), "1:9: `tenant` must be text, found a number; quote it"),
        (
            with("security: {limits: {max_payload_kb: 1_000}}"),
            "8:37: `security.limits.max_payload_kb` must be a number of at least 0, found text",
        ),
        (
            with("security: {limits: {max_payload_kb: 064}}"),
            "8:37: `security.limits.max_payload_kb` must be a number of at least 0, found text; write the number without quotes, leading zeros and `_`",
        ),
        (
            with("audit: {mode: [batch]}"),
            "8:15: `audit.mode` must be one of `batch`, `blocking`, `blocking-strict`, or a map, found a list",
        ),
        (with("rules: {}"), "8:8: `rules` must be a list of maps, found a map"),
    ]);
}

#[test]
fn a_value_outside_what_is_allowed_is_named_with_the_nearest_that_is() {
    assert_says(&[
        (
            GOOD.replace("30d", "31d"),
            "2:20: `default_retention` must be one of `30d`, `90d`, `180d`, found `31d`; did you mean `30d`?",
        ),
        (
            GOOD.replace("30d", "forever"),
            "2:20: `default_retention` must be one of `30d`, `90d`, `180d`, found `forever`",
        ),
        (
            enforcing("{mode: Enforced}"),
            "7:21: `enforcement.mode` must be one of `observe`, `enforce`, found `Enforced`; did you mean `enforce`?",
        ),
        (
            enforcing("{deny_on: [tool_not_in_alowlist]}"),
            "7:25: `enforcement.deny_on[0]` is `tool_not_in_alowlist`, which is not a reason; did you mean `tool_not_in_allowlist`? this version has {REASONS}",
        ),
        (
            enforcing("{deny_on: [gremlins]}"),
            "7:25: `enforcement.deny_on[0]` is `gremlins`, which is not a reason; this version has {REASONS}",
        ),
        (
            enforcing("{deny_on: [sast_failed]}"),
            "7:25: `enforcement.deny_on[0]` is `sast_failed`, which this version never raises: code scans run beside the server, and none is wired in yet; take it out",
        ),
        (
            enforcing("{deny_on: [skill_scan_failed]}"),
            "7:25: `enforcement.deny_on[0]` is `skill_scan_failed`, which this version never raises: skills are loaded by an agent's host, never by a tool server; take it out",
        ),
        (
            enforcing("{deny_on: [unknown_tool]}"),
            "7:25: `enforcement.deny_on[0]` is `unknown_tool`, which refuses whatever the policy says; take it out",
        ),
        (GOOD.replace("acme", "' '"), "1:9: `tenant` must have at least one character"),
        (
            GOOD.replace("acme", "\"a\\nb\""),
            "1:9: `tenant` must not have control characters; take them out",
        ),
        (
            GOOD.replace("enabled: true", "enabled: true\n  key_ref: ''"),
            "5:12: `signing.key_ref` must have at least one character",
        ),
        (
            with("security: {limits: {max_payload_kb: -1}}"),
            "8:37: `security.limits.max_payload_kb` must be a number of at least 0, found `-1`",
        ),
        (
            with("side_effects: {max_retries: 11}"),
            "8:29: `side_effects.max_retries` must be a number from 0 to 10, found `11`",
        ),
    ]);
}

#[test]
fn an_entry_that_could_never_match_is_named_with_what_to_write() {
    let list = |entry: &str| GOOD.replace("mcp://demo/add@1.0", entry);
    assert_says(&[
        (
            list("add*"),
            "6:15: `tools.allowlist[0]` is `add*`, where `*` does not stand for a whole server, tool or version; write `*`, `mcp://server/*`, `mcp://*/tool` or `tool@*`",
        ),
        (
            list("mcp://"),
            "6:15: `tools.allowlist[0]` is `mcp://`, which leaves the server or the tool empty; write `mcp://server/tool`",
        ),
        (
            list("a b"),
            "6:15: `tools.allowlist[0]` is `a b`, which has a space or control character inside; take it out",
        ),
        (
            list("''"),
            "6:15: `tools.allowlist[0]` is ``, which names nothing; write `*` for every tool, or take it out",
        ),
    ]);
}

#[test]
fn an_override_that_is_wrong_is_named_with_its_place_and_the_way_out() {
    let said =
        |entry: &str| GOOD.replace("enforcement", &format!("  overrides: [{entry}]\nenforcement"));
    let allowed = "`tool`, `op`, `side_effect`, `url_args`, `path_args`";
    let unknown = format!(
        "7:27: unknown key `opp` in `tools.overrides[0]`; did you mean `op`? allowed here: {allowed}"
    );
    assert_says(&[
        (
            said("{tool: add}"),
            "7:15: `tools.overrides[0]` says nothing; give it one of `op`, `side_effect`, `url_args`, `path_args`",
        ),
        (said("{op: read}"), "7:15: missing key `tool` in `tools.overrides[0]`; it must be text"),
        (said("{tool: add, opp: read, op: read}"), &unknown),
        (
            said("{tool: add*, op: read}"),
            "7:22: `tools.overrides[0].tool` is `add*`, where `*` does not stand for a whole server, tool or version; write `*`, `mcp://server/*`, `mcp://*/tool` or `tool@*`",
        ),
        (
            said("{tool: add, op: wipe}"),
            "7:31: `tools.overrides[0].op` must be one of `create`, `delete`, `read`, `update`, found `wipe`",
        ),
        (
            said("{tool: add, side_effect: no}"),
            "7:40: `tools.overrides[0].side_effect` must be `true` or `false`, found `no`, which is text in YAML 1.2; write `false`",
        ),
        (
            said("{tool: add, url_args: [/a~2]}, {tool: add, op: read, path_args: ['']}"),
            "7:38: `tools.overrides[0].url_args[0]` is `/a~2`, which is no JSON pointer; write one such as `/path` or `/items/0/url`\n7:80: `tools.overrides[1].path_args[0]` must have at least one character",
        ),
        (said("add"), "7:15: `tools.overrides[0]` must be a map, found text"),
    ]);
}

#[test]
fn what_is_not_built_is_refused_with_its_place_and_the_way_out() {
    assert_says(&[
        (
            GOOD.replace("true", "false"),
            "4:12: `signing.enabled` is refused: every record is signed, and that cannot be turned off; set it to `true`",
        ),
        (
            with("security: {deny_subprocess: true}"),
            "8:29: `security.deny_subprocess` is refused: what a handler starts cannot be seen from here; leave it out or set it to `false`",
        ),
        (
            with("agent_guard: {enabled: true, block_on_count: 1}"),
            "8:24: `agent_guard.enabled` is refused: the inspection of contents is not built yet; leave it out or set it to `false`\n8:46: `agent_guard.block_on_count` is refused: the inspection of contents is not built yet; leave it out, or turn `agent_guard` off with `enabled: false`",
        ),
    ]);
    // What stands in a refused section may be a secret.
    assert!(!wrong(&with("llm_judge: {provider: openai, api_key: sk-123}")).contains("sk-123"));
}

#[test]
fn what_is_no_yaml_is_named_with_its_place() {
    assert_says(&[
        ("a: [1,\n".into(), "1:4: the file is not valid YAML here: unclosed bracket '['"),
        (
            "a: b: c\n".into(),
            "1:5: the file is not valid YAML here: mapping values are not allowed in this context",
        ),
        ("a: !foo 1\n".into(), "1:9: the file is not valid YAML here: unsupported tag `!foo`"),
        ("a: .nan\n".into(), "1:4: the file is not valid YAML here: a number must be finite"),
        ("a: 1e999\n".into(), "1:4: the file is not valid YAML here: a number must be finite"),
        (
            "a: *x\n".into(),
            "1:4: an alias without an anchor before it; a text that starts with `*` needs quotes",
        ),
        ("a: &x [*x]\n".into(), "1:8: an alias inside its own anchor; write the value out"),
        ("<<: {a: 1}\n".into(), "1:1: a merge key `<<`, which is not allowed; write the keys out"),
        (
            with("---\na: 1"),
            "8:1: a second document starts here; the file must be one document, so take out the `---` or `...`",
        ),
        (
            with("...\njunk"),
            "9:1: a second document starts here; the file must be one document, so take out the `---` or `...`",
        ),
    ]);
}

#[test]
fn all_problems_come_at_once_and_in_the_order_of_the_file() {
    let text = with("zzz: 1").replace("30d", "1d").replace("enabled: true", "enabled: no");
    let error = Policy::from_yaml_named(&text, "other.yml").unwrap_err();
    let places: Vec<_> =
        error.problems().iter().map(|p| (p.line, p.column, p.path.as_str())).collect();
    assert_eq!(places, [(2, 20, "default_retention"), (4, 12, "signing.enabled"), (8, 1, "")]);
    assert!(error.to_string().lines().all(|line| line.starts_with("other.yml:")), "{error}");
    assert_eq!(error.file(), "other.yml");

    let many = lines(20_000, |n| format!("k{n}: 1"));
    let error = Policy::from_yaml(&with(&many)).unwrap_err();
    assert_eq!(error.problems().len(), PolicyError::MAX_PROBLEMS + 1);
    assert!(error.to_string().ends_with("\npolicy.yaml: and more; mend these first"));
}

#[test]
fn an_anchor_may_be_used_and_its_place_is_where_it_is_written() {
    let text = "tenant: &t acme\ndefault_retention: *t\nsigning: {enabled: true}\n\
                tools: {allowlist: []}\nenforcement: {}\n";
    assert_says(&[(
        text.into(),
        "1:12: `default_retention` must be one of `30d`, `90d`, `180d`, found `acme`",
    )]);
}

#[test]
fn hostile_text_is_refused_before_it_costs_anything() {
    let bomb: String =
        (1..30).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            format!("{text}a{n}: &a{n} [{aliases}]\n")
        });
    let deep = "nested deeper than 16 levels, which no such file needs; flatten it";
    let aliases = "too many anchors or aliases; write the values out";
    let values = "the file has more than 200000 values; shorten it";
    for (text, said) in [
        ("[".repeat(200_000), deep),
        ("{a: ".repeat(200_000), deep),
        ("- ".repeat(200_000), deep),
        ("? ".repeat(200_000), deep),
        (bomb, aliases),
        (format!("a: &a x\nb: [{}]", "*a, ".repeat(5000)), aliases),
        (lines(500, |n| format!("a{n}: &a{n} x")), aliases),
        (format!("a: [{}]", "b,".repeat(500_000)), values),
        ("- - - a\n".repeat(100_000), values),
        (" ".repeat((1 << 20) + 1), "the file is larger than 1048576 bytes"),
    ] {
        let error = wrong(&text);
        assert!(error.contains(said) && !error.contains('\n'), "{error}");
    }
    // As many faults as fit.
    let text = with("").replace("mcp://demo/add@1.0", &"a*,".repeat(90_000));
    assert!(
        Policy::from_yaml(&text).unwrap_err().problems().len() <= PolicyError::MAX_PROBLEMS + 1
    );
}

#[test]
fn a_reason_that_every_enforcing_policy_refuses_is_told_as_that() {
    for (reason, said) in [
        ("circuit_open", "which refuses in enforce mode whatever `deny_on` has; take it out"),
        ("rule_error", "which refuses in enforce mode whatever `deny_on` has; take it out"),
    ] {
        let found = wrong(&enforcing(&format!("{{escalate_on: [{reason}]}}")));
        let found = format!("{found}\n{}", wrong(&enforcing(&format!("{{deny_on: [{reason}]}}"))));
        assert!(found.contains(said), "{reason}: {found}");
    }
}

#[test]
fn a_tenant_may_have_256_bytes_and_no_more() {
    for (length, is_read) in [(256, true), (257, false), (300, false)] {
        let text = GOOD.replace("acme", &"x".repeat(length));
        assert_eq!(Policy::from_yaml(&text).is_ok(), is_read, "{length}");
    }
}

#[test]
fn a_public_key_without_its_kind_in_front_is_refused() {
    let [key, _] = asking::KEYS;
    let set = |key: &str| {
        wrong(&with(&format!(
            "approval_sets: {{s: {{members: [{{id: a, public_key: \"{key}\"}}]}}}}"
        )))
    };
    assert!(set(key).starts_with("nothing is wrong"), "{}", set(key));
    let bare = set(key.strip_prefix("ed25519:").unwrap());
    assert!(bare.contains("must be `ed25519:` and the base64"), "{bare}");
}

#[test]
fn a_policy_may_have_a_mebibyte_and_no_more() {
    let padded = |length: usize| format!("{GOOD}#{}", "x".repeat(length - GOOD.len() - 1));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    for (length, is_read) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        std::fs::write(&path, padded(length)).unwrap();
        assert_eq!(Policy::from_file(&path).is_ok(), is_read, "{length}");
        assert_eq!(Policy::from_yaml(&padded(length)).is_ok(), is_read, "{length}");
    }
}

#[test]
fn a_key_that_stands_twice_in_a_value_of_a_rule_is_named() {
    for value in ["{a: 1, a: 2}", "[{b: {a: 1, a: 2}}]"] {
        let rule =
            format!("{{id: r, tool: add, pointer: /a, op: in, value: [{value}], effect: deny}}");
        let said = wrong(&with(&format!("rules: [{rule}]")));
        assert!(said.contains("the key `a` in `rules[0].value[0]"), "{value}: {said}");
        assert!(said.contains("stands here a second time"), "{value}: {said}");
    }
}

#[test]
fn reads_a_file_that_is_regular_small_and_utf8_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    let said = |path: &std::path::Path| {
        let error = Policy::from_file(path).unwrap_err();
        let name = path.display().to_string();
        assert_eq!(error.file(), name);
        error.to_string().replace(&name, "p.yaml")
    };

    std::fs::write(&path, format!("\u{feff}{GOOD}")).unwrap();
    assert_eq!(Policy::from_file(&path).unwrap().tenant(), "acme");
    std::fs::write(&path, GOOD.replace("acme", "")).unwrap();
    assert_eq!(said(&path), "p.yaml:1:7: `tenant` has no value; it must be text");
    std::fs::write(&path, b"tenant: acme\nx: \xc3\xa9\xff\n").unwrap();
    assert_eq!(said(&path), "p.yaml:2:5: a byte that is not UTF-8; save the file as UTF-8");

    File::options().write(true).open(&path).unwrap().set_len(100_000_000).unwrap();
    assert!(said(&path).starts_with("p.yaml: the file is larger than 1048576 bytes"));
    assert!(said(&dir.path().join("none")).starts_with("p.yaml: cannot be read: "));
    assert!(said(dir.path()).starts_with("p.yaml: cannot be read: it is not a regular file"));
    assert!(said("/dev/zero".as_ref()).starts_with("p.yaml: cannot be read: it is not a regular"));

    // A pipe that nobody writes to must not hold the start.
    let pipe = dir.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    assert!(said(&pipe).starts_with("p.yaml: cannot be read: it is not a regular file"));

    let mut file = File::create(&path).unwrap();
    file.write_all(GOOD.as_bytes()).unwrap();
    let link = dir.path().join("link.yaml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(Policy::from_file(&link).is_ok());
}

proptest! {
    #[test]
    fn arbitrary_text_is_taken_or_refused_with_a_reason(text in any::<String>()) {
        if let Err(error) = Policy::from_yaml(&text) {
            prop_assert!(!error.problems().is_empty());
        }
    }

    #[test]
    fn text_of_yaml_signs_is_taken_or_refused_with_a_reason(
        text in "([-?:,\\[\\]{}#&*!|>'\"%@` \n\ta0.~]|<<|---|\\.\\.\\.|tools|enabled: ){0,200}",
    ) {
        if let Err(error) = Policy::from_yaml(&text) {
            prop_assert!(!error.problems().is_empty());
        }
    }

    #[test]
    fn a_policy_with_a_slip_in_it_is_taken_or_refused_in_its_lines(
        at in 0..GOOD.len(),
        slip in "[-?:,\\[\\]{}#&*!|>'\"%@` \na0.~]{1,3}",
    ) {
        let mut text = GOOD.to_owned();
        text.insert_str(at, &slip);
        if let Err(error) = Policy::from_yaml(&text) {
            let last = u32::try_from(text.lines().count()).unwrap() + 1;
            prop_assert!(error.problems().iter().all(|problem| (1..=last).contains(&problem.line)));
        }
    }
}
