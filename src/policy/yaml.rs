use super::error::{Place, PolicyError, Problem, shown};
use super::tree::Node;
use crate::file::read_bounded;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Options};
use std::io;
use std::path::Path;

/// The most bytes of a policy file.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Twice what the schema has. A level takes 40 KiB of stack in an unoptimised build, and the thread
/// is somebody else's.
const MAX_DEPTH: usize = 16;
const MAX_NODES: usize = 200_000;
const MAX_ALIASES: usize = 100;
const MAX_COPIED_EVENTS: usize = 10_000;

/// Reads a policy's text from a file: a regular one, UTF-8, of bounded size.
pub(super) fn read(path: &Path, name: &str) -> Result<String, PolicyError> {
    text(bytes(path).map_err(|cause| PolicyError::unreadable(name, cause))?, name)
}

/// The bytes of a regular file, and one more than a policy may have where it is too large.
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    read_bounded(path, u64::try_from(MAX_BYTES).unwrap_or(u64::MAX))
}

/// The text that they are: UTF-8, of bounded size.
pub(crate) fn text(bytes: Vec<u8>, name: &str) -> Result<String, PolicyError> {
    if bytes.len() > MAX_BYTES {
        return Err(PolicyError::new(name, vec![too_large()]));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let place = end_of(&String::from_utf8_lossy(valid));
        let message = "a byte that is not UTF-8; save the file as UTF-8".to_owned();
        PolicyError::new(name, vec![Problem::new(place, "", message)])
    })
}

/// The tree of a document, or the first thing that makes it unreadable.
pub(crate) fn parse(text: &str) -> Result<Node, Problem> {
    if text.len() > MAX_BYTES {
        return Err(too_large());
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| problem(&error))
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_recorded_anchor_events: MAX_COPIED_EVENTS,
            max_recorded_anchor_bytes: MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_COPIED_EVENTS,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: MAX_ALIASES,
        },
        // The reader of the tree refuses a repeated key itself, with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // YAML 1.2: `yes` is text, and `0755` and `1_000` are too, rather than a guess.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn too_large() -> Problem {
    let message = format!(
        "the file is larger than {MAX_BYTES} bytes, the most it may have; shorten it, a \
         policy for example with entries such as `mcp://server/*`"
    );
    Problem::new(Place::WHOLE, "", message)
}

fn problem(error: &Error) -> Problem {
    let place = error.location().map_or(Place::START, Place::from);
    Problem::new(place, "", words(error))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other fault is one of YAML's grammar")]
fn words(error: &Error) -> String {
    match error {
        Error::AliasError { error, .. } => words(error),
        Error::Budget { breach, .. } => breach_words(breach),
        Error::MultipleDocuments { .. } => SECOND_DOCUMENT.to_owned(),
        Error::MergeKeyNotAllowed { .. } => {
            "a merge key `<<`, which is not allowed; write the keys out".to_owned()
        }
        Error::UnknownAnchor { .. } => {
            "an alias without an anchor before it; a text that starts with `*` needs quotes"
                .to_owned()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias inside its own anchor; write the value out".to_owned()
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => TOO_MANY_ALIASES.to_owned(),
        other => {
            // The parser's own words end with the place, which stands in front already.
            let said = other.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            if said == "recursion limit exceeded" {
                return too_deep();
            }
            format!("the file is not valid YAML here: {}", shown(said))
        }
    }
}

const SECOND_DOCUMENT: &str =
    "a second document starts here; the file must be one document, so take out the `---` or `...`";
const TOO_MANY_ALIASES: &str = "too many anchors or aliases; write the values out";

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels, which no such file needs; flatten it")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is left counts lines and entries")]
fn breach_words(breach: &BudgetBreach) -> String {
    match breach {
        BudgetBreach::Documents { .. } => SECOND_DOCUMENT.to_owned(),
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. } => TOO_MANY_ALIASES.to_owned(),
        _ => format!("the file has more than {MAX_NODES} values; shorten it"),
    }
}

/// The place just behind `text`.
fn end_of(text: &str) -> Place {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place {
        line: count(text.matches('\n').count()).saturating_add(1),
        column: count(last.chars().count()).saturating_add(1),
    }
}
