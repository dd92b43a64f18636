//! Policy files of people who mean harm: `sec0 policy check` answers with a place or a fix, in
//! bounded memory.

use super::policy::GOOD;
use super::{Desk, Run};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All the address space that a run gets, in KiB: program, libraries and stack included.
const SPACE: &str = "131072";

/// Checks a file in 128 mebibytes of address space.
fn check(desk: &Desk, file: &str) -> Run {
    let mut command = desk.command(&[]);
    let sec0 = command.get_program().to_owned();
    command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -v \"$1\" && exec \"$2\" policy check \"$3\"", "sh", SPACE])
        .arg(sec0)
        .arg(file)
        .current_dir(desk.0.path())
        .stdin(std::process::Stdio::null());
    Run::of(command.output().unwrap())
}

/// The file is refused, in one line of text that says so.
#[track_caller]
fn refused(run: &Run, said: &str) {
    assert!(run.status == 1 || run.status == 2, "{}: {}", run.status, run.err);
    assert!(run.out.is_empty() && run.err.contains(said), "{said}\n{}", run.err);
    assert!(!run.err.contains("panicked") && run.err.len() < 100_000, "{}", run.err);
}

const TOO_LARGE: &str = "the file is larger than 1048576 bytes";
const TOO_DEEP: &str = "nested deeper than 16 levels";
const TOO_MANY: &str = "the file has more than 200000 values";
const ALIASES: &str = "too many anchors or aliases";

#[test]
fn the_limit_of_the_tests_would_be_felt() {
    let desk = Desk::new();
    desk.write("policy.yaml", GOOD);
    check(&desk, "policy.yaml").ended(0);
    // What the check refuses, and the limit holds: a hundred megabytes three times over.
    let all = "x=$(head -c 100000000 /dev/zero | tr '\\0' a); y=$x$x$x; echo ${#y}";
    let limited = format!("ulimit -v {SPACE} && {all}");
    let run = std::process::Command::new("sh").args(["-c", &limited]).output().unwrap();
    assert!(!run.status.success(), "the shell got more than the limit");
}

#[test]
fn large_files_cost_no_more_than_what_is_read_of_them() {
    let desk = Desk::new();
    let sparse = File::create(desk.path("sparse.yaml")).unwrap();
    sparse.set_len(100_000_000).unwrap();
    refused(&check(&desk, "sparse.yaml"), TOO_LARGE);

    let mut full = File::create(desk.path("full.yaml")).unwrap();
    for _ in 0..100 {
        full.write_all(&b"# a comment\n".repeat(90_000)).unwrap();
    }
    refused(&check(&desk, "full.yaml"), TOO_LARGE);
    fs::remove_file(desk.path("full.yaml")).unwrap();

    for text in [
        "a: 1\n".repeat(1_000_000),
        GOOD.replace("mcp://demo/add@1.0", &"mcp://demo/add@1.0', '".repeat(1_000_000)),
        format!("a: {}", "x".repeat(2_000_000)),
    ] {
        desk.write("policy.yaml", &text);
        refused(&check(&desk, "policy.yaml"), TOO_LARGE);
    }
}

#[test]
fn what_fits_and_is_made_to_cost_costs_little() {
    let desk = Desk::new();
    let levels = |open: &str| open.repeat((1 << 20) / open.len());
    let blocks: Vec<_> = (0..1400).map(|depth| " ".repeat(depth)).collect();
    let laughs = |item: &str| -> String {
        (1..60).fold(format!("a0: &a0 {item}\n"), |text, n| {
            let aliases = vec![format!("*a{}", n - 1); 9].join(",");
            format!("{text}a{n}: &a{n} [{aliases}]\n")
        })
    };
    let one = "x".repeat(1 << 19);
    let cases: Vec<(String, &str)> = vec![
        (levels("["), TOO_DEEP),
        (levels("{a: "), TOO_DEEP),
        (levels("{? "), TOO_DEEP),
        (levels("- "), TOO_DEEP),
        (levels("? "), TOO_DEEP),
        (levels("[{a: "), TOO_DEEP),
        (levels("!!seq [ "), TOO_DEEP),
        (format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)), TOO_DEEP),
        (blocks.join("a:\n"), TOO_DEEP),
        (laughs("[x, x, x, x, x, x, x, x, x]"), ALIASES),
        (laughs("{a: x, b: x, c: x}"), ALIASES),
        (laughs("xxxxxxxxxxxxxxxxxxxxxxxxxxxx"), ALIASES),
        // A large text a hundred times over would be fifty megabytes.
        (format!("a: &a {one}\nb: [{}]", "*a,".repeat(90)), ""),
        (format!("a: [{}]", "&a x, ".repeat(100_000)), ALIASES),
        ("a: 1\n".repeat(200_000), TOO_MANY),
        ("{}: 1\n".repeat(140_000), TOO_MANY),
        (format!("a: [{}]", "b,".repeat(500_000)), TOO_MANY),
        ("? {a: 1}\n: x\n".to_owned(), "a key must be text, found a map; quote it"),
        ("{a: 1}: x\n".to_owned(), "a key must be text, found a map; quote it"),
        ("? [a]\n: x\n".to_owned(), "a key must be text, found a list; quote it"),
        (format!("{}: 1\n", "k".repeat(1000)), "unknown key `kkk"),
        (format!("{GOOD}x: {one}\n"), "unknown key `x`"),
        (format!("{GOOD}x: \"{one}\"\n"), "unknown key `x`"),
        (format!("{GOOD}x: |\n{}", "  y\n".repeat(200_000)), "unknown key `x`"),
        (format!("{GOOD}\"{one}\": 1\n"), ""),
        (format!("{GOOD}x: {}\n", "9".repeat(1 << 19)), ""),
        (format!("# {one}\n{}", "#\n".repeat(200_000)), "the file is empty"),
        ("---\n".repeat(200_000), "a second document starts here"),
        ("%YAML 1.2\n".repeat(100_000), ""),
        ("!".repeat(1 << 20), ""),
        ("&".repeat(1 << 20), ""),
        ("*".repeat(1 << 20), ""),
        ("\"".repeat(1 << 20), ""),
        ("'".repeat(1 << 20), ""),
        (":".repeat(1 << 20), ""),
        (": ".repeat(1 << 19), ""),
        ("- ? ".repeat(1 << 18), ""),
        ("a:\n\t- b".repeat(1 << 10), ""),
        ("\n".repeat(1 << 20), "the file is empty"),
        (GOOD.replace("['mcp://demo/add@1.0']", &format!("['{}']", "a*', '".repeat(90_000))), ""),
    ];
    for (text, said) in cases {
        desk.write("policy.yaml", &text);
        let run = check(&desk, "policy.yaml");
        let start: String = text.chars().take(40).collect();
        assert!(run.err.starts_with("policy.yaml:"), "{start}: {}", run.err);
        refused(&run, said);
    }
}

#[test]
fn bytes_that_are_no_plain_text_are_refused_with_their_place() {
    let desk = Desk::new();
    let utf16 = |little: bool| -> Vec<u8> {
        let units = format!("\u{feff}{GOOD}");
        let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        units.encode_utf16().flat_map(bytes).collect()
    };
    let cases: [(Vec<u8>, &str); 8] = [
        (utf16(true), "policy.yaml:1:1: a byte that is not UTF-8; save the file as UTF-8"),
        (utf16(false), "policy.yaml:1:1: a byte that is not UTF-8; save the file as UTF-8"),
        (utf16(true).split_off(2), "policy.yaml:1:"),
        (GOOD.replace("acme", "ac\0me").into_bytes(), "policy.yaml:1:"),
        (GOOD.replace("acme", "ac\u{1}me").into_bytes(), "policy.yaml:1:"),
        (vec![0; 1000], "policy.yaml:1:"),
        (b"tenant: acme\n\tdefault_retention: 30d\n".to_vec(), "policy.yaml:"),
        (b"tenant: acme\xed\xa0\x80\n".to_vec(), "policy.yaml:1:13: a byte that is not UTF-8"),
    ];
    for (bytes, said) in cases {
        fs::write(desk.path("policy.yaml"), &bytes).unwrap();
        let run = check(&desk, "policy.yaml");
        refused(&run, said);
        assert_eq!(run.status, 1, "{}", run.err);
    }
}

#[test]
fn a_mark_at_the_start_and_other_ends_of_lines_change_nothing() {
    let desk = Desk::new();
    desk.write("policy.yaml", GOOD);
    let plain = check(&desk, "policy.yaml").ended(0).out;
    for text in [
        format!("\u{feff}{GOOD}"),
        GOOD.replace('\n', "\r\n"),
        format!("\u{feff}{}", GOOD.replace('\n', "\r\n")),
        format!("{GOOD}\n\n# the end\n...\n"),
        GOOD.replace(": ", ":\t"),
    ] {
        desk.write("policy.yaml", &text);
        assert_eq!(check(&desk, "policy.yaml").ended(0).out, plain, "{text:?}");
    }
}

#[test]
fn what_is_no_regular_file_is_not_read() {
    let desk = Desk::new();
    fs::create_dir(desk.path("dir.yaml")).unwrap();
    let here = File::open(desk.0.path()).unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
    rustix::fs::mknodat(here.as_fd(), "pipe.yaml", kind, mode, 0).unwrap();
    std::os::unix::fs::symlink("/dev/zero", desk.path("zero.yaml")).unwrap();
    std::os::unix::fs::symlink("loop.yaml", desk.path("loop.yaml")).unwrap();
    for file in ["dir.yaml", "pipe.yaml", "zero.yaml", "/dev/zero", "/dev/stdin"] {
        let run = check(&desk, file);
        refused(&run, "cannot be read: it is not a regular file");
        assert_eq!(run.status, 2, "{file}");
    }
    let run = check(&desk, "loop.yaml");
    refused(&run, "loop.yaml: cannot be read: ");
}

#[test]
fn a_file_that_grows_while_it_is_read_has_an_end() {
    let desk = Desk::new();
    desk.write("policy.yaml", GOOD);
    let mut file = File::options().append(true).open(desk.path("policy.yaml")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, piece) = (Arc::clone(&stop), b"# more and more\n".repeat(4096));
    let writer = std::thread::spawn(move || {
        // Enough that no run sees the end of it, and not so much that the disk does.
        for count in 0..512 {
            if count > 32 && stopped.load(Ordering::Relaxed) {
                break;
            }
            file.write_all(&piece).unwrap();
        }
    });
    let runs: Vec<_> = (0..5).map(|_| check(&desk, "policy.yaml")).collect();
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    for run in runs {
        // Cut inside the first mebibyte it is a policy still, or a comment without its end.
        assert!(run.status == 0 || run.err.contains(TOO_LARGE), "{}: {}", run.status, run.err);
    }
    refused(&check(&desk, "policy.yaml"), TOO_LARGE);
}
