use super::*;
use std::os::unix::ffi::OsStringExt as _;

fn reader() -> ConfigReader<'static> {
    ConfigReader::new().relative_to("/srv").variables(|name| match name {
        "TENANT" => Some("acme".into()),
        "DIR" => Some("/var/secret-place".into()),
        "STAGE" => Some("hush-hush".into()),
        "NESTED" => Some("${TENANT}".into()),
        "EMPTY" => Some("".into()),
        "BROKEN" => Some(std::ffi::OsString::from_vec(vec![0xff])),
        "LONG" => Some("x".repeat(70_000).into()),
        "BIG" => Some("x".repeat(60_000).into()),
        _ => None,
    })
}

/// The tenant that this value comes to.
fn tenant(value: &str) -> Result<Option<String>, String> {
    let text = STANDARD.replace("tenant: acme", &format!("tenant: '{value}'"));
    let read = reader().yaml(&text);
    read.map(|config| config.tenant.clone()).map_err(|error| error.to_string())
}

#[test]
fn a_variable_is_put_in_once_and_not_looked_into_again() {
    for (value, wanted) in [
        ("${TENANT}", "acme"),
        ("a-${TENANT}-${TENANT}", "a-acme-acme"),
        ("${NESTED}", "${TENANT}"),
        ("$${TENANT}", "${TENANT}"),
        ("$TENANT $ }", "$TENANT $ }"),
        ("a${EMPTY}b", "ab"),
    ] {
        assert_eq!(tenant(value).unwrap().as_deref(), Some(wanted), "{value}");
    }
}

#[test]
fn what_cannot_be_put_in_is_told_with_its_key_its_place_and_the_fix() {
    for (value, wanted) in [
        (
            "${NO_SUCH}",
            "`app.tenant` names the environment variable `NO_SUCH`, which is not set; \
             set it, or write `$${NO_SUCH}` for the text itself",
        ),
        (
            "${BROKEN}",
            "`app.tenant` names the environment variable `BROKEN`, which is not valid UTF-8; set it anew",
        ),
        (
            "${LONG}",
            "`app.tenant` names the environment variable `LONG`, whose value is longer than 65536 \
             bytes, or all of them than 1048576; shorten it",
        ),
    ] {
        assert_eq!(tenant(value).unwrap_err(), format!("sec0.config.yaml:1:15: {wanted}"));
    }
    for value in ["${", "${}", "${a-b}", "${ TENANT}", "${1A}", "x ${TENANT"] {
        let said = tenant(value).unwrap_err();
        assert!(said.contains("has a `${` without the name of a variable"), "{said}");
    }
}

#[test]
fn there_are_no_more_variables_than_the_bounds_have() {
    let many = |count: usize, name: &str| tenant(&format!("${{{name}}}").repeat(count));
    assert_eq!(many(1000, "EMPTY").unwrap_err().lines().count(), 1, "a blank tenant is none");
    let said = many(1001, "EMPTY").unwrap_err();
    assert!(said.contains("one of more than 1000"), "{said}");
    let said = many(18, "BIG").unwrap_err();
    assert!(said.contains("or all of them than 1048576"), "{said}");
}

#[test]
fn no_message_has_the_value_of_a_variable() {
    let fails = [
        STANDARD.replace("environment: dev", "environment: '${STAGE}'"),
        STANDARD.replace("dev}", "dev, without_policy: '${STAGE}'}"),
        STANDARD.replace("sec0Dir: log", "sec0Dir: log, presign: {enabled: '${STAGE}'}"),
        STANDARD.replace("sec0Dir: log", "sec0Dir: log, apiBaseUrl: '${STAGE}'"),
        with_hops("A.b: {type: '${STAGE}', nodeId: n}"),
        with_hops("A.b: {type: server, server: s, nodeId: n, remoteUrl: '${STAGE}'}"),
        with_hops(
            "A.b: {type: server, server: s, nodeId: n, enforcement: {deny_on: ['${STAGE}']}}",
        ),
        with_hops("A.b: {type: server, server: s, nodeId: n, enforcement: {mode: '${STAGE}'}}"),
    ];
    for text in fails {
        let said = reader().yaml(&text).unwrap_err().to_string();
        assert!(!said.contains("hush"), "{said}");
        assert!(said.contains("${STAGE}") || said.contains("apiBaseUrl"), "{said}");
    }
    let said = reader().yaml(&with_hops("A.b: {type: tool, enforcement: {mode: '${STAGE}'}}"));
    let said = said.unwrap_err().to_string();
    assert!(
        said.contains(
            "must be one of `observe`, `enforce`, found the value of `${STAGE}`, which is not shown; \
             set the variable otherwise"
        ),
        "{said}"
    );
}

#[test]
fn a_key_in_a_place_from_the_environment_is_named_as_it_is_written() {
    let desk = Desk::new(&STANDARD.replace("keys/ed25519.key", "'${KEYS}/k.key'"));
    let keys = desk.path("keys").into_os_string();
    let read = || {
        let keys = keys.clone();
        let reader =
            ConfigReader::new().variables(move |name| (name == "KEYS").then(|| keys.clone()));
        reader.file(desk.path("sec0.config.yaml")).unwrap()
    };
    let said = read().resolve().unwrap_err().to_string();
    assert!(
        said.starts_with("[sec0] Signing key file not found at: ${KEYS}/k.key; make"),
        "{said}"
    );
    desk.write("outside.key", "");
    std::os::unix::fs::symlink(desk.path("outside.key"), desk.path("keys/k.key")).unwrap();
    let said = read().resolve().unwrap_err().to_string();
    assert!(said.starts_with("[sec0-signer] keyRef path \"${KEYS}/k.key\" is outside"), "{said}");
    std::fs::remove_file(desk.path("keys/k.key")).unwrap();
    for text in ["no key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="] {
        desk.write("keys/k.key", text);
        if text != "no key" {
            let mode = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(desk.path("keys/k.key"), mode).unwrap();
        }
        let said = read().resolve().unwrap_err().to_string();
        assert!(said.contains("${KEYS}/k.key") && !said.contains(keys.to_str().unwrap()), "{said}");
    }
}

#[test]
fn the_environment_says_where_the_control_plane_is_unless_the_file_does() {
    let url = |text: &str, set: &'static [(&'static str, &'static str)]| {
        let find = move |name: &str| {
            set.iter().find(|(key, _)| *key == name).map(|(_, url)| (*url).into())
        };
        let read = ConfigReader::new().variables(find).yaml(text);
        read.map(|config| config.control_plane_url.clone()).map_err(|error| error.to_string())
    };
    let all = &[
        ("API_BASE_URL", "https://c/"),
        ("SEC0_CONTROL_PLANE_URL", " "),
        ("CONTROL_PLANE_URL", "https://b"),
    ];
    assert_eq!(url(STANDARD, all).unwrap(), "https://b");
    assert_eq!(url(STANDARD, &all[..2]).unwrap(), "https://c");
    let own = STANDARD.replace("sec0Dir: log", "sec0Dir: log, apiBaseUrl: 'https://a//'");
    assert_eq!(url(&own, all).unwrap(), "https://a");
    // A name that others use, too, does not stop a program.
    let others = &[("API_BASE_URL", "/api"), ("CONTROL_PLANE_URL", "//")];
    assert_eq!(url(STANDARD, others).unwrap(), "https://api.sec0.ai");
    let said = url(STANDARD, &[("SEC0_CONTROL_PLANE_URL", "hush-hush")]).unwrap_err();
    assert!(said.contains("`SEC0_CONTROL_PLANE_URL` must be a URL"), "{said}");
    assert!(!said.contains("hush"), "{said}");
    let said = url(STANDARD, &[("SEC0_CONTROL_PLANE_URL", "//")]).unwrap_err();
    assert!(said.starts_with("[sec0-node] controlPlaneUrl could not be resolved; "), "{said}");
}
