use super::super::disk::{Disk, LocalDisk, NoDisk, Seen};
use super::super::fault::Fault;
use super::super::roots::{Root, Roots};
use super::super::spelling::base;
use proptest::prelude::*;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

fn list(entries: &[&str]) -> Roots {
    Roots::compile(entries.iter().map(|entry| Root::parse(entry).unwrap()).collect(), None)
}

fn below(base_dir: &str, entries: &[&str]) -> Roots {
    let entries = entries.iter().map(|entry| Root::parse(entry).unwrap()).collect();
    Roots::compile(entries, Some(base(base_dir).unwrap()))
}

/// Links by path; everything else is there and no link.
#[derive(Debug, Default)]
struct Links(HashMap<PathBuf, PathBuf>);

impl Links {
    fn of(links: &[(&str, &str)]) -> Self {
        Self(links.iter().map(|(at, to)| (at.into(), to.into())).collect())
    }
}

impl Disk for Links {
    fn see(&self, path: &Path) -> io::Result<Seen> {
        if path.ends_with("locked") {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(self.0.get(path).map_or(Seen::Other, |to| Seen::Link(to.clone())))
    }
}

#[test]
fn an_entry_allows_what_it_names_and_nothing_beside_it() {
    for (entry, path, allowed) in [
        ("/data", "/data", true),
        ("/data", "/data/", true),
        ("/data", "/data/x", false),
        ("/data/*", "/data/x", true),
        ("/data/*", "/data/x/y/z", true),
        ("/data/*", "/data", false),
        ("/data/*", "/database/x", false),
        ("/data/*", "/etc/passwd", false),
        ("/data/*", "//data///x", true),
        ("/data/*", "/data/./x", true),
        ("/data/*", "/data/a/../x", true),
        ("/data/*", "/data/..", false),
        ("/data/*", "/data/../etc/passwd", false),
        ("/data/*", "/data/a/../../etc/passwd", false),
        ("/data/*", "/../data/x", true),
        ("/data/*", "/Data/x", false),
        ("/data/*", "/data/...", true),
        ("/data/*", "/data/%f0%80%80%ae%f0%80%80%ae/x", false),
        ("/data/*", "/data/a b", true),
        ("/data/*", "/data/50%", true),
        ("/data/*", "/data/\u{ff0e}\u{ff0e}/x", true),
        ("/*", "/etc/passwd", true),
        ("/*", "/", false),
        ("/", "/", true),
    ] {
        let found = list(&[entry]).judge(path, &NoDisk);
        assert_eq!(found.is_ok(), allowed, "{entry}: {path}: {found:?}");
    }
}

#[test]
fn a_trick_is_refused_whatever_the_list_has() {
    for (path, fault) in [
        ("", Fault::BadLetter),
        ("data/x", Fault::Relative),
        ("./x", Fault::Relative),
        ("..", Fault::Relative),
        (" /data/x", Fault::BadLetter),
        ("/data/x ", Fault::BadLetter),
        ("/data/x\n", Fault::BadLetter),
        ("/data/\u{0}x", Fault::BadLetter),
        ("/data/x\u{0}.txt", Fault::BadLetter),
        ("/data\\x", Fault::BadLetter),
        ("\\\\server\\share", Fault::BadLetter),
        ("~/x", Fault::BadLetter),
        ("/data/~root", Fault::BadLetter),
        ("/data/PROGRA~1", Fault::BadLetter),
        ("/data/%2e%2e/x", Fault::Encoded),
        ("/data/%2E./x", Fault::Encoded),
        ("/data%2fx", Fault::Encoded),
        ("/data/..%5Cx", Fault::Encoded),
        ("/data/%252e%252e/x", Fault::Encoded),
        ("/data/%c0%ae/x", Fault::Encoded),
        ("/data/%C0%AFx", Fault::Encoded),
        ("/data/x%00", Fault::Encoded),
        ("file:///data/x", Fault::Scheme),
        ("file:/data/x", Fault::Scheme),
        ("C:/data/x", Fault::Scheme),
        ("https://example.com/x", Fault::Scheme),
    ] {
        assert_eq!(list(&["/*"]).judge(path, &NoDisk), Err(fault), "{path:?}");
    }
    let long = format!("/{}", "x".repeat(5000));
    assert_eq!(list(&["/*"]).judge(&long, &NoDisk), Err(Fault::TooLong));
    assert_eq!(list(&[]).judge("/data/x", &NoDisk), Err(Fault::Outside));
}

#[test]
fn a_relative_path_is_one_below_the_base_and_is_judged_as_such() {
    let roots = below("/srv/app", &["/srv/app/out/*"]);
    assert!(roots.judge("out/x", &NoDisk).is_ok());
    assert!(roots.judge("./out//x", &NoDisk).is_ok());
    assert!(roots.judge("/srv/app/out/x", &NoDisk).is_ok());
    for outside in ["x", "out/../x", "../../etc/passwd", "/out/x", "."] {
        assert_eq!(roots.judge(outside, &NoDisk), Err(Fault::Outside), "{outside}");
    }
    assert_eq!(roots.judge("file:///etc/passwd", &NoDisk), Err(Fault::Scheme));
}

#[test]
fn links_are_followed_from_where_they_lie_to_where_they_lead() {
    let disk = Links::of(&[
        ("/data/out", "/etc"),
        ("/data/in", "sub/dir"),
        ("/data/up", "../data/x"),
        ("/data/far", "../../../etc"),
        ("/data/twice", "out"),
        ("/data/loop", "loop"),
        ("/data/a", "b"),
        ("/data/b", "a"),
        ("/data/deep", "/data/sub/dir"),
    ]);
    let roots = list(&["/data/*"]);
    for (path, found) in [
        ("/data/x", Ok(0)),
        ("/data/in/x", Ok(0)),
        ("/data/up", Ok(0)),
        ("/data/deep/x", Ok(0)),
        ("/data/out", Err(Fault::Outside)),
        ("/data/out/passwd", Err(Fault::Outside)),
        ("/data/far/passwd", Err(Fault::Outside)),
        ("/data/twice/passwd", Err(Fault::Outside)),
        ("/data/loop", Err(Fault::Links)),
        ("/data/a/x", Err(Fault::Links)),
        ("/data/locked/x", Err(Fault::Unreadable)),
        // By its letters it is `/data/x`; whoever opens it is in `/` before.
        ("/data/out/../x", Err(Fault::Outside)),
        ("/data/deep/../x", Ok(0)),
    ] {
        assert_eq!(roots.judge(path, &disk), found, "{path}");
    }
}

#[test]
fn as_many_links_as_a_system_follows_are_followed_and_not_one_more() {
    let chain = |links: usize| {
        let link =
            |n: usize| (PathBuf::from(format!("/data/{n}")), PathBuf::from((n + 1).to_string()));
        list(&["/data/*"]).judge("/data/0", &Links((0..links).map(link).collect()))
    };
    assert_eq!(chain(40), Ok(0));
    assert_eq!(chain(41), Err(Fault::Links));
}

#[test]
fn an_entry_that_is_a_link_stands_for_where_it_led_at_the_start() {
    let disk = Links::of(&[("/data", "/mnt/disk")]);
    let at_start = list(&["/data/*"]).on_disk(&[], &disk);
    assert_eq!(at_start.judge("/data/x", &disk), Ok(0));
    assert_eq!(at_start.judge("/mnt/disk/x", &disk), Ok(0));
    let moved = Links::of(&[("/data", "/etc")]);
    assert_eq!(at_start.judge("/data/x", &moved), Err(Fault::Outside));
}

#[test]
fn the_files_of_sec0_are_never_allowed_by_whatever_name() {
    let disk = Links::of(&[("/data/link", "/srv/.sec0"), ("/data/key", "/srv/keys/a.key")]);
    let own = [PathBuf::from("/srv/.sec0"), PathBuf::from("/data/key")];
    let roots = list(&["/*"]).on_disk(&own, &disk);
    for path in [
        "/srv/.sec0",
        "/srv/.sec0/",
        "/srv/.sec0/audit-2026-11-23.ndjson",
        "/srv/x/../.sec0/x",
        "/data/link/checkpoint",
        "/data/key",
        "/srv/keys/a.key",
    ] {
        assert_eq!(roots.judge(path, &disk), Err(Fault::Own), "{path}");
    }
    assert_eq!(roots.judge("/srv/.sec0x", &disk), Ok(0));
    assert_eq!(roots.judge("/srv/keys/b.key", &disk), Ok(0));
}

#[test]
fn an_entry_that_could_match_nothing_is_refused() {
    let long = format!("/{}", "x".repeat(5000));
    for entry in [
        "",
        " ",
        "*",
        "data",
        "./data",
        "~/data",
        "/data/../x",
        "/data/./x",
        "/data*",
        "/data/*/x",
        "/data/**",
        "/data/ ",
        "/da\\ta",
        "/data/%2e",
        "/data/\u{0}",
        &long,
    ] {
        let error = Root::parse(entry).expect_err(entry);
        assert!(error.len() < 400 && !error.chars().any(char::is_control), "{error:?}");
    }
    assert!(Root::parse("/data/").is_ok());
    assert!(base("data").is_err() && base("/data/*").is_err() && base("/data").is_ok());
}

#[test]
fn an_entry_covers_another_exactly_when_it_allows_all_that_the_other_does() {
    for (one, other, covers) in [
        ("/data/*", "/data/x", true),
        ("/data/*", "/data/x/*", true),
        ("/data/*", "/data", false),
        ("/data/*", "/data/*", true),
        ("/data", "/data/*", false),
        ("/data", "/data", true),
        ("/*", "/data", true),
    ] {
        let [one, other] = [one, other].map(|entry| Root::parse(entry).unwrap());
        assert_eq!(one.covers(&other), covers, "{one:?} {other:?}");
    }
}

#[test]
fn a_path_may_have_4096_bytes_and_no_more() {
    let path = |length: usize| format!("/{}", "x".repeat(length - 1));
    assert!(list(&["/*"]).judge(&path(4096), &NoDisk).is_ok());
    assert_eq!(list(&["/*"]).judge(&path(4097), &NoDisk), Err(Fault::TooLong));
    assert!(base(&path(4096)).is_ok());
    for length in [4097, 5000] {
        let said = base(&path(length)).unwrap_err();
        assert!(said.contains("which is longer than 4096 bytes"), "{said}");
    }
}

#[test]
fn the_disk_of_this_machine_says_where_a_path_leads() {
    let tree = tempfile::tempdir().unwrap();
    let top = tree.path().canonicalize().unwrap();
    let root = top.join("root");
    fs::create_dir_all(root.join("dir")).unwrap();
    fs::write(root.join("file"), "").unwrap();
    symlink("file", root.join("inside")).unwrap();
    symlink(&top, root.join("outside")).unwrap();
    let roots = list(&[&format!("{}/*", root.display())]);
    for (way, judged) in [
        ("file", Ok(0)),
        ("dir", Ok(0)),
        ("dir/new", Ok(0)),
        ("new/below", Ok(0)),
        // Nothing can be below a file, so nothing leads out of there.
        ("file/below", Ok(0)),
        ("inside", Ok(0)),
        ("outside", Err(Fault::Outside)),
        ("outside/x", Err(Fault::Outside)),
        // A name that no disk takes cannot be looked up.
        (&*"x".repeat(300), Err(Fault::Unreadable)),
    ] {
        let path = root.join(way);
        assert_eq!(roots.judge(path.to_str().unwrap(), &LocalDisk), judged, "{way}");
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "..", ".", "d"];

/// A path of made-up names, relative or from the top of the tree.
fn way() -> impl Strategy<Value = String> {
    proptest::collection::vec(0..NAMES.len(), 1..6)
        .prop_map(|parts| parts.iter().map(|at| NAMES[*at]).collect::<Vec<_>>().join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_path_that_is_allowed_leads_below_the_root_for_the_system_too(
        dirs in proptest::collection::vec(way(), 0..6),
        links in proptest::collection::vec((way(), way(), any::<bool>()), 0..8),
        asked in proptest::collection::vec(way(), 1..12),
    ) {
        let tree = tempfile::tempdir().unwrap();
        let top = tree.path().canonicalize().unwrap();
        let root = top.join("root");
        fs::create_dir(&root).unwrap();
        for dir in &dirs {
            drop(fs::create_dir_all(root.join(dir)));
        }
        for (at, to, absolute) in &links {
            let to = if *absolute { top.join(to) } else { PathBuf::from(to) };
            drop(symlink(to, root.join(at)));
        }
        let entry = format!("{}/*", root.display());
        let roots = list(&[&entry]);
        for way in &asked {
            let path = root.join(way);
            if roots.judge(path.to_str().unwrap(), &LocalDisk).is_ok()
                && let Ok(real) = path.canonicalize()
            {
                prop_assert!(real.starts_with(&root) && real != root, "{way}: {}", real.display());
            }
        }
    }
}
