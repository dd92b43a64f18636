use crate::policy::pattern::{Pattern, Version};

type One = Pattern<Box<str>>;

/// Whether some tool could be meant by both patterns.
pub(super) fn overlap(one: &One, other: &One) -> bool {
    match (one, other) {
        (Pattern::Everything, _)
        | (_, Pattern::Everything)
        | (Pattern::Server(_), Pattern::Anywhere(..))
        | (Pattern::Anywhere(..), Pattern::Server(_)) => true,
        (Pattern::Server(one), Pattern::Server(other)) => one == other,
        (Pattern::Server(server), Pattern::OfServer(path, _))
        | (Pattern::OfServer(path, _), Pattern::Server(server)) => {
            path.strip_prefix(&**server).is_some_and(|rest| rest.starts_with('/'))
        }
        (Pattern::OfServer(one, v), Pattern::OfServer(other, w))
        | (Pattern::Anywhere(one, v), Pattern::Anywhere(other, w)) => one == other && meet(v, w),
        (Pattern::OfServer(path, v), Pattern::Anywhere(tool, w))
        | (Pattern::Anywhere(tool, w), Pattern::OfServer(path, v)) => {
            let of_a_server = path.strip_suffix(&**tool).is_some_and(|rest| rest.ends_with('/'));
            of_a_server && meet(v, w)
        }
    }
}

fn meet(one: &Version<Box<str>>, other: &Version<Box<str>>) -> bool {
    match (one, other) {
        (Version::One(one), Version::One(other)) => one == other,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{ToolRef, ToolVersion};
    use crate::policy::pattern::PATTERNS;
    use proptest::prelude::*;
    use proptest::sample::select;

    proptest! {
        #[test]
        fn what_matches_one_tool_overlaps(
            one in select(&PATTERNS[..]), other in select(&PATTERNS[..]),
            server in "s|t|s/x", tool in "a|b|x/a", version in "1|2",
        ) {
            let version = ToolVersion::new(&version);
            let tool = ToolRef::new(&server, &tool, version.as_ref());
            let (one, other) =
                (Pattern::parse(one).unwrap().kept(), Pattern::parse(other).unwrap().kept());
            let both = one.matches(tool).is_some() && other.matches(tool).is_some();
            prop_assert!(!both || overlap(&one, &other));
            prop_assert_eq!(overlap(&one, &other), overlap(&other, &one));
        }
    }

    #[test]
    fn patterns_with_a_tool_in_common_overlap() {
        for (one, other) in [
            ("mcp://s", "mcp://s/*"),
            ("mcp://s", "mcp://s/a@1"),
            ("mcp://s", "a"),
            ("mcp://s/a", "mcp://s/a@1"),
            ("mcp://s/a@1", "a"),
            ("a", "a@2"),
        ] {
            let [one, other] = [one, other].map(|text| Pattern::parse(text).unwrap().kept());
            assert!(overlap(&one, &other) && overlap(&other, &one), "{one:?} {other:?}");
        }
    }

    #[test]
    fn patterns_without_a_tool_in_common_do_not_overlap() {
        for (one, other) in [
            ("mcp://s", "mcp://t"),
            ("mcp://s", "mcp://t/a"),
            ("mcp://s", "mcp://st/a"),
            ("mcp://s/a", "mcp://s/b"),
            ("mcp://s/a@1", "a@2"),
            ("mcp://s/ab", "b"),
            ("a", "b"),
        ] {
            let [one, other] = [one, other].map(|text| Pattern::parse(text).unwrap().kept());
            assert!(!overlap(&one, &other), "{one:?} {other:?}");
        }
    }
}
