//! The keys that a policy must know, written out: those of the original, those that its runtime
//! reads without its schema, and ours. Not one of them is accepted and then forgotten.

use super::super::schema::{ROOT, every_key};
use super::super::shape::Stands;
use super::rows::{BLANK, HUMANS, How, MAP, NONE, ROWS, Row};
use super::*;
use How::{Enforced, Inner, Noted, Parts, Refused};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// One key with its values.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) path: String,
    pub(super) how: How,
    pub(super) nothing: Option<Value>,
    pub(super) asks: Value,
    pub(super) bad: Vec<Value>,
}

impl Key {
    fn new(path: String, how: How, row: &Row) -> Self {
        let read = |text: &str| serde_json::from_str(text).expect(text);
        Self {
            path,
            how,
            nothing: row.2.map(read),
            asks: read(row.3),
            bad: row.4.iter().map(|text| read(text)).collect(),
        }
    }

    /// The key that decides on the value that this one is part of.
    fn whole(&self) -> &str {
        self.path.split(['[', '*']).next().unwrap().trim_end_matches('.')
    }

    /// Values of another type.
    pub(super) fn of_another_type(&self) -> Vec<Value> {
        let anything = ["rules[].value", "compliance.packs[].rules[].threshold"];
        if anything.contains(&self.path.as_str()) {
            return Vec::new();
        }
        let all = [json!(null), json!(true), json!(7), json!("word"), json!([]), json!({})];
        let same =
            |value: &Value| std::mem::discriminant(value) == std::mem::discriminant(&self.asks);
        let mode = |value: &Value| self.path == "audit.mode" && value.is_object();
        all.into_iter().filter(|value| !same(value) && !mode(value)).collect()
    }
}

/// Every key.
pub(super) fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(read);
    &KEYS
}

fn read() -> Vec<Key> {
    let mut keys: Vec<_> = ROWS.iter().map(|row| Key::new(row.0.to_owned(), row.1, row)).collect();
    for name in ["human_escalation", "humanEscalation"] {
        let under = format!("security.side_effects.{name}");
        keys.push(Key::new(under.clone(), Enforced, &Row("", Enforced, MAP, "{}", &[])));
        let tools = Row("", Enforced, NONE, "[{\"tool\": \"*\"}]", &["[{}]"]);
        keys.push(Key::new(format!("{under}.tools"), Enforced, &tools));
        let tool = Row("", Enforced, None, "\"*\"", BLANK);
        keys.push(Key::new(format!("{under}.tools[].tool"), Enforced, &tool));
        for row in HUMANS {
            keys.push(Key::new(format!("{under}.{}", row.0), row.1, row));
            let inner = Row("", Enforced, None, row.3, row.4);
            keys.push(Key::new(format!("{under}.tools[].{}", row.0), Enforced, &inner));
        }
    }
    keys
}

/// Where a path leads in a document with one entry in each list.
pub(super) fn place(path: &str) -> String {
    path.replace("[]", "[0]").replace(".*", ".prod")
}

/// Puts a value where a path leads, and makes the way there.
pub(super) fn put(document: &mut Value, path: &str, value: Value) {
    let mut at = document;
    for part in place(path).split('.') {
        let (name, entry) = part.split_once('[').map_or((part, false), |(name, _)| (name, true));
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name];
        if entry {
            if at.get(0).is_none() {
                *at = json!([{}]);
            }
            at = &mut at[0];
        }
    }
    *at = value;
}

/// The smallest policy.
pub(super) fn smallest() -> Value {
    json!({
        "tenant": "acme", "default_retention": "30d", "signing": {"enabled": true},
        "tools": {"allowlist": []}, "enforcement": {},
    })
}

/// Every key at a value that asks for nothing, where it has one, and no section turned off.
fn nothing() -> Value {
    let mut document = smallest();
    for key in keys() {
        let off = key.path.ends_with(".enabled") && key.nothing == Some(json!(false));
        if let Some(value) = key.nothing.clone().filter(|_| !off) {
            put(&mut document, &key.path, value);
        }
    }
    put(&mut document, "sec0_export.enabled", json!(false));
    document
}

/// The smallest policy with everything that is next to this key, or around it, at values that
/// ask for something.
pub(super) fn around(key: &Key) -> Value {
    let mut document = smallest();
    let first = key.path.split(['.', '[']).next();
    for other in keys() {
        if other.path.split(['.', '[']).next() == first && !other.path.starts_with("audit.mode.") {
            put(&mut document, &other.path, other.asks.clone());
        }
    }
    document
}

pub(super) fn problems(document: &Value) -> Vec<Problem> {
    let text = serde_json::to_string_pretty(document).unwrap();
    Policy::from_yaml(&text).map_or_else(|error| error.problems().to_vec(), |_| Vec::new())
}

#[test]
fn has_every_key_of_the_original_and_of_ours_and_no_other() {
    let mut schema = Vec::new();
    every_key(ROOT, "", &mut |path, key| {
        let how = match key.stands {
            Stands::Enforced => Enforced,
            Stands::Noted => Noted,
            Stands::Parts => Parts,
            Stands::Refused(..) => Refused,
            Stands::Inner => Inner,
        };
        schema.push((path.to_owned(), how));
    });
    let table: Vec<_> = keys().iter().map(|key| (key.path.clone(), key.how)).collect();
    for row in &table {
        assert!(schema.contains(row), "the schema lacks {row:?}");
    }
    for row in &schema {
        assert!(table.contains(row), "this table lacks {row:?}");
    }
    assert_eq!(table.len(), schema.len());
}

#[test]
fn a_document_with_every_key_that_asks_for_nothing_is_a_policy() {
    assert_eq!(problems(&nothing()), []);
}

#[test]
fn each_key_that_asks_for_something_unbuilt_is_refused_by_name_and_no_other_is() {
    // An entry of these lists is enforced as a whole; its parts have tests of their own.
    // So have the keys of asking, which are wrong in wrong company.
    let whole = [
        "tools.overrides[]",
        "rules[]",
        "security.limits.rate[]",
        "observability.sample.",
        "approval_sets.",
        "security.side_effects.human",
        "security.side_effects.escalation",
        "security.side_effects.timeout_action",
    ];
    for key in keys().iter().filter(|key| !whole.iter().any(|list| key.path.starts_with(list))) {
        let mut document = nothing();
        put(&mut document, &key.path, key.asks.clone());
        let mut refused = BTreeSet::new();
        if matches!(key.how, Refused | Inner) {
            refused.insert(key.whole().to_owned());
        }
        if key.how == Inner {
            // An entry must have its other keys, too.
            document = nothing();
            for other in keys().iter().filter(|other| other.whole() == key.whole()) {
                put(&mut document, &other.path, other.asks.clone());
            }
        }
        if key.path.starts_with("sec0_export.") {
            // Without `enabled: true` nothing in this section asks for anything.
            put(&mut document, "sec0_export.enabled", json!(true));
            refused.insert("sec0_export.enabled".to_owned());
        }
        let problems = problems(&document);
        let found: BTreeSet<_> = problems.iter().map(|problem| problem.path.clone()).collect();
        assert_eq!(found, refused, "{}: {problems:#?}", key.path);
        assert_eq!(problems.len(), refused.len(), "{problems:#?}");
        for problem in problems {
            assert!(problem.message.contains(" is refused: "), "{problem}");
        }
    }
}

#[test]
fn each_key_is_accepted_in_a_section_that_is_off() {
    let sections: Vec<_> = keys()
        .iter()
        .filter(|key| key.nothing == Some(json!(false)))
        .filter_map(|key| key.path.strip_suffix(".enabled").map(str::to_owned))
        .collect();
    assert!(sections.len() >= 9, "{sections:?}");
    for section in sections {
        let mut document = smallest();
        for key in keys().iter().filter(|key| key.path.starts_with(&format!("{section}."))) {
            put(&mut document, &key.path, key.asks.clone());
        }
        put(&mut document, &format!("{section}.enabled"), json!(false));
        assert_eq!(problems(&document), [], "{section}");
    }
}

#[test]
fn a_value_of_another_type_or_out_of_range_is_refused_even_where_the_key_is_not_built() {
    let mut tried = 0;
    for key in keys() {
        for value in key.of_another_type().into_iter().chain(key.bad.clone()) {
            let mut document = around(key);
            put(&mut document, &key.path, value.clone());
            let at = place(&key.path);
            let problems = problems(&document);
            let faults = problems.iter().filter(|problem| {
                problem.path.starts_with(&at) && !problem.message.contains(" is refused: ")
            });
            assert!(faults.count() > 0, "`{at}: {value}` in {problems:#?}");
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn an_unknown_key_in_any_section_is_refused_in_its_place() {
    let mut sections = BTreeSet::new();
    for key in keys() {
        let parent = key.path.rsplit_once('.').map_or("", |(parent, _)| parent).to_owned();
        sections.insert((parent, key.path.clone()));
    }
    for (section, path) in sections {
        let key = keys().iter().find(|key| key.path == path).unwrap();
        let mut document = around(key);
        let unknown = format!("{section}.zzz");
        put(&mut document, unknown.trim_start_matches('.'), json!(1));
        let text = serde_json::to_string_pretty(&document).unwrap();
        let (line, row) =
            text.lines().enumerate().find(|(_, row)| row.contains("\"zzz\"")).unwrap();
        let problems = problems(&document);
        let said = problems.iter().any(|problem| {
            usize::try_from(problem.line).unwrap() == line + 1
                && usize::try_from(problem.column).unwrap() == row.find('"').unwrap() + 1
                && problem.path == place(&section)
                && problem.message.starts_with("unknown key `zzz`")
        });
        assert!(said, "`{unknown}` in {problems:#?}");
    }
}
