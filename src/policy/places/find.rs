use super::name::kind_of;
use super::pointer::{Pointer, bounded, escaped};
use crate::call::{Arguments, Declared, Here, PlaceKind, PlaceKinds};
use serde_json::Value;

/// An argument that is a URL or a path.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) kind: PlaceKind,
    /// Where it stands, at a bounded length: a name above a thousand places is not kept as often.
    pub(super) pointer: Box<str>,
    /// `None` where it is no text.
    pub(super) text: Option<&'a str>,
}

/// All places in the arguments of one call.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) places: Vec<Place<'a>>,
    /// False where there was more than may be looked at.
    pub(super) whole: bool,
}

/// The most steps through the arguments of one call: values, each with the subschemas that hold.
const MOST_STEPS: usize = 1_000_000;
/// The most places in one call: a path is looked up on the disk.
const MOST_PLACES: usize = 1024;
/// Arguments that came through the limits are not deeper.
const MOST_LEVELS: usize = 256;

/// Finds the places of these kinds: by the tool's schema, by the policy (`said`), and by names.
pub(super) fn find<'a>(
    arguments: &'a Arguments,
    declared: &Declared,
    said: &[(PlaceKind, &Pointer)],
    wanted: PlaceKinds,
) -> Found<'a> {
    let mut walk = Walk {
        declared,
        wanted,
        places: Vec::new(),
        pointer: String::new(),
        steps: 0,
        levels: 0,
        whole: !declared.is_unread(),
    };
    walk.members(arguments, &declared.root(), Marks::default());
    for (kind, pointer) in said {
        if let Some(value) = pointer.find(arguments) {
            pointer.as_str().clone_into(&mut walk.pointer);
            let every = Marks { every: PlaceKinds::only(*kind), ..Marks::default() };
            walk.value(value, &Here::default(), every);
        }
    }
    Found { places: walk.places, whole: walk.whole }
}

/// What is known of a value from outside of it.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    /// By its schema or its name: it is one, or it is an object that has one.
    likely: PlaceKinds,
    /// By the policy: whatever is in it is one.
    every: PlaceKinds,
}

struct Walk<'a, 'd> {
    declared: &'d Declared,
    wanted: PlaceKinds,
    places: Vec<Place<'a>>,
    /// Where the walk is.
    pointer: String,
    steps: usize,
    levels: usize,
    whole: bool,
}

impl<'a> Walk<'a, '_> {
    fn value(&mut self, value: &'a Value, here: &Here, mut marks: Marks) {
        self.steps = self.steps.saturating_add(1).saturating_add(here.len());
        if self.steps > MOST_STEPS || self.levels > MOST_LEVELS {
            self.whole = false;
            return;
        }
        marks.likely = marks.likely.and(self.declared.kinds(here));
        self.levels = self.levels.saturating_add(1);
        match value {
            Value::Array(items) => self.items(items, here, marks),
            Value::Object(members) => {
                let before = self.places.len();
                self.members(members, here, Marks { every: marks.every, ..Marks::default() });
                // An object that nobody can say of where it leads.
                for kind in [PlaceKind::Url, PlaceKind::Path] {
                    let inside = self.places.get(before..).unwrap_or_default();
                    let said = inside.iter().any(|place| place.kind == kind);
                    if marks.likely.is(kind) && !marks.every.is(kind) && !said {
                        self.add(kind, None);
                    }
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                let marked = marks.likely.and(marks.every);
                for kind in [PlaceKind::Url, PlaceKind::Path] {
                    if marked.is(kind) {
                        self.add(kind, value.as_str());
                    }
                }
            }
        }
        self.levels = self.levels.saturating_sub(1);
    }

    fn items(&mut self, items: &'a [Value], here: &Here, marks: Marks) {
        for (index, item) in items.iter().enumerate() {
            let inner = self.declared.item(here, index);
            self.under(&index.to_string(), |walk| walk.value(item, &inner, marks));
            if !self.whole {
                return;
            }
        }
    }

    fn members(&mut self, members: &'a Arguments, here: &Here, marks: Marks) {
        for (name, value) in members {
            let inner = self.declared.member(here, name);
            let named = kind_of(name).map(PlaceKinds::only).unwrap_or_default();
            let marks = Marks { likely: marks.likely.and(named), ..marks };
            self.under(&escaped(name), |walk| walk.value(value, &inner, marks));
            if !self.whole {
                return;
            }
        }
    }

    fn add(&mut self, kind: PlaceKind, text: Option<&'a str>) {
        if !self.wanted.is(kind) {
            return;
        }
        if self.places.len() >= MOST_PLACES {
            self.whole = false;
        } else {
            self.places.push(Place { kind, pointer: bounded(&self.pointer), text });
        }
    }

    fn under(&mut self, part: &str, work: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(part);
        work(self);
        self.pointer.truncate(length);
    }
}
