//! A URL that a list allows leads, for a browser, to a host and port on the list; a path that is
//! allowed lies below its root by its letters; no text makes either panic, and none is repeated in
//! what is said of it.
//!
//! Input: lines; the first is the argument, the others are entries of both lists.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::call::{Declared, ToolRef};
use sec0::policy::{NoDisk, Policy};
use serde_json::json;
use std::path::{Component, Path};
use url::Url;

fn policy(urls: &[&str], paths: &[&str]) -> Option<Policy> {
    let document = json!({
        "tenant": "acme", "default_retention": "30d", "signing": {"enabled": true},
        "tools": {"allowlist": ["*"]}, "enforcement": {},
        "security": {"egress_allowlist": urls, "fs_allowlist": paths, "fs_base": "/srv/data"},
    });
    Policy::from_yaml(&document.to_string()).ok()
}

/// Whether the URL and the path are allowed.
fn allowed(policy: &Policy, text: &str) -> (bool, bool) {
    let arguments = json!({"url": text, "path": text});
    let tool = ToolRef::new("demo", "fetch", None);
    let places = policy.look(tool, &Declared::default(), arguments.as_object(), &NoDisk);
    for pointer in [places.egress_violation(), places.fs_violation()].into_iter().flatten() {
        assert!(pointer == "/url" || pointer == "/path");
    }
    (places.egress_violation().is_none(), places.fs_violation().is_none())
}

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let argument = lines.next().unwrap_or_default();
    let hosts = ["api.example.com", "*.example.org", "https://files.example.net/v1/*", "192.0.2.1"];
    let fixed = policy(&hosts, &["/srv/data/*", "/etc/app.conf"]).unwrap();
    let (url, path) = allowed(&fixed, argument);
    if url {
        let read = Url::parse(argument).unwrap();
        let host = read.host_str().unwrap();
        let files = host == "files.example.net" && read.path().starts_with("/v1/");
        let below = host.strip_suffix(".example.org").is_some_and(|head| !head.is_empty());
        assert!(host == "api.example.com" || host == "192.0.2.1" || below || files, "{argument:?}");
        assert!(matches!(read.scheme(), "http" | "https") && read.port().is_none());
        assert!(read.username().is_empty() && read.password().is_none());
    }
    if path {
        let whole = Path::new("/srv/data").join(argument);
        let mut plain = Vec::new();
        for part in whole.components() {
            match part {
                Component::Normal(name) => plain.push(name),
                Component::ParentDir => drop(plain.pop()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        let below = plain.len() > 2 && plain[0] == "srv" && plain[1] == "data";
        assert!(below || plain == ["etc", "app.conf"], "{argument:?}");
    }
    // What several entries allow, one of them allows alone.
    let entries: Vec<_> = lines.take(8).collect();
    let urls: Vec<_> = entries.iter().copied().filter(|it| policy(&[it], &[]).is_some()).collect();
    let paths: Vec<_> = entries.iter().copied().filter(|it| policy(&[], &[it]).is_some()).collect();
    let all = allowed(&policy(&urls, &paths).unwrap(), argument);
    let by_url = urls.iter().any(|it| allowed(&policy(&[it], &[]).unwrap(), argument).0);
    let by_path = paths.iter().any(|it| allowed(&policy(&[], &[it]).unwrap(), argument).1);
    assert_eq!(all, (by_url, by_path), "{entries:?}");
});
