use super::*;

#[test]
fn two_configurations_in_one_process_do_not_see_each_other() {
    let (one, two) = (Desk::new(STANDARD), Desk::new(&STANDARD.replace("acme", "umbrella")));
    let (first, second) = (one.resolve().unwrap(), two.resolve().unwrap());
    assert_eq!((first.tenant(), second.tenant()), (Some("acme"), Some("umbrella")));
    assert_eq!((first.sec0_dir(), second.sec0_dir()), (&*one.path("log"), &*two.path("log")));
}

#[test]
fn the_directories_of_keys_are_those_of_the_variable_where_it_is_set() {
    let desk = Desk::new(&STANDARD.replace("keys/ed25519.key", "k/ed25519.key"));
    std::fs::create_dir(desk.path("k")).unwrap();
    desk.write("k/ed25519.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");
    let said = desk.resolve().unwrap_err().to_string();
    assert!(said.contains("outside allowed directories"), "{said}");
    let dir = desk.path("k").into_os_string();
    let find = move |name: &str| (name == "SEC0_SIGNER_KEY_DIRS").then(|| dir.clone());
    let config = ConfigReader::new().variables(find).file(desk.path("sec0.config.yaml")).unwrap();
    assert!(config.resolve().is_ok());
}

#[test]
fn a_link_out_of_the_directories_of_keys_is_not_followed() {
    let desk = Desk::new(&STANDARD.replace("ed25519.key", "link.key"));
    desk.write("outside.key", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=");
    std::os::unix::fs::symlink(desk.path("outside.key"), desk.path("keys/link.key")).unwrap();
    let said = desk.resolve().unwrap_err().to_string();
    assert!(said.contains("outside allowed directories"), "{said}");
}

#[test]
fn a_key_that_others_can_read_is_refused_and_its_text_never_shown() {
    let desk = Desk::new(STANDARD);
    let key = desk.path("keys/ed25519.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = desk.resolve().unwrap_err().to_string();
    assert!(said.contains("can be read or changed by others (mode 0644)"), "{said}");
    desk.write("keys/ed25519.key", "AQIDBAUG");
    let said = desk.resolve().unwrap_err().to_string();
    assert!(said.contains("Signing key must be base64") && !said.contains("AQIDBAUG"), "{said}");
}

#[test]
fn a_policy_of_a_control_plane_is_refused_unless_the_file_says_what_is_done_without() {
    let hops = with_hops("A.b: {type: server, nodeId: n, server: s}");
    let text = format!("{hops}auth: {{sec0ApiKey: sec0_abc}}\n");
    let said = Desk::new(&text).resolve().unwrap_err().to_string();
    assert!(said.contains("`auth.sec0ApiKey` asks for the policy of a control plane"), "{said}");
    assert!(!said.contains("sec0_abc"), "{said}");
    for (rest, wanted) in [
        ("without_policy: allow", WithoutPolicy::Allow),
        ("without_policy: refuse", WithoutPolicy::Refuse),
        ("policy: p.yaml", WithoutPolicy::ReadsOnly),
    ] {
        let desk =
            Desk::new(&text.replace("environment: dev", &format!("environment: dev, {rest}")));
        let resolved = desk.resolve().unwrap();
        assert_eq!(resolved.without_policy(), wanted);
        let policy = rest.starts_with("policy").then(|| desk.path("p.yaml"));
        assert_eq!(resolved.policy(), policy.as_deref());
    }
    // Without hops nothing asks for a policy.
    let text = format!("{STANDARD}auth: {{sec0ApiKey: sec0_abc}}\n");
    assert!(Desk::new(&text).resolve().is_ok());
}

#[test]
fn paths_are_meant_from_the_directory_of_the_file() {
    let desk = Desk::new(&STANDARD.replace("sec0Dir: log", "sec0Dir: ../other/./log"));
    let resolved = desk.resolve().unwrap();
    assert_eq!(resolved.sec0_dir(), desk.0.path().parent().unwrap().join("other/log"));
    let config = none().relative_to("/srv").yaml(&STANDARD.replace("log,", "/var/log,")).unwrap();
    assert_eq!(config.sec0_dir().path(), Path::new("/var/log"));
    let reference = STANDARD.replace("keys/ed25519.key", "'file://keys/ed25519.key'");
    let config = none().relative_to("/srv").yaml(&reference).unwrap();
    assert_eq!(config.signer_path().path(), Path::new("/srv/keys/ed25519.key"));
}
