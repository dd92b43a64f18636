//! The messages of the original: one row for each, from its own cause.

use super::*;

/// What is said, before the fix and the place.
#[track_caller]
fn says(said: &str, begins: &str) {
    let line = said.lines().find(|line| line.starts_with(begins));
    let rest = line.unwrap_or_else(|| panic!("`{begins}` is not in:\n{said}"));
    let fix = rest.strip_prefix(begins).unwrap().trim_start_matches("; ").trim();
    assert!(fix.len() > 10, "no fix: {rest}");
}

/// A text, and how the only thing that is said of it begins and ends.
const ROWS: &[(&str, &str, &str)] = &[
    ("[]", "[sec0] Invalid config file: sec0.config.yaml", "(sec0.config.yaml:1:1)"),
    ("", "[sec0] Invalid config file: sec0.config.yaml", "(sec0.config.yaml:1:1)"),
    ("localSignerPath: k", "[sec0] localDir is required in configuration.", ":1:1)"),
    (
        "localSignerPath: k\nlocalDir: ' '",
        "[sec0] localDir is required in configuration.",
        ":2:11)",
    ),
    (
        "localDir: d",
        "[sec0] localSignerPath is required in configuration (absolute path to ED25519 base64 key file)",
        ":1:1)",
    ),
    (
        "app: {tenant: a, environment: dev}\ncontrolPlane: {localSignerPath: k}",
        "[sec0] controlPlane.sec0Dir is required",
        ":2:1)",
    ),
    (
        "app: {tenant: a, environment: dev}\ncontrolPlane: {sec0Dir: d, localSignerPath: }",
        "[sec0] controlPlane.localSignerPath is required",
        ")",
    ),
    (
        "controlPlane: {sec0Dir: d, localSignerPath: k}",
        "[sec0] app configuration block is required.",
        ":1:1)",
    ),
    (
        "controlPlane: {sec0Dir: d, localSignerPath: k}\napp: {environment: dev}",
        "[sec0] app.tenant is required",
        ":2:1)",
    ),
    (
        "controlPlane: {sec0Dir: d, localSignerPath: k}\napp: {environment: dev, tenant: ''}",
        "[sec0] app.tenant is required",
        ":2:33)",
    ),
    (
        "controlPlane: {sec0Dir: d, localSignerPath: k}\napp: {tenant: a}",
        "[sec0] app.environment must be set to one of dev, staging, or prod.",
        ":2:1)",
    ),
    (
        "controlPlane: {sec0Dir: d, localSignerPath: k}\napp: {tenant: a, environment: ' '}",
        "[sec0] app.environment must be set to one of dev, staging, or prod.",
        ":2:31)",
    ),
    (
        "controlPlane: {sec0Dir: d, localSignerPath: k}\napp: {tenant: a, environment: qa}",
        "[sec0] app.environment \"qa\" is invalid. Expected dev, staging, or prod.",
        ":2:31)",
    ),
    (
        "{localDir: d, localSignerPath: k, controlPlaneUrl: '//'}",
        "[sec0-node] controlPlaneUrl could not be resolved",
        ":1:52)",
    ),
];

#[test]
fn each_cause_has_the_words_of_the_original_and_the_fix() {
    for (text, begins, ends) in ROWS {
        let said = refused(text);
        says(&said, begins);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.ends_with(ends), "{said}");
    }
}

const HOPS: &[(&str, &str)] = &[
    (
        "A.b: 3",
        "[sec0] Invalid hop configuration for \"A.b\". Expected an object with type information.",
    ),
    ("A.b: {nodeId: n}", "[sec0] Hop \"A.b\" is missing required field 'type'."),
    ("A.b: {type: '', nodeId: n}", "[sec0] Hop \"A.b\" is missing required field 'type'."),
    ("A.b: {type: tol, nodeId: n}", "[sec0] Hop \"A.b\" has unknown type \"tol\"."),
    ("A.b: {type: agent}", "[sec0] Hop \"A.b\" requires a non-empty 'nodeId' value."),
    ("A.b: {type: server, nodeId: n}", "[sec0] Hop \"A.b\" requires a non-empty 'server' value."),
    (
        "A.b: {type: middleware, nodeId: n, op: o}",
        "[sec0] Hop \"A.b\" requires a non-empty 'middleware' value.",
    ),
    (
        "A.b: {type: middleware, nodeId: n, middleware: m, op: ' '}",
        "[sec0] Hop \"A.b\" requires a non-empty 'op' value.",
    ),
    (
        "A.b: {type: tool, nodeId: n, server: s}",
        "[sec0] Hop \"A.b\" requires a non-empty 'tool' value.",
    ),
    (
        "A.b: {type: skill, nodeId: n, skill: }",
        "[sec0] Hop \"A.b\" requires a non-empty 'skill' value.",
    ),
    (
        "A.b: {type: gateway, nodeId: n, gatewayBaseUrl: 'http://g'}",
        "[sec0] Hop \"A.b\" requires a non-empty 'gateway' value.",
    ),
    (
        "A.b: {type: gateway, nodeId: n, gateway: g}",
        "[sec0] Hop \"A.b\" requires 'gatewayBaseUrl'. \
         Provide it in app.hops or orchestrator.gatewayBaseUrl.",
    ),
    (
        "A.b: {type: orchestrator, nodeId: n, orchestratorName: o}",
        "[sec0] Hop \"A.b\" requires orchestratorName and orchestratorVersion \
         (either in app.hops or app.client).",
    ),
];

#[test]
fn each_fault_of_a_hop_has_the_words_of_the_original_and_the_fix() {
    for (hop, begins) in HOPS {
        let said = refused(&with_hops(hop));
        says(&said, begins);
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let flat = "{localDir: d, localSignerPath: k, app: {hops: {A.b: \
                {type: gateway, nodeId: n, gateway: g, gatewayBaseUrl: 'http://g'}}}}";
    says(&refused(flat), "[sec0] Hop \"A.b\" requires a tenant value.");
}

#[test]
fn each_cause_at_resolving_has_the_words_of_the_original_and_the_fix() {
    let said = |text: &str| Desk::new(text).resolve().unwrap_err().to_string();
    let hop = "A.b: {type: agent, nodeId: n, agentName: a}";
    says(
        &said(&with_hops(hop)),
        "[sec0] Agent hop \"A.b\" requires 'agentName' and 'agentVersion' in app.hops.",
    );
    for (kind, rest) in
        [("Tool", "type: tool, server: s, tool: t"), ("Server", "type: server, server: s")]
    {
        let text = with_hops(&format!("A.b: {{nodeId: '!!', {rest}}}"));
        says(&said(&text), &format!("[sec0] {kind} hop \"A.b\" requires a non-empty nodeId."));
    }
    let text =
        with_hops("A.b: {type: server, nodeId: n, server: s}").replace(", appenderDir: hops", "");
    says(&said(&text), "[sec0-node] Missing appender.dir in configuration");

    let desk = Desk::new(&STANDARD.replace("ed25519.key", "other.key"));
    let key = desk.path("keys/other.key");
    let begins = format!("[sec0] Signing key file not found at: {}", key.display());
    says(&desk.resolve().unwrap_err().to_string(), &begins);

    desk.write("elsewhere.key", "");
    desk.write("sec0.config.yaml", &STANDARD.replace("keys/ed25519.key", "elsewhere.key"));
    let outside = desk.path("elsewhere.key");
    assert_eq!(
        desk.resolve().unwrap_err().to_string(),
        format!(
            "[sec0-signer] keyRef path \"{}\" is outside allowed directories. \
             Set SEC0_SIGNER_KEY_DIRS to permit it.",
            outside.display()
        )
    );
}

#[test]
fn a_file_that_is_not_there_and_no_file_are_told_in_the_words_of_the_original() {
    let missing = Desk::new("").path("gone.yaml");
    let error = Config::from_file(&missing).unwrap_err();
    says(&error.to_string(), &format!("[sec0] Config file not found: {}", missing.display()));
    let error = Config::from_file("no/such.yaml").unwrap_err().to_string();
    let full = std::env::current_dir().unwrap().join("no/such.yaml");
    says(&error, &format!("[sec0] Config file not found: {}", full.display()));
    says(
        &Config::from_file("").unwrap_err().to_string(),
        "[sec0] Configuration required. Please provide a config file path or config object.",
    );
    let error = Config::from_file(Desk::new("").0.path()).unwrap_err().to_string();
    assert!(error.contains("it is not a regular file"), "{error}");
}

#[test]
fn a_hop_that_is_not_configured_or_of_another_type_is_told_in_the_words_of_the_original() {
    let text = with_hops(
        "Desk.pay: {type: tool, nodeId: n, server: s, tool: t}, \
         Desk.far: {type: gateway, nodeId: n, gateway: g, gatewayBaseUrl: 'https://g'}",
    );
    let resolved = Desk::new(&text).resolve().unwrap();
    assert_eq!(
        resolved.hop("Desk.pat").unwrap_err().to_string(),
        "[sec0] No hop configuration found for \"Desk.pat\". Define app.hops[\"Desk.pat\"] in your \
         config file. Did you mean `Desk.pay`?"
    );
    let error = resolved.hop_of("Desk.pay", HopType::Agent).unwrap_err().to_string();
    let begins =
        "[sec0] Hop \"Desk.pay\" is configured as \"tool\" but the decorator expects \"agent\".";
    assert!(error.starts_with(begins), "{error}");
    assert!(resolved.hop_of("Desk.pay", HopType::Tool).is_ok());
    let error = resolved.hop("Desk.far").unwrap_err().to_string();
    assert!(error.contains("gateway, which is not built yet"), "{error}");
    assert_eq!(resolved.hops().map(|hop| &*hop.key).collect::<Vec<_>>(), ["Desk.pay"]);
}
