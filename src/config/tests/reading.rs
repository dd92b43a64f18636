use super::*;

#[test]
fn reads_both_forms_to_the_same_values() {
    let standard = Desk::new(STANDARD);
    let flat = Desk::new(
        "{localDir: log, localSignerPath: keys/ed25519.key, tenant: acme, appender: {dir: hops}, \
         app: {environment: ' DEV '}}",
    );
    for (desk, form) in [(standard, Form::Standard), (flat, Form::Flat)] {
        let resolved = desk.resolve().unwrap();
        assert_eq!(resolved.config().form(), form);
        assert_eq!(resolved.tenant(), Some("acme"));
        assert_eq!(resolved.environment(), Some(Environment::Dev));
        assert_eq!(resolved.sec0_dir(), desk.path("log"));
        assert_eq!(resolved.appender_dir(), Some(&*desk.path("hops")));
        assert_eq!(
            resolved.key_ref(),
            format!("file://{}", desk.path("keys/ed25519.key").display())
        );
        assert_eq!(resolved.without_policy(), WithoutPolicy::ReadsOnly);
        assert_eq!(resolved.control_plane_url(), "https://api.sec0.ai");
        assert!(resolved.config().warnings().is_empty());
    }
}

#[test]
fn a_form_that_was_asked_for_is_not_guessed() {
    let flat = "{localDir: d, localSignerPath: k}";
    let said = none().form(Form::Standard).yaml(flat).unwrap_err().to_string();
    assert!(said.contains("[sec0] app configuration block is required."), "{said}");
    assert!(said.contains("[sec0] controlPlane.sec0Dir is required"), "{said}");
    assert!(
        said.contains("unknown key `localDir`; did you mean `controlPlane.sec0Dir`?"),
        "{said}"
    );
    let said = none().form(Form::Flat).yaml(STANDARD).unwrap_err().to_string();
    assert!(said.contains("[sec0] localDir is required"), "{said}");
}

#[test]
fn a_key_that_is_not_known_gets_its_place_and_the_one_that_was_meant() {
    let said = refused(&STANDARD.replace("tenant: acme", "tennant: acme, tenant: acme"));
    assert!(
        said.starts_with(
            "sec0.config.yaml:1:7: unknown key `tennant` in `app`; did you mean `tenant`?"
        ),
        "{said}"
    );
    let said = refused(&STANDARD.replace("dev}", "dev, without_policy: alow}"));
    assert_eq!(
        said,
        "sec0.config.yaml:1:55: `app.without_policy` must be one of `refuse`, `allow`, found `alow`; \
         did you mean `allow`?"
    );
    let said = refused(&STANDARD.replace("tenant: acme", "tenant: 7"));
    assert_eq!(said, "sec0.config.yaml:1:15: `app.tenant` must be text, found a number; quote it");
    let said = refused(&format!("{STANDARD}policy: p.yaml\n"));
    assert!(said.contains(":3:1: unknown key `policy`; did you mean `app.policy`?"), "{said}");
    let said = refused(&format!("{STANDARD}app: {{}}\n"));
    assert!(said.contains("`app` stands here a second time, the first is at 1:1"), "{said}");
}

#[test]
fn what_is_not_built_is_refused_by_name_unless_it_asks_for_nothing() {
    for (key, why) in [
        (
            "otlpEndpoint: 'http://c'",
            "`controlPlane.otlpEndpoint` is refused: the endpoint of telemetry is `otel.endpoint`",
        ),
        (
            "presign: {enabled: true}",
            "`controlPlane.presign.enabled` is refused: the export of the log",
        ),
    ] {
        let said = refused(&STANDARD.replace("sec0Dir: log", &format!("sec0Dir: log, {key}")));
        assert!(said.contains(why), "{said}");
    }
    let off = STANDARD.replace("sec0Dir: log", "sec0Dir: log, presign: {enabled: false}");
    assert!(none().yaml(&off).is_ok());
}

#[test]
fn two_spellings_of_one_place_are_refused() {
    let said = refused("{localDir: d, localSignerPath: k, appenderDir: a, appender: {dir: b}}");
    assert!(said.contains("`appenderDir` is another spelling of `appender.dir`"), "{said}");
}

#[test]
fn what_has_no_effect_is_accepted_with_a_warning() {
    let text = format!(
        "{}auth: {{sec0ApiKey: sec0_abc}}\n",
        STANDARD.replace("dev}", "dev, client: {name: c}, policy: p.yaml, without_policy: allow}")
    );
    let config = none().yaml(&text).unwrap();
    let paths: Vec<_> = config.warnings().iter().map(|warning| &*warning.path).collect();
    assert_eq!(paths, ["app.client", "app.without_policy", "auth.sec0ApiKey"]);
    assert!(!format!("{config:?}").contains("sec0_abc"));
    let config = none().yaml(&STANDARD.replace("dev}", "dev, clientName: c, clientVersion: '1'}"));
    let config = config.unwrap();
    assert_eq!(
        (config.client_name.as_deref(), config.client_version.as_deref()),
        (Some("c"), Some("1"))
    );
}

#[test]
fn a_file_of_nothing_but_faults_is_told_of_in_a_hundred_lines() {
    let text: Vec<_> = (0..5000).map(|n| format!("k{n}: 1")).collect();
    let error = none().yaml(&format!("localDir: d\n{}", text.join("\n"))).unwrap_err();
    assert_eq!(error.problems().len(), ConfigError::MAX_PROBLEMS + 1);
    assert_eq!(error.problems().last().unwrap().message, "and more");
}

#[test]
fn telemetry_has_all_of_its_parts_or_says_which_three_it_needs() {
    let whole = "otel: {endpoint: 'http://c:4318', serviceName: s, environment: prod}";
    let config = none().yaml(&format!("{STANDARD}{whole}\n")).unwrap();
    assert_eq!(config.otel().unwrap().check(), Ok("prod"));
    assert!(none().yaml(STANDARD).unwrap().otel().is_none());
    for (otel, begins, place) in [
        ("otel: {}", "`otel.endpoint` is missing", "3:7"),
        ("otel: true", "`otel` has none of its parts", "3:7"),
        ("otel: [a]", "`otel` has none of its parts", "3:7"),
        ("otel:", "`otel` has none of its parts", "3:5"),
        (&whole.replace("serviceName: s", "serviceName: 7"), "`otel.serviceName` is no text", ""),
        (&whole.replace(", environment: prod", ""), "`otel.environment` is missing", "3:7"),
        (&whole.replace("prod", "''"), "`otel.environment` is no text", ""),
    ] {
        let said = refused(&format!("{STANDARD}{otel}\n"));
        assert!(said.contains(begins) && said.contains(place), "{said}");
        for part in ["`otel.endpoint`", "`otel.serviceName`", "`otel.environment`"] {
            assert!(said.lines().all(|line| line.contains(part)), "{said}");
        }
    }
    let said = refused(&format!("{STANDARD}{}\n", whole.replace("http://c:4318", "c")));
    assert!(said.contains("`otel.endpoint` must be"), "{said}");
}
