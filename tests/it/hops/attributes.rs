//! Functions made hops by the attributes, behind the real steps.

use super::support::{OPEN, Place, of};
use sec0::Refusal;
use sec0::hop::{HopContext, Sec0App};
use serde_json::json;
use std::cell::Cell;

/// Not what a refusal is, but made of one.
#[derive(Debug)]
enum ShopError {
    Refused(Refusal),
    OutOfStock,
}

impl From<Refusal> for ShopError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Nothing that could be recorded.
struct Key;

struct Stock<'a> {
    taken: &'a Cell<u32>,
}

#[sec0::hops]
impl Stock<'_> {
    #[sec0::hop(skip(key))]
    async fn take(&self, item: &str, key: &Key) -> Result<u32, ShopError> {
        let Key = key;
        assert_eq!(HopContext::current().unwrap().key(), "Stock.take");
        tokio::task::yield_now().await;
        self.taken.set(self.taken.get() + 1);
        if item == "nut" { Err(ShopError::OutOfStock) } else { Ok(self.taken.get()) }
    }
}

struct Desk(Sec0App);

impl AsRef<Sec0App> for Desk {
    fn as_ref(&self) -> &Sec0App {
        &self.0
    }
}

#[sec0::hops]
impl Desk {
    #[sec0::hop]
    fn serve(&mut self, count: u32) -> Result<u32, Refusal> {
        Ok(count + 1)
    }
}

#[tokio::test]
async fn the_arguments_of_a_function_are_the_input_of_its_record() {
    let (place, taken) = (Place::shop(OPEN), Cell::new(0));
    let app = place.app();
    let made = app.scope(Stock { taken: &taken }.take("bolt", &Key)).await.unwrap();
    assert_eq!((made, taken.get()), (1, 1));
    let look = app.hop("Stock.look").unwrap();
    look.run(json!({"item": "bolt"}), |_| async { Ok::<_, Refusal>(1) }).await.unwrap();
    let records = place.records(&app).await;
    let (take, look) = (of(&records, "Stock.take"), of(&records, "Stock.look"));
    assert_eq!(take["input_sha256"], look["input_sha256"]);
    assert_eq!(take["output_sha256"], look["output_sha256"]);
    assert!(take["input_sha256"].is_string() && take["status"] == "ok", "{take}");
}

#[tokio::test]
async fn a_rule_on_an_argument_refuses_the_call_before_the_body_runs() {
    let policy = format!(
        "{OPEN}rules: [{{id: bolts, tool: 'mcp://warehouse/take', pointer: /item, op: eq, \
         value: bolt, effect: deny}}]\n"
    );
    let (place, taken) = (Place::shop(&policy), Cell::new(0));
    let app = place.app();
    let stock = Stock { taken: &taken };
    let refused = app.scope(stock.take("bolt", &Key)).await.unwrap_err();
    assert!(matches!(&refused, ShopError::Refused(why) if why.reason().as_str() == "rule_denied"));
    assert_eq!(taken.get(), 0);
    let failed = app.scope(stock.take("nut", &Key)).await.unwrap_err();
    assert!(matches!(failed, ShopError::OutOfStock));
    let records = place.records(&app).await;
    let status: Vec<_> = records.iter().map(|record| record["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["denied", "error"]);
}

#[tokio::test]
async fn the_app_of_self_needs_no_scope() {
    let place = Place::shop(OPEN);
    let app = place.app();
    assert_eq!(Desk(app.clone()).serve(1).unwrap(), 2);
    assert_eq!(of(&place.records(&app).await, "Desk.serve")["status"], "ok");
}

#[tokio::test]
async fn outside_of_any_app_the_call_is_refused_with_the_fix() {
    let taken = Cell::new(0);
    let refused = Stock { taken: &taken }.take("bolt", &Key).await.unwrap_err();
    let ShopError::Refused(why) = refused else { panic!("{refused:?}") };
    assert!(why.to_string().contains("app.scope(..)"), "{why}");
    assert_eq!(taken.get(), 0);
}

#[sec0::hop("Stock.look")]
async fn large() -> Result<(), Refusal> {
    let held = [0_u8; 4096];
    tokio::task::yield_now().await;
    assert_eq!(held.len(), 4096);
    Ok(())
}

#[sec0::hop("Desk.serve")]
async fn around() -> Result<(), Refusal> {
    large().await
}

#[test]
fn a_function_is_no_larger_for_what_it_calls() {
    let (inner, outer) = (large(), around());
    let sizes = (size_of_val(&inner), size_of_val(&outer));
    assert!(sizes.0 < 2048 && sizes.1 < 2048, "{sizes:?}");
}
