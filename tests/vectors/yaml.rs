//! Other people's YAML as policies and as configurations: refused with a place, in bounded time and memory.

use super::{Folder, rows, text, tried};
use sec0::config::{Config, ConfigError};
use sec0::policy::{Policy, PolicyError};

#[test]
fn yaml() {
    let Some(folder) = Folder::find("yaml") else { return };
    for path in folder.files("", "yaml_test_suite", ".jsonl") {
        let (mut grammar, mut trees, mut lenient) = (0, 0, 0);
        for row in rows(&path) {
            let yaml = text(&row, "yaml");
            let error = refused(yaml, text(&row, "name"));
            // The words of the check, and not those of the parser.
            let tree =
                ["missing key", "unknown key", "must be", "the file is empty", "a second time"];
            let first = &error.problems()[0].message;
            if !tree.iter().any(|word| first.contains(word)) {
                grammar += 1;
            } else if row["fail"] == true {
                lenient += 1;
            } else {
                trees += 1;
            }
        }
        tried(&format!(
            "yaml: {}: {trees} read and refused as no policy, {grammar} refused as they are, \
             {lenient} that are no YAML read and refused as no policy",
            path.display()
        ));
    }
    for path in folder.files("", "hostile", ".jsonl") {
        let rows = rows(&path);
        for row in &rows {
            let error = refused(text(row, "yaml"), text(row, "name"));
            let said = error.to_string();
            match text(row, "class") {
                "alias_bomb" => assert_eq!(error.problems().len(), 1, "{said}"),
                // A key that is no text cannot be said to stand twice.
                "duplicate_key" => assert!(
                    said.contains("stands here a second time")
                        || said.contains("a key must be text"),
                    "{said}"
                ),
                _ => {}
            }
        }
        tried(&format!("yaml: {}: {} refused", path.display(), rows.len()));
    }
}

/// Why this text is no policy: each problem in its place, and not more than somebody can read.
fn refused(yaml: &str, name: &str) -> PolicyError {
    let error = Policy::from_yaml(yaml).expect_err(name);
    refused_as_a_configuration(yaml, name);
    let lines = u32::try_from(yaml.split('\n').count()).unwrap();
    assert!((1..=PolicyError::MAX_PROBLEMS + 1).contains(&error.problems().len()), "{name}");
    for problem in error.problems() {
        assert!(problem.line <= lines + 1, "{name}: {problem}");
        assert!(problem.line == 0 || problem.column > 0, "{name}: {problem}");
        assert!(!problem.message.is_empty() && problem.message.len() < 4096, "{name}: {problem}");
        assert!(!problem.message.chars().any(char::is_control), "{name}: {problem:?}");
    }
    error
}

/// The same of a configuration: what is no policy is no `sec0.config.yaml` either.
fn refused_as_a_configuration(yaml: &str, name: &str) {
    let error = Config::from_yaml(yaml).expect_err(name);
    assert!((1..=ConfigError::MAX_PROBLEMS + 1).contains(&error.problems().len()), "{name}");
    for problem in error.problems() {
        let told = problem.told_of("file");
        assert!((problem.line == 0) == (problem.column == 0), "{name}: {told}");
        assert!(!told.is_empty() && told.len() < 4096, "{name}: {told}");
        assert!(!told.chars().any(char::is_control), "{name}: {told:?}");
    }
}
