use super::*;
use proptest::prelude::*;
use proptest::sample::select;

const PIECES: &[&str] = &[
    "app",
    "tenant",
    "environment",
    "hops",
    "controlPlane",
    "sec0Dir",
    "localSignerPath",
    "localDir",
    "A.b",
    "type",
    "agent",
    "tool",
    "gateway",
    "nodeId",
    "enforcement",
    "deny_on",
    "automation",
    ": ",
    ":\n  ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\n",
    "- ",
    "${X}",
    "$${",
    "${",
    "}",
    "&a ",
    "*a",
    "'",
    "\"",
    "|",
    "#",
    "dev",
    "\u{0}",
    "\u{202e}",
    "é",
    "<<",
    "---\n",
    "~",
    "7",
    "true",
    "!!",
    "file://",
];

/// Whatever is said of it has a place, is short and has nothing that a terminal obeys.
fn holds(text: &str) {
    let reader = ConfigReader::new().variables(|name| (name == "X").then(|| "hush".into()));
    let error = match reader.yaml(text) {
        Ok(config) => {
            config.hop_problems();
            return;
        }
        Err(error) => error,
    };
    assert!((1..=ConfigError::MAX_PROBLEMS + 1).contains(&error.problems().len()));
    for problem in error.problems() {
        assert!(problem.message.len() < 4096, "{problem:?}");
        let told = problem.told_of("f");
        assert!(!told.contains(|c: char| c.is_control() || c == '\u{202e}'), "{told:?}");
        assert!(!told.contains("hush"), "{told}");
        assert!((problem.line == 0) == (problem.column == 0), "{problem:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(pieces in prop::collection::vec(select(PIECES), 0..60)) {
        holds(&pieces.concat());
    }

    #[test]
    fn no_change_to_a_configuration_makes_it_panic(
        at in 0..300_usize,
        take in 0..40_usize,
        put in prop::collection::vec(select(PIECES), 0..4),
    ) {
        let whole: Vec<char> = with_hops(
            "A.b: {type: tool, nodeId: n, server: s, tool: '${X}', enforcement: {deny_on: [x]}}",
        ).chars().collect();
        let at = at.min(whole.len());
        let rest = (at + take).min(whole.len());
        let text: String = whole[..at].iter().collect::<String>()
            + &put.concat()
            + &whole[rest..].iter().collect::<String>();
        holds(&text);
    }
}

#[test]
fn deep_long_and_multiplied_texts_are_refused() {
    for (text, wanted) in [
        (format!("app: {}{}", "[".repeat(200), "]".repeat(200)), "nested deeper than 16 levels"),
        (" ".repeat((1 << 20) + 1), "the file is larger than 1048576 bytes"),
        (format!("a: &a [x]\nb: [{}]", "*a, ".repeat(5000)), "too many anchors or aliases"),
        ("app: {tenant: a\n".to_owned(), "not valid YAML"),
        ("app: 1\n---\napp: 2".to_owned(), "a second document starts here"),
        ("<<: {a: 1}".to_owned(), "a merge key `<<`"),
    ] {
        let said = refused(&text);
        assert!(said.contains(wanted), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
