//! Functions of every shape stay what they were.

use super::spy::{Failed, log, note};
use serde::Serialize;
use std::cell::RefCell;
use std::fmt::Display;
use std::pin::Pin;

/// The names of agents.
struct Names {
    names: Vec<String>,
}

impl Names {
    #[sec0::hop("Names.first", crate = "crate::spy")]
    fn first<'a>(&'a self, or: &'a str) -> Result<&'a str, Failed> {
        Ok(self.names.first().map_or(or, String::as_str))
    }

    #[sec0::hop("Names.last", skip(return), crate = "crate::spy")]
    fn last(&mut self) -> Result<&mut String, Failed> {
        self.names.last_mut().ok_or(Failed::Other("none".to_owned()))
    }

    #[sec0::hop("Names.join", crate = "crate::spy")]
    async fn join(&self, with: &str) -> Result<String, Failed> {
        tokio::task::yield_now().await;
        Ok(self.names.join(with))
    }

    #[sec0::hop("Names.taken", crate = "crate::spy")]
    fn taken(mut self) -> Result<Vec<String>, Failed> {
        self.names.push("c".to_owned());
        Ok(self.names)
    }
}

#[tokio::test]
async fn results_may_borrow_from_self_and_arguments() {
    let mut names = Names { names: vec!["a".to_owned(), "b".to_owned()] };
    assert_eq!(names.first("-"), Ok("a"));
    names.last().unwrap().push('!');
    assert_eq!(names.join("+").await, Ok("a+b!".to_owned()));
    assert_eq!(names.taken().unwrap().len(), 3);
}

#[sec0::hop("early", crate = "crate::spy")]
fn early(text: &str) -> Result<i32, Failed> {
    if text.is_empty() {
        return Err(Failed::Other("empty".to_owned()));
    }
    let number = text.parse()?;
    note("parsed");
    Ok(number)
}

#[sec0::hop("early_async", crate = "crate::spy")]
async fn early_async(text: String) -> Result<i32, Failed> {
    if text.is_empty() {
        return Ok(0);
    }
    Ok(early(&text)? + 1)
}

#[tokio::test]
async fn early_returns_and_question_marks_end_the_body_only() {
    assert_eq!(early(""), Err(Failed::Other("empty".to_owned())));
    assert!(matches!(early("x"), Err(Failed::Other(_))));
    assert_eq!(early("7"), Ok(7));
    assert_eq!(log().len(), 5);
    assert_eq!(early_async(String::new()).await, Ok(0));
    assert_eq!(log(), ["early_async by scope (text=\"\")", "-> 0"]);
    assert_eq!(early_async("1".to_owned()).await, Ok(2));
}

#[sec0::hop("generic", crate = "crate::spy")]
#[must_use]
async fn generic<T, const N: usize>(values: &[T], by: impl Display + Serialize) -> Result<T, Failed>
where
    T: Serialize + Clone + Send,
{
    #![expect(clippy::let_and_return, reason = "inner attributes are those of the function")]
    let value = values.get(N).cloned().ok_or_else(|| Failed::Other(by.to_string()));
    value
}

#[sec0::hop("opaque", crate = "crate::spy")]
fn opaque(count: u32) -> Result<impl Serialize + Display, Failed> {
    Ok(count)
}

#[sec0::hop("coerced", skip(return), crate = "crate::spy")]
fn coerced(count: u32) -> Result<Box<dyn Display>, Failed> {
    if count == 0 { Ok(Box::new("none")) } else { Ok(Box::new(count)) }
}

#[sec0::hop("coerced_async", skip(return), crate = "crate::spy")]
async fn coerced_async(count: u32) -> Result<Box<dyn Display + Send>, Failed> {
    tokio::task::yield_now().await;
    if count == 0 {
        return Ok(Box::new("none"));
    }
    Ok(Box::new(count))
}

#[tokio::test]
async fn generics_and_opaque_types_stay_as_written() {
    assert_eq!(generic::<_, 1>(&[1, 2], "x").await, Ok(2));
    assert_eq!(generic::<_, 1>(&[""], "x").await, Err(Failed::Other("x".to_owned())));
    assert_eq!(opaque(3).unwrap().to_string(), "3");
    assert_eq!(coerced(0).unwrap().to_string(), "none");
    assert_eq!(coerced(2).unwrap().to_string(), "2");
    assert_eq!(coerced_async(0).await.unwrap().to_string(), "none");
}

/// What the last expression borrows is given back before the argument goes.
#[sec0::hop("borrows", skip(cell), crate = "crate::spy")]
fn borrows(cell: RefCell<String>) -> Result<String, Failed> {
    Ok(cell.borrow().clone())
}

type Here<T> = Result<T, Failed>;
type Done = Here<()>;

impl Plain {
    #[sec0::hop("Plain.lends", skip(keeps, return), crate = "crate::spy")]
    async fn lends<'a>(
        &self,
        name: &'a str,
        keeps: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<(&'a str, Box<dyn Display + Send + 'a>), Failed> {
        tokio::task::yield_now().await;
        if keeps(name) { Ok((name, Box::new(name))) } else { Ok(("", Box::new(1))) }
    }
}

trait Agent {
    /// A default body.
    #[sec0::hop("Agent.ask", crate = "crate::spy")]
    async fn ask(&self, what: u32) -> Here<u32> {
        Ok(what + self.base())
    }

    #[sec0::hop("Agent.done", crate = "crate::spy")]
    fn done() -> Done
    where
        Self: Sized,
    {
        Ok(())
    }

    fn base(&self) -> u32;
}

struct Plain;

impl Agent for Plain {
    fn base(&self) -> u32 {
        1
    }
}

struct Own;

#[sec0::hops]
impl Agent for Own {
    #[sec0::hop(crate = "crate::spy")]
    async fn ask(&self, what: u32) -> Here<u32> {
        Ok(what * self.base())
    }

    fn base(&self) -> u32 {
        10
    }
}

#[tokio::test]
async fn traits_have_hops_by_default_and_in_their_implementations() {
    assert_eq!((Plain.ask(2).await, Own.ask(2).await), (Ok(3), Ok(20)));
    assert_eq!(Plain::done(), Ok(()));
    assert_eq!(borrows(RefCell::new("x".to_owned())), Ok("x".to_owned()));
    let log = log();
    assert_eq!((&*log[0], &*log[2]), ("Agent.ask by scope (what=2)", "Own.ask by scope (what=2)"));
}

#[async_trait::async_trait]
trait Skill: Sync {
    #[sec0::hop("Skill.use", crate = "crate::spy")]
    async fn apply(&self, what: &str) -> Result<usize, Failed> {
        if what.is_empty() {
            return Ok(0);
        }
        Ok(self.count(what).await?)
    }

    async fn count(&self, what: &str) -> Result<usize, Failed>;
}

#[async_trait::async_trait]
#[sec0::hops]
impl Skill for Plain {
    #[sec0::hop(crate = "crate::spy")]
    async fn count(&self, what: &str) -> Result<usize, Failed> {
        note("counted");
        Ok(what.len())
    }
}

#[sec0::hop("boxed", crate = "crate::spy")]
fn boxed(order: u32) -> Pin<Box<dyn Future<Output = Result<u32, Failed>> + Send>> {
    if order == 0 {
        return Box::pin(std::future::ready(Ok(0)));
    }
    Box::pin(async move { Ok(boxed(order - 1).await? + 1) })
}

#[tokio::test]
async fn a_function_that_returns_a_boxed_future_is_an_async_hop() {
    let skill: &dyn Skill = &Plain;
    assert_eq!(skill.apply("abc").await, Ok(3));
    assert_eq!(
        log(),
        [
            "Skill.use by scope (what=\"abc\")",
            "Plain.count by scope (what=\"abc\")",
            "counted",
            "-> 3",
            "-> 3",
        ]
    );
    let future = boxed(2);
    assert_eq!(log(), Vec::<String>::new());
    assert_eq!(future.await, Ok(2));
    assert_eq!(log().len(), 6);
}

#[test]
fn a_hop_can_be_spawned_where_its_body_can() {
    fn spawned(_: impl Send + 'static) {}
    fn sent(_: impl Send) {}
    let name = "a".to_owned();
    sent(Plain.lends(&name, &|_| true));
    sent(Plain.ask(1));
    spawned(early_async(String::new()));
    spawned(coerced_async(1));
    spawned(boxed(1));
}
