use super::super::check::check;
use super::contract::{around, keys, put, smallest};
use super::*;
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The schema, as somebody else reads it.
static READER: LazyLock<Validator> = LazyLock::new(|| {
    let schema = Policy::json_schema();
    assert!(jsonschema::meta::is_valid(&schema), "it is no schema itself");
    jsonschema::draft202012::new(&schema).unwrap()
});

/// What the check takes the schema takes, and the other way round.
#[track_caller]
fn agree(document: &Value) {
    // Of names that lead nowhere and the like no schema knows.
    let tree = yaml::parse(&document.to_string()).unwrap();
    let problems = check(&tree).err().unwrap_or_default();
    let errors: Vec<_> = READER.iter_errors(document).map(|error| error.to_string()).collect();
    assert_eq!(problems.is_empty(), errors.is_empty(), "{document:#}\n{problems:#?}\n{errors:#?}");
}

#[test]
fn the_file_for_editors_is_what_the_code_says() {
    let file: Value =
        serde_json::from_str(include_str!("../../../docs/policy.schema.json")).unwrap();
    assert!(
        file == Policy::json_schema(),
        "docs/policy.schema.json is not what the code says; write it again with \
         `cargo run --features cli --bin sec0 -- policy schema > docs/policy.schema.json`"
    );
}

#[test]
fn says_what_each_key_is_for_and_what_is_not_built_yet() {
    let schema = Policy::json_schema();
    let at = |pointer: &str| schema.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    assert_eq!(at("/$schema"), "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(at("/$id"), "urn:sec0:policy");
    assert_eq!(
        at("/required"),
        &json!(["tenant", "default_retention", "signing", "tools", "enforcement"])
    );
    assert_eq!(at("/additionalProperties"), &json!(false));
    let lock = at("/properties/registry/properties/lock/enum");
    assert_eq!(lock, &json!(["require", "warn"]));
    let redact = "/properties/privacy/properties/redact_outputs";
    assert_eq!(at(redact)["const"], json!(false));
    let redact = at(&format!("{redact}/description")).as_str().unwrap();
    assert!(redact.starts_with("Refused: redaction is not built yet; only `false` is accepted. "));
    let approvals = "/properties/security/properties/side_effects/properties/ttl_seconds";
    assert_eq!(at(approvals)["default"], json!(3600));
    let members = "/properties/approval_sets/additionalProperties/properties/members/items";
    assert_eq!(at(&format!("{members}/required")), &json!(["id", "public_key"]));
    let rate = "/properties/security/properties/limits/properties/rate/items/properties";
    assert_eq!(at(&format!("{rate}/per_second/exclusiveMinimum")), &json!(0));
    assert_eq!(at("/properties/sec0_export/required"), &json!(["enabled"]));
    assert_eq!(at("/properties/tools/properties/deny_if_unpinned_version/default"), &json!(true));
    assert_eq!(at("/properties/rules/items/properties/op/enum").as_array().unwrap().len(), 16);
}

#[test]
fn agrees_with_the_check_on_every_key_and_value_of_the_contract() {
    agree(&smallest());
    for key in keys() {
        let values = key.of_another_type().into_iter().chain(key.bad.clone());
        for value in values.chain(key.nothing.clone()).chain([key.asks.clone()]) {
            for mut document in [smallest(), around(key)] {
                put(&mut document, &key.path, value.clone());
                agree(&document);
            }
        }
        let mut document = smallest();
        put(&mut document, &format!("{}_", key.path), key.asks.clone());
        agree(&document);
    }
}

#[test]
fn agrees_with_the_check_on_every_policy_of_the_pages() {
    let page = include_str!("../../../docs/policy.md");
    let mut examples = 0;
    for block in page.split("```yaml\n").skip(1) {
        let example: Value = serde_saphyr::from_str(block.split("```").next().unwrap()).unwrap();
        assert!(READER.is_valid(&example), "{example:#}");
        examples += 1;
    }
    assert!(examples > 1);
}

/// One change to a document: which key, which of its values, or that it is left out.
type Change = (Index, Index, bool);

proptest! {
    #[test]
    fn agrees_with_the_check_on_keys_in_any_company(
        changes in prop::collection::vec(any::<Change>(), 1..12),
        switch in select(vec![None, Some(false), Some(true)]),
    ) {
        let keys = keys();
        let mut document = smallest();
        for (key, value, wild) in changes {
            let key = key.get(keys);
            let mut values: Vec<_> = key.nothing.clone().into_iter().collect();
            values.push(key.asks.clone());
            if wild {
                values.extend(key.bad.clone());
                values.extend(key.of_another_type());
            }
            put(&mut document, &key.path, value.get(&values).clone());
            if let (Some(on), Some((section, _))) = (switch, key.path.rsplit_once('.')) {
                let switch = format!("{section}.enabled");
                if keys.iter().any(|key| key.path == switch) {
                    put(&mut document, &switch, json!(on));
                }
            }
        }
        agree(&document);
    }
}
