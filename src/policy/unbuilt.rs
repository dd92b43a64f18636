//! The entries of lists and maps that the schema refuses unless they are empty.
//!
//! What uses them is not built yet. Their form is fixed all the same, so a mistake in one is told
//! by its name.

use super::shape::Shape::{Anything, Filled, Flag, List, OneOf, Section};
use super::shape::{Key, SEVERITIES, Shape, TEXTS, WORDS};
use serde_json::{Map, Value};

/// An entry of `compliance.packs`.
pub(super) const PACK: &[Key] = &[
    Key::inner("id", WORDS).required(),
    Key::inner("name", WORDS).required(),
    Key::inner("description", PROSE),
    Key::inner("rules", List(&Section(CONTENT_RULE))),
];

const CONTENT_RULE: &[Key] = &[
    Key::inner("id", WORDS).required(),
    Key::inner("name", PROSE),
    Key::inner("type", OneOf(&["regex", "nl"])),
    Key::inner("location", OneOf(&["input", "output", "both", "run"])),
    Key::inner("severity", SEVERITIES),
    Key::inner("message", PROSE),
    Key::inner("patterns", Filled(&PROSE)).required_unless("type", "nl"),
    Key::inner("instruction", WORDS).required_where("type", "nl"),
    Key::inner("tags", List(&PROSE)),
    // The original takes this key of older files off before it checks anything.
    Key::inner("threshold", Anything),
];

/// An entry of `compliance.policies`.
pub(super) const PACKS_IN_USE: &[Key] = &[
    Key::inner("id", WORDS).required(),
    Key::inner("name", WORDS).required(),
    Key::inner("enabled", Flag).required(),
    Key::inner("pack_ids", TEXTS).required(),
];

/// Text that may be empty, too.
const PROSE: Shape = Shape::Told(|_| Ok(()), || Value::Object(Map::new()));
