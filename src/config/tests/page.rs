use super::super::schema::{FLAT, STANDARD as FORM, of};
use super::*;
use crate::policy::reading::{Key, Shape, every_key};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../docs/config.md");

/// Every key of both forms and of all hops, with the start of its row.
fn rows() -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    let mut add = |path: &str, key: &Key| {
        rows.insert(format!("| `{path}` | {} |", kind(&key.shape)));
    };
    every_key(FORM.keys, "", &mut add);
    every_key(FLAT.keys, "", &mut add);
    for hop in HopType::ALL {
        every_key(of(hop).keys, "app.hops.*", &mut add);
    }
    rows
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Flag => "boolean",
        Shape::Number(..) | Shape::Positive => "number",
        Shape::OneOf(_) => "word",
        Shape::Text(_) | Shape::Told(..) => "text",
        Shape::List(_) | Shape::Filled(_) => "list",
        Shape::Section(_) | Shape::Saying(..) | Shape::Open(_) => "map",
        Shape::Either(..) | Shape::Anything => "any",
    }
}

#[test]
fn has_a_row_for_every_key_and_none_of_its_own() {
    let found: Vec<_> = PAGE.lines().filter(|line| line.starts_with("| `")).collect();
    let rows = rows();
    let lacking: Vec<_> =
        rows.iter().filter(|row| !found.iter().any(|line| line.starts_with(*row))).collect();
    assert!(lacking.is_empty(), "docs/config.md lacks these rows:\n{lacking:#?}");
    let own: Vec<_> =
        found.iter().filter(|line| !rows.iter().any(|row| line.starts_with(row))).collect();
    assert!(own.is_empty(), "docs/config.md has rows of its own:\n{own:#?}");
    assert!(found.iter().all(|line| line.matches(" | ").count() == 3), "a row lacks its default");
}

#[test]
fn has_examples_that_are_configurations() {
    let mut examples = 0;
    for block in PAGE.split("```yaml\n").skip(1) {
        let example = block.split("```").next().unwrap();
        let reader =
            ConfigReader::new().variables(|name| (!name.contains("URL")).then(|| "value".into()));
        let config = reader.yaml(example).expect(example);
        assert_eq!(config.hop_problems(), []);
        examples += 1;
    }
    assert!(examples > 1);
}
