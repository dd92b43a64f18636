use crate::call::{ApprovalToken, Arguments, Call};
use crate::identity::Claimant;
use crate::registry::{Definition, Snapshot};
use std::sync::Arc;

/// Takes the approval token out of the call, in every place where a caller may put it. The first that
/// is there counts: the door's, then the arguments'.
///
/// An argument of that name which the frozen tool declares stays: it is the tool's. While nothing is
/// frozen nobody knows which are, so all stay.
pub(super) fn take<X: Claimant>(call: &mut Call<X>, frozen: Option<&Arc<Snapshot>>) {
    let by_door = call.door.take_approval_token();
    let by_argument = call.arguments.as_mut().zip(frozen).and_then(|(arguments, frozen)| {
        take_arguments(arguments, || frozen.get(call.tool.as_str()).map(|known| &**known))
    });
    let presented = call.approval.take().or(by_door).or(by_argument);
    call.approval = presented;
}

/// The tool is looked up only when there is something to be taken.
fn take_arguments<'d>(
    arguments: &mut Arguments,
    tool: impl Fn() -> Option<&'d Definition>,
) -> Option<ApprovalToken> {
    let mut first = None;
    for name in ApprovalToken::ARGUMENTS {
        let is_own = || tool().is_some_and(|tool| tool.declared().has_own(name));
        if arguments.contains_key(name) && !is_own() {
            let taken = ApprovalToken::take(arguments, name);
            first = first.or(taken);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ServerIdent;
    use crate::digest::Digest;
    use crate::identity::{ClaimName, Origin, Said};
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Value, json};
    use tokio_util::sync::CancellationToken;

    /// A tool that declares these arguments.
    fn tool(names: impl IntoIterator<Item = &'static str>) -> Definition {
        let properties: Arguments =
            names.into_iter().map(|name| (name.into(), json!({}))).collect();
        let schema = json!({"type": "object", "properties": properties});
        let schema = Arc::new(schema.as_object().unwrap().clone());
        Definition::new("pay", None, Digest::of(b"pay")).with_schema(schema)
    }

    fn value() -> impl Strategy<Value = Value> {
        let text = any::<String>().prop_map(Value::from);
        prop_oneof![
            text,
            Just(json!("")),
            Just(json!({"approval_token": 7})),
            any::<i32>().prop_map(Value::from)
        ]
    }

    fn arguments() -> impl Strategy<Value = Arguments> {
        let spelled = select(ApprovalToken::ARGUMENTS.to_vec()).prop_map(str::to_owned);
        let near = select(vec!["approval", "Approval_Token", " approvalToken", "x-sec0-approval"]);
        let name = prop_oneof![spelled, near.prop_map(str::to_owned), "[a-c]{1,2}"];
        btree_map(name, value(), 0..6).prop_map(|members| members.into_iter().collect())
    }

    /// A door that looks in places of its own.
    struct Door(Option<ApprovalToken>);

    impl Claimant for Door {
        fn claim(&self, _: ClaimName) -> Said<'_> {
            Said::Nothing
        }

        fn origin(&self) -> Origin {
            Origin::Local
        }

        fn take_approval_token(&mut self) -> Option<ApprovalToken> {
            self.0.take()
        }
    }

    #[test]
    fn what_the_door_says_comes_before_the_arguments_and_all_are_taken() {
        let frozen = Arc::new(Snapshot::new([tool([])]));
        for (known, by_door, frozen, expected) in [
            (Some("known"), Some("door"), Some(&frozen), Some("known")),
            (None, Some("door"), Some(&frozen), Some("door")),
            (None, None, Some(&frozen), Some("argument")),
            (None, None, None, None),
        ] {
            let server = Arc::new(ServerIdent::new("demo", "1.0.0"));
            let door = Door(by_door.and_then(ApprovalToken::new));
            let sent = json!({"approval_token": "argument"});
            let mut call = Call::new(server, "pay".into(), CancellationToken::new(), door)
                .with_arguments(sent.as_object().cloned());
            call.approval = known.and_then(ApprovalToken::new);
            take(&mut call, frozen);
            let presented = call.approval.as_ref().map(ApprovalToken::text);
            assert_eq!(presented, expected.map(Some));
            assert!(call.door.0.is_none());
            let left = call.arguments.unwrap().len();
            assert_eq!(left, usize::from(frozen.is_none()), "{expected:?}");
        }
    }

    proptest! {
        #[test]
        fn what_goes_on_is_what_came_without_the_spellings_that_are_not_the_tools(
            sent in arguments(),
            own in btree_set(select(ApprovalToken::ARGUMENTS.to_vec()), 0..3),
            is_known in any::<bool>(),
        ) {
            let tool = tool(own.iter().copied());
            let is_kept = |name: &str| {
                !ApprovalToken::ARGUMENTS.contains(&name) || (is_known && own.contains(name))
            };
            let mut passed = sent.clone();
            let token = take_arguments(&mut passed, || is_known.then_some(&tool));
            let mut expected = sent.clone();
            expected.retain(|name, _| is_kept(name));
            prop_assert!(passed.iter().eq(&expected));
            let said = |name: &&str| {
                let value = sent.get(*name).filter(|_| !is_kept(name))?;
                value.as_str().map_or_else(|| Some(ApprovalToken::fits_nothing()), ApprovalToken::new)
            };
            let first = ApprovalToken::ARGUMENTS.iter().find_map(said);
            prop_assert_eq!(
                token.as_ref().map(ApprovalToken::text),
                first.as_ref().map(ApprovalToken::text)
            );
        }
    }
}
