//! Against the crate itself.

#[derive(Debug)]
struct Failed(String);

impl From<sec0::Refusal> for Failed {
    fn from(refusal: sec0::Refusal) -> Self {
        Self(refusal.to_string())
    }
}

struct OrderAgent;

#[sec0::hops]
impl OrderAgent {
    #[sec0::hop]
    async fn run(&self, order: u32) -> Result<u32, Failed> {
        Ok(order)
    }

    #[sec0::hop(skip(token, return))]
    fn run_sync(&self, order: u32, token: &str) -> Result<u32, Failed> {
        Ok(order + u32::from(token.is_empty()))
    }
}

#[sec0::hop("Free.run")]
fn free() -> Result<(), Failed> {
    Ok(())
}

#[tokio::test]
async fn outside_of_an_app_a_hop_is_refused() {
    for refused in [OrderAgent.run(1).await.err(), OrderAgent.run_sync(1, "").err(), free().err()] {
        assert!(refused.is_some_and(|Failed(text)| !text.is_empty()));
    }
}

#[test]
fn a_hop_can_be_spawned() {
    fn spawned(_: impl Send) {}
    spawned(OrderAgent.run(1));
}
