use super::token::ApprovalToken;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::ptr;

/// Where a text leads: what the policy checks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a third kind must be handled by every check")]
pub enum PlaceKind {
    /// To a host.
    Url,
    /// To a file.
    Path,
}

/// The kinds of places that one value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlaceKinds {
    /// It is a URL.
    pub url: bool,
    /// It is a path.
    pub path: bool,
}

/// Which arguments the input schema of a tool declares as URLs and paths, by `format`, and whether an
/// argument that could be an approval token is one of the tool's own.
///
/// Made once for a tool. It is a graph and no list: a schema may refer to itself.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    nodes: Box<[Node]>,
    unread: bool,
    /// The spellings of the approval token that are arguments of the tool.
    own: Vec<&'static str>,
}

/// One subschema: what its value is, and which subschemas hold for what is in it.
#[derive(Debug, Clone, Default)]
struct Node {
    kinds: PlaceKinds,
    /// Other subschemas that hold for the same value.
    also: Vec<usize>,
    members: Vec<(Box<str>, usize)>,
    any_member: Vec<usize>,
    /// By position; behind them, and beside them, `items`. `None` where it is `true` or `false`.
    first: Vec<Option<usize>>,
    items: Vec<usize>,
}

/// The part of a schema that holds for one value.
#[derive(Debug, Clone, Default)]
pub struct Here(Vec<usize>);

impl Declared {
    /// The most subschemas that are read.
    pub const MAX_SUBSCHEMAS: usize = 4096;

    /// Reads the input schema of a tool. References are followed inside it (`#/…`), nowhere else.
    pub fn of_schema(schema: &Map<String, Value>) -> Self {
        let mut reader = Reader {
            root: schema,
            anchors: None,
            ids: HashMap::new(),
            nodes: Vec::new(),
            todo: Vec::new(),
            own: Vec::new(),
        };
        reader.id(schema);
        while let Some((id, map)) = reader.todo.pop() {
            let properties = map.get("properties").and_then(Value::as_object);
            let is_own = |name: &&str| properties.is_some_and(|all| all.contains_key(*name));
            let own = ApprovalToken::ARGUMENTS.into_iter().filter(is_own);
            reader.own.extend(own.map(|name| (id, name)));
            let node = reader.read(map);
            if let Some(place) = reader.nodes.get_mut(id) {
                *place = node;
            }
            if reader.nodes.len() > Self::MAX_SUBSCHEMAS {
                let own = reader.own.iter().filter(|(id, _)| *id == 0).map(|(_, name)| *name);
                return Self { nodes: Box::default(), unread: true, own: own.collect() };
            }
        }
        let says_something = reader.nodes.iter().any(|node| node.kinds != PlaceKinds::default());
        let mut all = Self { nodes: reader.nodes.into(), unread: false, own: Vec::new() };
        if !reader.own.is_empty() {
            let top = all.root();
            let at_top = reader.own.iter().filter(|(id, _)| top.0.contains(id));
            all.own = at_top.map(|(_, name)| *name).collect();
        }
        if !says_something {
            all.nodes = Box::default();
        }
        all
    }

    /// True when the schema declares a property of this name for the arguments as a whole, itself or
    /// by what it refers to or is put together from. It is known for
    /// [`ApprovalToken::ARGUMENTS`] alone, and in a schema that is [unread](Self::is_unread) only for
    /// what stands at its top.
    pub fn has_own(&self, spelling: &str) -> bool {
        self.own.contains(&spelling)
    }

    /// True when the schema has more than [`MAX_SUBSCHEMAS`](Self::MAX_SUBSCHEMAS) subschemas:
    /// nobody has looked at it.
    pub fn is_unread(&self) -> bool {
        self.unread
    }

    /// What holds for the arguments as a whole.
    pub fn root(&self) -> Here {
        if self.nodes.is_empty() { Here::default() } else { self.closed(vec![0]) }
    }

    /// What the value is.
    pub fn kinds(&self, here: &Here) -> PlaceKinds {
        self.of(here).fold(PlaceKinds::default(), |kinds, node| kinds.and(node.kinds))
    }

    /// What holds for the member of this name.
    pub fn member(&self, here: &Here, name: &str) -> Here {
        let named = |node: &Node| {
            let members = node.members.iter().filter(|(member, _)| **member == *name);
            members.map(|(_, id)| *id).chain(node.any_member.iter().copied()).collect::<Vec<_>>()
        };
        self.closed(self.of(here).flat_map(named).collect())
    }

    /// What holds for the item at this position.
    pub fn item(&self, here: &Here, index: usize) -> Here {
        let next = |node: &Node| {
            let first = node.first.get(index).copied().flatten();
            first.into_iter().chain(node.items.iter().copied()).collect::<Vec<_>>()
        };
        self.closed(self.of(here).flat_map(next).collect())
    }

    fn of<'d>(&'d self, here: &'d Here) -> impl Iterator<Item = &'d Node> {
        here.0.iter().filter_map(|id| self.nodes.get(*id))
    }

    /// These subschemas and all that hold for the same value with them.
    fn closed(&self, start: Vec<usize>) -> Here {
        let mut here = Here(Vec::new());
        let mut todo = start;
        while let Some(id) = todo.pop() {
            if !here.0.contains(&id)
                && let Some(node) = self.nodes.get(id)
            {
                here.0.push(id);
                todo.extend(&node.also);
            }
        }
        here
    }
}

impl Here {
    /// How many subschemas hold here: what looking costs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when the schema says nothing of this value and all in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PlaceKinds {
    /// Nothing but this kind.
    pub fn only(kind: PlaceKind) -> Self {
        Self { url: kind == PlaceKind::Url, path: kind == PlaceKind::Path }
    }

    /// What either of both is.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { url: self.url || other.url, path: self.path || other.path }
    }

    /// What both are.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self { url: self.url && other.url, path: self.path && other.path }
    }

    /// True when it is this kind.
    pub fn is(self, kind: PlaceKind) -> bool {
        match kind {
            PlaceKind::Url => self.url,
            PlaceKind::Path => self.path,
        }
    }

    fn of_format(format: &str) -> Self {
        let format = format.trim().to_ascii_lowercase().replace('_', "-");
        match format.as_str() {
            "uri" | "url" | "iri" | "uri-reference" | "iri-reference" | "url-reference"
            | "uri-template" | "http-url" | "https-url" => Self::only(PlaceKind::Url),
            "path" | "file" | "dir" | "directory" | "folder" | "file-path" | "filepath"
            | "directory-path" | "dir-path" => Self::only(PlaceKind::Path),
            _ => Self::default(),
        }
    }
}

/// Reads each subschema once, whoever refers to it.
struct Reader<'s> {
    root: &'s Map<String, Value>,
    /// By name; read when the first reference asks.
    anchors: Option<HashMap<&'s str, &'s Map<String, Value>>>,
    ids: HashMap<*const Map<String, Value>, usize>,
    nodes: Vec<Node>,
    todo: Vec<(usize, &'s Map<String, Value>)>,
    /// Which subschema has a property that is spelled like an approval token.
    own: Vec<(usize, &'static str)>,
}

impl<'s> Reader<'s> {
    fn id(&mut self, map: &'s Map<String, Value>) -> usize {
        let next = self.nodes.len();
        let id = *self.ids.entry(ptr::from_ref(map)).or_insert(next);
        if id == next {
            self.nodes.push(Node::default());
            self.todo.push((id, map));
        }
        id
    }

    fn read(&mut self, map: &'s Map<String, Value>) -> Node {
        let mut node = Node::default();
        if let Some(format) = map.get("format").and_then(Value::as_str) {
            node.kinds = PlaceKinds::of_format(format);
        }
        for word in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let target = map.get(word).and_then(Value::as_str).and_then(|at| self.target(at));
            node.also.extend(target.map(|target| self.id(target)));
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            node.also.extend(self.each(map.get(word)).into_iter().flatten());
        }
        for word in ["if", "then", "else"] {
            node.also.extend(self.one(map.get(word)));
        }
        // Up to draft 7 the two ways to depend were one keyword.
        for word in ["dependentSchemas", "dependencies"] {
            node.also.extend(self.values(map.get(word)).map(|(_, id)| id));
        }
        node.members.extend(self.values(map.get("properties")));
        node.any_member.extend(self.values(map.get("patternProperties")).map(|(_, id)| id));
        for word in ["additionalProperties", "unevaluatedProperties"] {
            node.any_member.extend(self.one(map.get(word)));
        }
        node.first.extend(self.each(map.get("prefixItems")));
        // Up to draft 2019-09 `items` may be a list, by position.
        node.first.extend(self.each(map.get("items")));
        for word in ["items", "additionalItems", "unevaluatedItems", "contains"] {
            node.items.extend(self.one(map.get(word)));
        }
        node
    }

    fn target(&mut self, reference: &str) -> Option<&'s Map<String, Value>> {
        let fragment = decoded(reference.strip_prefix('#')?)?;
        let mut parts = fragment.split('/');
        if parts.next() != Some("") {
            let root = self.root;
            return self.anchors.get_or_insert_with(|| anchors(root)).get(&*fragment).copied();
        }
        let Some(first) = parts.next() else { return Some(self.root) };
        let start = self.root.get(&unescaped(first))?;
        let found = parts.try_fold(start, |at, part| match at {
            Value::Object(map) => map.get(&unescaped(part)),
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })?;
        found.as_object()
    }

    fn one(&mut self, value: Option<&'s Value>) -> Option<usize> {
        Some(self.id(value?.as_object()?))
    }

    /// The subschemas of a list, each at its position.
    fn each(&mut self, value: Option<&'s Value>) -> Vec<Option<usize>> {
        let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        items.iter().map(|item| self.one(Some(item))).collect()
    }

    fn values(
        &mut self,
        value: Option<&'s Value>,
    ) -> impl Iterator<Item = (Box<str>, usize)> + use<'s> {
        let mut found = Vec::new();
        for (name, value) in value.and_then(Value::as_object).into_iter().flatten() {
            found.extend(self.one(Some(value)).map(|id| (name.as_str().into(), id)));
        }
        found.into_iter()
    }
}

/// The objects of a schema that have a name for references in the same document (`#name`).
fn anchors(root: &Map<String, Value>) -> HashMap<&str, &Map<String, Value>> {
    let (mut found, mut todo) = (HashMap::new(), vec![root]);
    while let Some(map) = todo.pop() {
        let text = |word: &str| map.get(word).and_then(Value::as_str);
        let names = [text("$anchor"), text("$dynamicAnchor")];
        // Up to draft 7 a name was an id that begins with `#`.
        let id = text("$id").and_then(|id| id.strip_prefix('#'));
        found.extend(names.into_iter().chain([id]).flatten().map(|name| (name, map)));
        let mut values: Vec<_> = map.values().collect();
        while let Some(value) = values.pop() {
            match value {
                Value::Object(inner) => todo.push(inner),
                Value::Array(items) => values.extend(items),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
    found
}

/// The fragment of a URI without its percent encoding; `None` where that is none of UTF-8.
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        let code = digit(0).zip(digit(1)).filter(|_| *first == b'%');
        let code = code.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(code.unwrap_or(*first));
        rest = behind.get(if code.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8(bytes).ok()
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared(schema: &Value) -> Declared {
        Declared::of_schema(schema.as_object().unwrap())
    }

    fn at(declared: &Declared, way: &[&str]) -> (bool, bool) {
        let here = way.iter().fold(declared.root(), |here, part| match part.parse() {
            Ok(index) => declared.item(&here, index),
            Err(_) => declared.member(&here, part),
        });
        let kinds = declared.kinds(&here);
        (kinds.url, kinds.path)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    fn a_format_is_found_through_every_keyword_that_holds_for_the_value() {
        let url = json!({"type": "string", "format": "uri"});
        let path = json!({"format": "file_path"});
        for (schema, way, kinds) in [
            (json!({"properties": {"to": url}}), &["to"][..], (true, false)),
            (json!({"properties": {"to": path}}), &["to"], (false, true)),
            (json!({"properties": {"to": {"items": url}}}), &["to", "7"], (true, false)),
            (
                json!({"properties": {"to": {"prefixItems": [{}, path]}}}),
                &["to", "1"],
                (false, true),
            ),
            (json!({"properties": {"to": {"items": [{}, path]}}}), &["to", "1"], (false, true)),
            (json!({"properties": {"to": {"items": [{}, path]}}}), &["to", "0"], (false, false)),
            (json!({"additionalProperties": url}), &["any"], (true, false)),
            (json!({"patternProperties": {"^x": url}}), &["any"], (true, false)),
            (json!({"anyOf": [{"oneOf": [{"properties": {"to": url}}]}]}), &["to"], (true, false)),
            (json!({"if": {}, "else": {"properties": {"to": url}}}), &["to"], (true, false)),
            (
                json!({"properties": {"to": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": url}}),
                &["to"],
                (true, false),
            ),
            (
                json!({"properties": {"in": {"$ref": "#"}, "to": url}}),
                &["in", "in", "in", "to"],
                (true, false),
            ),
            (json!({"properties": {"to": {"allOf": [url, path]}}}), &["to"], (true, true)),
            // A subschema may be `true` or `false`, and takes its position all the same.
            (
                json!({"properties": {"to": {"prefixItems": [true, path]}}}),
                &["to", "1"],
                (false, true),
            ),
            (
                json!({"properties": {"to": {"prefixItems": [true, path]}}}),
                &["to", "0"],
                (false, false),
            ),
            (json!({"properties": {"to": {"items": [false, url]}}}), &["to", "1"], (true, false)),
            (json!({"dependencies": {"x": {"properties": {"to": url}}}}), &["to"], (true, false)),
            (
                json!({"properties": {"to": {"$ref": "#/$defs/a%20%C3%A9"}}, "$defs": {"a \u{e9}": url}}),
                &["to"],
                (true, false),
            ),
            (
                json!({"properties": {"to": {"$ref": "#place"}}, "$defs": {"p": {"$anchor": "place", "format": "uri"}}}),
                &["to"],
                (true, false),
            ),
            (
                json!({"properties": {"to": {"$dynamicRef": "#place"}}, "$defs": {"p": {"$dynamicAnchor": "place", "format": "uri"}}}),
                &["to"],
                (true, false),
            ),
            (
                json!({"properties": {"to": {"$ref": "#place"}}, "definitions": {"p": {"$id": "#place", "format": "uri"}}}),
                &["to"],
                (true, false),
            ),
            (json!({"properties": {"to": url}}), &["from"], (false, false)),
            (
                json!({"properties": {"to": {"$ref": "#/nowhere"}, "x": url}}),
                &["to"],
                (false, false),
            ),
        ] {
            assert_eq!(at(&declared(&schema), way), kinds, "{schema} {way:?}");
        }
    }

    #[test]
    fn a_schema_that_says_nothing_of_places_costs_nothing_to_look_at() {
        let schema = json!({"properties": {"to": {"type": "string", "format": "date"}}});
        assert!(declared(&schema).root().is_empty());
    }

    #[test]
    fn an_argument_spelled_like_a_token_is_the_tools_own_where_its_schema_has_it_at_the_top() {
        let name = "approval_token";
        let has = json!({"properties": {name: {"type": "string"}}});
        for (schema, is_own) in [
            (has.clone(), true),
            (json!({"properties": {name: true}}), true),
            (json!({"properties": {"u": {"format": "uri"}, name: {}}}), true),
            (json!({"allOf": [{"anyOf": [has]}]}), true),
            (json!({"$ref": "#/$defs/all", "$defs": {"all": has}}), true),
            (json!({"if": {}, "then": has}), true),
            (json!({}), false),
            (json!({"properties": {"in": has}}), false),
            (json!({"$defs": {"all": has}}), false),
            (json!({"properties": {"approvalToken": {}, "n": {"format": "uri"}}}), false),
            (json!({"additionalProperties": {"type": "string"}}), false),
            (json!({"properties": 7}), false),
        ] {
            assert_eq!(declared(&schema).has_own(name), is_own, "{schema}");
        }
        let mut many: Map<_, _> = (0..5000).map(|n| (n.to_string(), json!({}))).collect();
        many.insert(name.to_owned(), json!({}));
        let many = declared(&json!({ "properties": many }));
        assert!(many.is_unread() && many.has_own(name));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends_and_one_that_is_too_large_is_called_unread() {
        let itself =
            json!({"$ref": "#", "allOf": [{"$ref": "#"}], "properties": {"u": {"format": "url"}}});
        assert_eq!(at(&declared(&itself), &["u"]), (true, false));
        let many: Map<_, _> = (0..5000).map(|n| (n.to_string(), json!({}))).collect();
        assert!(declared(&json!({ "properties": many })).is_unread());
        assert!(!declared(&itself).is_unread());
    }
}
