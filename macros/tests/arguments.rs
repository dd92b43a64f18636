//! What of a call is recorded, and when.

use super::spy::{self, Failed, log, note, refuses};

#[sec0::hop("Agent.all", crate = "crate::spy")]
fn all(
    mut count: u32,
    name: &str,
    (a, b): (u32, u32),
    r#type: Option<u8>,
    _unused: &[u8],
) -> Result<u32, Failed> {
    note(format!("body {name} {type:?}"));
    count += a + b;
    Ok(count)
}

#[test]
fn arguments_are_recorded_under_their_names_before_the_body_runs() {
    assert_eq!(all(1, "n", (2, 3), None, &[7]), Ok(6));
    assert_eq!(
        log(),
        [
            "Agent.all by scope (count=1 name=\"n\" arg2=[2,3] type=null _unused=[7])",
            "body n None",
            "-> 6",
        ]
    );
}

#[test]
fn a_refused_call_never_reaches_the_body() {
    refuses(true);
    assert_eq!(all(1, "n", (2, 3), None, &[]), Err(Failed::Refused));
    refuses(false);
    assert_eq!(log().len(), 1);
}

/// Has no form as data.
struct Secret {}

#[sec0::hop("Agent.secret", skip(secret, arg2, r#type, return), crate = "crate::spy")]
fn some(order: u32, secret: &Secret, Secret {}: Secret, r#type: Secret) -> Result<Secret, Failed> {
    let (Secret {}, Secret {}) = (secret, r#type);
    note(order.to_string());
    Ok(Secret {})
}

#[test]
fn what_is_skipped_is_not_recorded_and_needs_no_form() {
    assert!(some(4, &Secret {}, Secret {}, Secret {}).is_ok());
    assert_eq!(log(), ["Agent.secret by scope (order=4)", "4"]);
}

#[sec0::hop("Agent.condition", crate = "crate::spy")]
fn with_conditions(
    #[cfg(not(test))] never: u32,
    #[cfg(test)] always: u32,
    #[cfg(not(test))] (c, d): (Secret, u32),
    #[cfg(test)]
    #[expect(unused_variables, reason = "the lint is about the names in the pattern")]
    (a, b): (u32, u32),
    _: bool,
) -> Result<u32, Failed> {
    Ok(always)
}

#[test]
fn an_argument_that_is_not_there_is_not_recorded() {
    assert_eq!(with_conditions(1, (2, 3), true), Ok(1));
    assert_eq!(log(), ["Agent.condition by scope (always=1 arg3=[2,3] arg4=true)", "-> 1"]);
}

#[sec0::hop("Agent.patterns", crate = "crate::spy")]
fn patterns(
    &(a, ref b): &(u32, String),
    [first, .., last]: [u32; 3],
    whole @ (_, inner): (u32, u32),
    Wrapped { value: mut changed }: Wrapped,
    ref mut place: u32,
) -> Result<u32, Failed> {
    changed += 1;
    *place += 1;
    Ok(a + b.parse::<u32>()? + first + last + whole.0 + inner + changed + *place)
}

#[derive(serde::Serialize)]
struct Wrapped {
    value: u32,
}

#[test]
fn arguments_that_are_taken_apart_are_recorded_whole() {
    let pair = (1, "2".to_owned());
    assert_eq!(patterns(&pair, [3, 4, 5], (6, 7), Wrapped { value: 8 }, 9), Ok(43));
    let expected = "Agent.patterns by scope \
                    (arg0=[1,\"2\"] arg1=[3,4,5] arg2=[6,7] arg3={\"value\":8} arg4=9)";
    assert_eq!(log(), [expected, "-> 43"]);
}

#[tokio::test]
async fn an_async_hop_reads_its_arguments_when_it_is_polled() {
    #[sec0::hop("Agent.wait", crate = "crate::spy")]
    async fn wait(order: u32) -> Result<u32, Failed> {
        note("body");
        tokio::task::yield_now().await;
        Ok(order)
    }
    let future = wait(1);
    assert_eq!(log(), Vec::<String>::new());
    assert_eq!(future.await, Ok(1));
    assert_eq!(log(), ["Agent.wait by scope (order=1)", "body", "-> 1"]);
}

/// Nothing of the user's is hidden by names of the expansion, and the other way round.
#[sec0::hop("Agent.names", crate = "crate::spy")]
fn names(app: u32, args: u32, (made, _): (u32, u32), arg3: Args) -> Result<u32, Failed> {
    use spy::note as argument;
    argument("mine");
    Ok(app + args + made + arg3.0)
}

#[derive(serde::Serialize)]
struct Args(u32);

#[test]
fn names_of_the_expansion_clash_with_none_of_the_function() {
    assert_eq!(names(1, 2, (3, 0), Args(4)), Ok(10));
    assert_eq!(log(), ["Agent.names by scope (app=1 args=2 arg2=[3,0] arg3=4)", "mine", "-> 10"]);
}
