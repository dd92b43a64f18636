//! Keys: given, inferred, kept.

use super::spy::{Failed, hop::Sec0App, log};

struct OrderAgent<T>(T);

#[sec0::hops]
impl<T> OrderAgent<T> {
    #[sec0::hop(crate = "crate::spy")]
    fn run(&self) -> Result<(), Failed> {
        Ok(())
    }

    #[sec0::hop(skip(secret), crate = "crate::spy")]
    async fn r#await(&self, secret: Failed) -> Result<(), Failed> {
        Err(secret)
    }

    #[sec0::hop("Other.key", crate = "crate::spy")]
    fn own(&self) -> Result<(), Failed> {
        Ok(())
    }

    fn no_hop(&self) -> &T {
        &self.0
    }
}

#[tokio::test]
async fn a_method_of_a_block_has_the_key_of_its_type_and_name() {
    let agent = OrderAgent(1_u8);
    assert_eq!(agent.run(), Ok(()));
    assert_eq!(agent.r#await(Failed::Refused).await, Err(Failed::Refused));
    assert_eq!(agent.own(), Ok(()));
    assert_eq!(*agent.no_hop(), 1);
    assert_eq!(
        log(),
        [
            "OrderAgent.run by scope ()",
            "-> null",
            "OrderAgent.await by scope ()",
            "Other.key by scope ()",
            "-> null",
        ]
    );
}

trait Agent {
    fn run(&self) -> Result<(), Failed>;
}

struct Named;

#[sec0::hops("Invoices")]
impl Agent for Named {
    #[sec0::hop(crate = "crate::spy")]
    fn run(&self) -> Result<(), Failed> {
        Ok(())
    }
}

mod inner {
    pub(super) struct Quiet;
}

#[sec0::hops]
impl Agent for inner::Quiet {
    #[sec0::hop(crate = "crate::spy")]
    fn run(&self) -> Result<(), Failed> {
        Ok(())
    }
}

#[test]
fn the_class_is_the_given_one_or_the_last_name_of_the_type() {
    assert_eq!((Named.run(), inner::Quiet.run()), (Ok(()), Ok(())));
    assert_eq!(log(), ["Invoices.run by scope ()", "-> null", "Quiet.run by scope ()", "-> null"]);
}

struct WithApp(Sec0App);

impl AsRef<Sec0App> for WithApp {
    fn as_ref(&self) -> &Sec0App {
        &self.0
    }
}

/// Is a reference to something else, which must not count.
impl AsRef<str> for WithApp {
    fn as_ref(&self) -> &str {
        self.0.0
    }
}

#[sec0::hops]
impl WithApp {
    #[sec0::hop(crate = "crate::spy")]
    fn by_reference(&self) -> Result<(), Failed> {
        Ok(())
    }

    #[sec0::hop(crate = "crate::spy")]
    fn by_change(&mut self) -> Result<(), Failed> {
        self.0 = Sec0App("changed");
        Ok(())
    }

    #[sec0::hop(crate = "crate::spy")]
    fn shared(self: std::sync::Arc<Self>) -> Result<(), Failed> {
        Ok(())
    }

    #[sec0::hop(crate = "crate::spy")]
    async fn pinned(self: std::pin::Pin<&mut Self>) -> Result<(), Failed> {
        Ok(())
    }

    #[sec0::hop(crate = "crate::spy")]
    fn by_value(self) -> Result<(), Failed> {
        Ok(())
    }

    #[sec0::hop(crate = "crate::spy")]
    fn made() -> Result<(), Failed> {
        Ok(())
    }
}

#[tokio::test]
async fn the_app_is_that_of_self_however_self_is_taken() {
    let mut agent = WithApp(Sec0App("mine"));
    agent.by_reference().unwrap();
    agent.by_change().unwrap();
    std::pin::Pin::new(&mut agent).pinned().await.unwrap();
    std::sync::Arc::new(WithApp(Sec0App("shared"))).shared().unwrap();
    agent.by_value().unwrap();
    WithApp::made().unwrap();
    let by: Vec<String> = log().into_iter().filter(|line| line.contains(" by ")).collect();
    assert_eq!(
        by,
        [
            "WithApp.by_reference by mine ()",
            "WithApp.by_change by mine ()",
            "WithApp.pinned by changed ()",
            "WithApp.shared by shared ()",
            "WithApp.by_value by changed ()",
            "WithApp.made by scope ()",
        ]
    );
}
