use super::level::texts;
use super::people::{ApprovalSet, Approver};
use crate::policy::error::{Place, Problem, shown};
use crate::policy::tree::{Kind, Node};
use crate::sign::PublicKey;
use std::collections::{BTreeMap, HashMap};

/// The most members of a set.
const MAX_MEMBERS: usize = 1000;

/// Reads `approval_sets`, and says what the schema cannot: ids and keys that stand twice.
///
/// What the schema refuses is left out; the check says why.
pub(super) fn sets(root: &Node, found: &mut Vec<Problem>) -> BTreeMap<Box<str>, ApprovalSet> {
    let Some(Kind::Map(entries)) = root.get("approval_sets").map(|node| &node.kind) else {
        return BTreeMap::new();
    };
    let mut sets = BTreeMap::new();
    for (name, node) in entries {
        let Some(id) = name.text() else { continue };
        let path = format!("approval_sets.{}.members", shown(id));
        if id.trim().is_empty() || id.len() > 128 || id.chars().any(char::is_control) {
            let message = "the name of an approval set must be 1 to 128 bytes without control \
                           characters; write another";
            found.push(Problem::new(name.place, &path, message.to_owned()));
        }
        let members = node.get("members");
        if let Some(members) = members.filter(|all| all.items().len() > MAX_MEMBERS) {
            let message = format!(
                "`{path}` has {} entries, and a set has at most {MAX_MEMBERS}; make several sets",
                members.items().len()
            );
            found.push(Problem::new(members.place, &path, message));
            continue;
        }
        let mut seen = Seen::default();
        let members = members.map_or(&[][..], Node::items).iter().enumerate();
        let members: Vec<_> = members
            .filter_map(|(index, node)| member(&format!("{path}[{index}]"), node, &mut seen, found))
            .collect();
        sets.insert(id.trim().into(), ApprovalSet { id: id.trim().into(), members });
    }
    sets
}

/// What the members so far have, and where.
#[derive(Default)]
struct Seen<'n> {
    ids: HashMap<&'n str, Place>,
    keys: HashMap<PublicKey, Place>,
}

fn member<'n>(
    path: &str,
    node: &'n Node,
    seen: &mut Seen<'n>,
    found: &mut Vec<Problem>,
) -> Option<Approver> {
    let (id, key) = (node.get("id")?, node.get("public_key")?);
    let name = id.text()?.trim();
    if let Some(first) = seen.ids.get(name) {
        let message = format!(
            "`{path}.id` is `{}` a second time, the first is at {}:{}; give each member an id of \
             its own",
            shown(name),
            first.line,
            first.column
        );
        found.push(Problem::new(id.place, &format!("{path}.id"), message));
    } else {
        seen.ids.insert(name, id.place);
    }
    let public_key = key.text()?.parse().ok()?;
    if let Some(first) = seen.keys.get(&public_key) {
        let message = format!(
            "`{path}.public_key` is the key of another member, at {}:{}; one person must not count \
             as two, so give each member a key of its own",
            first.line, first.column
        );
        found.push(Problem::new(key.place, &format!("{path}.public_key"), message));
    } else {
        seen.keys.insert(public_key, key.place);
    }
    let list = |key| node.get(key).map(texts).unwrap_or_default();
    Some(Approver {
        id: name.into(),
        roles: list("roles"),
        public_key,
        principals: list("principals"),
    })
}
