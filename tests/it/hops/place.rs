//! Why an app or a hop cannot be had, each in the words of the original and with what to do.

use super::support::{HOPS, OPEN, Place};
use sec0::config::HopType;
use sec0::hop::Sec0App;

#[tokio::test]
async fn a_name_that_is_not_configured_is_told_with_the_one_that_was_meant() {
    let app = Place::shop(OPEN).app();
    let error = app.hop("OrderAgent.runs").unwrap_err().to_string();
    let original = "[sec0] No hop configuration found for \"OrderAgent.runs\". \
                    Define app.hops[\"OrderAgent.runs\"] in your config file.";
    assert!(error.starts_with(original), "{error}");
    assert!(error.contains("Did you mean `OrderAgent.run`?"), "{error}");
}

#[tokio::test]
async fn a_hop_of_another_type_is_told_with_both() {
    let app = Place::shop(OPEN).app();
    assert!(app.hop_of("OrderAgent.run", HopType::Agent).is_ok());
    let error = app.hop_of("OrderAgent.run", HopType::Tool).unwrap_err().to_string();
    let original = "[sec0] Hop \"OrderAgent.run\" is configured as \"agent\" but the decorator \
                    expects \"tool\".";
    assert!(error.starts_with(original), "{error}");
}

#[tokio::test]
async fn two_tenants_are_refused_with_the_fix() {
    let place = Place::new("", HOPS, Some(&OPEN.replace("tenant: acme", "tenant: other")));
    let error = Sec0App::init(place.config()).unwrap_err().to_string();
    assert!(error.contains("`app.tenant` is `acme`") && error.contains("`other`"), "{error}");
    assert!(error.ends_with("write the same in both"), "{error}");
}

#[tokio::test]
async fn a_policy_that_is_none_is_told_with_its_place() {
    let place = Place::new("", HOPS, Some(&OPEN.replace("enforce}", "enforced}")));
    let error = Sec0App::init(place.config()).unwrap_err().to_string();
    assert!(error.contains("policy.yaml:5:"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_told_in_the_words_of_the_original() {
    let error = Sec0App::load("nowhere/sec0.config.yaml").unwrap_err().to_string();
    assert!(error.starts_with("[sec0] Config file not found: "), "{error}");
}
