//! One sentence for each rule that was held against a call: places, sizes and names, never a value
//! of an argument.

use super::compiled::Policy;
use super::entry::{Entry, Override};
use super::error::shown;
use super::operation::by_annotations;
use super::pattern::{MatchKind, Pattern};
use super::places::Places;
use super::question::Question;
use super::rule::{Asked, Held, Rule};
use super::verdict::{Effect, Ruling};
use crate::call::{Found, Operation, PlaceKind, Reason, ToolRef};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// One rule that was held against a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "scripts read each by its name")]
pub struct LookedAt {
    /// Where it stands in the policy, such as `tools.allowlist[0]`; `registry`, `annotations` and
    /// `name` stand outside of it.
    pub id: String,
    /// Whether it matches the call.
    pub matched: bool,
    /// What a match does.
    pub effect: OnMatch,
    /// Why it matches or not, in one sentence.
    pub why: String,
    /// What a match finds against the call; `None` for rules that find nothing.
    pub reason: Option<Found>,
    /// False where the call ends before this rule: it is shown, and does not count.
    pub reached: bool,
    /// True for the one rule that decided.
    pub decided: bool,
}

/// What a rule does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMatch {
    /// The tool may be called, as far as the allowlist goes.
    Allow,
    /// Somebody has to approve the call first.
    Ask,
    /// It says what the call does, which is neither for nor against it.
    Classify,
    /// The call is refused.
    Deny,
    /// It is recorded, and the call goes on.
    WouldDeny,
}

impl OnMatch {
    /// The spelling in explanations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Classify => "classify",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
        }
    }
}

impl From<Effect> for OnMatch {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Deny => Self::Deny,
            Effect::WouldDeny => Self::WouldDeny,
        }
    }
}

impl From<Ruling> for OnMatch {
    fn from(ruling: Ruling) -> Self {
        match ruling {
            Ruling::Allow => Self::Allow,
            Ruling::WouldDeny => Self::WouldDeny,
            Ruling::Ask => Self::Ask,
            Ruling::Deny => Self::Deny,
        }
    }
}

impl Serialize for LookedAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("LookedAt", 7)?;
        out.serialize_field("id", &self.id)?;
        out.serialize_field("matched", &self.matched)?;
        out.serialize_field("effect", self.effect.as_str())?;
        out.serialize_field("why", &self.why)?;
        out.serialize_field("reason", &self.reason.as_ref().map(Found::as_str))?;
        out.serialize_field("reached", &self.reached)?;
        out.serialize_field("decided", &self.decided)?;
        out.end()
    }
}

impl LookedAt {
    pub(super) fn new(id: impl Into<String>, matched: bool, effect: OnMatch, why: String) -> Self {
        let id = id.into();
        Self { id, matched, effect, why, reason: None, reached: true, decided: false }
    }

    /// The same rule, behind the end of the call or not.
    pub(super) fn reached(mut self, reached: bool) -> Self {
        self.reached = reached;
        self
    }

    /// What the server's list of tools says, where there is one.
    pub(super) fn registry(question: &Question<'_>) -> Option<Self> {
        let listed = question.listed?;
        let tool = shown(question.evidence.tool.tool);
        let why = if listed {
            format!("the server's list has the tool `{tool}`")
        } else {
            format!(
                "the server's list has no tool `{tool}`, which refuses whatever the policy says"
            )
        };
        let rule = Self::new("registry", !listed, OnMatch::Deny, why);
        Some(Self { reason: Some(Reason::UnknownTool.into()), ..rule })
    }
}

/// Why each rule matches or not.
impl Policy {
    /// The rules for the size of arguments.
    pub(super) fn why_size(&self, question: &Question<'_>, held: &[Held]) -> Vec<LookedAt> {
        let tool = question.evidence.tool;
        let why = match (self.max_payload_bytes(), question.argument_bytes) {
            (None, _) => "the size of arguments is not limited".to_owned(),
            (Some(max), None) => format!("at most {max} bytes of arguments; none are given"),
            (Some(max), Some(bytes)) => {
                format!("at most {max} bytes of arguments; as canonical JSON there are {bytes}")
            }
        };
        held.iter()
            .map(|held| self.finds(*held, tool, "security.limits.max_payload_kb", why.clone()))
            .collect()
    }

    /// The sources that say what the call does.
    pub(super) fn why_operation(&self, question: &Question<'_>) -> Vec<LookedAt> {
        let evidence = &question.evidence;
        let first = self.overrides().iter().position(|said| said.decides(evidence.tool));
        let overrides = self.overrides().iter().enumerate();
        let mut rules: Vec<_> =
            overrides.map(|(index, said)| overriding(index, said, evidence.tool, first)).collect();
        let said = first.and_then(|first| self.overrides().get(first));
        let settled = said.is_some_and(|said| said.op.is_some() && said.side_effect.is_some());

        let annotated = by_annotations(evidence);
        let (hints, matched) = (evidence.hints, annotated.is_some() && !settled);
        let why = match annotated {
            _ if settled => "the policy has said it all".to_owned(),
            Some(operation) => format!("they say: {}", does(operation)),
            None if hints.read_only == Some(true) => {
                "they are claims of somebody else, which take no side effect away".to_owned()
            }
            None => "none is known that says whether there are side effects".to_owned(),
        };
        rules.push(LookedAt::new("annotations", matched, OnMatch::Classify, why));
        let asked = annotated.is_none() && !settled;
        let why = if asked {
            let method = if evidence.method.is_some() { " and the argument `method`" } else { "" };
            format!("the name{method} says: {}", does(evidence.by_name()))
        } else {
            "a stronger source has said it".to_owned()
        };
        rules.push(LookedAt::new("name", asked, OnMatch::Classify, why));
        rules
    }

    /// The rules for the call as a whole.
    pub(super) fn why_call(&self, asked: &Asked<'_>, held: &[Held]) -> Vec<LookedAt> {
        let mut rules: Vec<_> = self
            .entries()
            .iter()
            .enumerate()
            .map(|(index, entry)| allowing(index, entry, asked.tool))
            .collect();
        for held in held {
            let (id, why) = match held.rule {
                Rule::Allowlist => ("tools.allowlist", self.why_listed(asked.tool, held.found)),
                Rule::Pinning => {
                    ("tools.deny_if_unpinned_version", self.why_pinned(asked.tool, held.found))
                }
                Rule::IdempotencyKey => (
                    self.idempotency_key_path().unwrap_or("side_effects.require_idempotency_key"),
                    self.why_keyed(asked),
                ),
                Rule::Egress if self.scope().egress.is_some() => {
                    (EGRESS, why_placed(asked.places, PlaceKind::Url))
                }
                Rule::Paths if self.scope().paths.is_some() => {
                    (PATHS, why_placed(asked.places, PlaceKind::Path))
                }
                // A list that the policy has not is no rule.
                Rule::Payload | Rule::Duration | Rule::Egress | Rule::Paths => continue,
            };
            rules.push(self.finds(*held, asked.tool, id, why));
        }
        // Nobody knows beforehand how long a call will take.
        let held = Held { rule: Rule::Duration, found: false };
        let why = match self.max_duration() {
            None => "the time of a call is not limited".to_owned(),
            Some(max) => {
                let limit = max.as_secs_f64() * 1000.0;
                format!("at most {limit} ms; known only when the call has run")
            }
        };
        rules.push(self.finds(held, asked.tool, "security.limits.max_duration_ms", why));
        rules
    }

    /// The entry that lets the tool be called: of the most exact ones the first.
    pub(super) fn allowing(&self, tool: ToolRef<'_>) -> Option<String> {
        let kind = self.allowlist().matches(tool)?;
        let mut entries = self.entries().iter();
        let index = entries.position(|entry| entry.pattern.matches(tool) == Some(kind))?;
        Some(format!("tools.allowlist[{index}]"))
    }

    fn finds(&self, held: Held, tool: ToolRef<'_>, id: &str, why: String) -> LookedAt {
        let reason = held.rule.reason();
        let rule = LookedAt::new(id, held.found, self.ruling(reason, tool).into(), why);
        LookedAt { reason: Some(reason.into()), ..rule }
    }

    fn why_listed(&self, tool: ToolRef<'_>, found: bool) -> String {
        if found {
            format!("no entry matches; to allow the tool, add `{}`", shown(&tool.to_string()))
        } else {
            let entry = self.allowing(tool).unwrap_or_default();
            format!("`{entry}` allows the tool")
        }
    }

    fn why_pinned(&self, tool: ToolRef<'_>, found: bool) -> String {
        if !self.denies_unpinned() {
            return "it is off".to_owned();
        }
        let Some(version) = tool.version else {
            return "the tool has no version; declare `_meta[\"sec0/version\"]`".to_owned();
        };
        let (text, pinned) = (shown(version.as_str()), version.is_pinned());
        match (pinned, found) {
            (true, _) => format!("the version `{text}` is pinned: it starts with a digit"),
            (false, true) => format!("the version `{text}` does not start with a digit"),
            (false, false) => {
                format!("the version `{text}` starts with no digit, but any version is allowed")
            }
        }
    }

    fn why_keyed(&self, asked: &Asked<'_>) -> String {
        let why = match (self.requires_idempotency_key(), asked.operation.side_effect) {
            (false, _) => "no idempotency key is required",
            (true, false) => "the call has no side effect",
            (true, true) if asked.has_idempotency_key => "the call has an idempotency key",
            (true, true) => "the call has a side effect and no idempotency key",
        };
        why.to_owned()
    }
}

const EGRESS: &str = "security.egress_allowlist";
const PATHS: &str = "security.fs_allowlist";

/// What was found of one kind of place: the first that is outside, else what allows them.
fn why_placed(places: Option<&Places>, kind: PlaceKind) -> String {
    /// More are counted, and not shown.
    const SHOWN: usize = 3;
    let (key, what) = match kind {
        PlaceKind::Url => (EGRESS, "URL"),
        PlaceKind::Path => (PATHS, "path"),
    };
    let Some(places) = places else { return "the arguments are not known".to_owned() };
    let looked = places.of(kind);
    let outside = looked.iter().find_map(|it| Some((&it.pointer, it.found.err()?)));
    if let Some((pointer, fault)) = outside {
        return format!("the argument `{}` {}", shown(pointer), fault.words());
    }
    let inside = looked.iter().filter_map(|it| Some((&it.pointer, it.found.ok()?)));
    let inside = inside.take(SHOWN);
    let each: Vec<_> =
        inside.map(|(at, entry)| format!("`{key}[{entry}]` allows `{}`", shown(at))).collect();
    match looked.len().checked_sub(SHOWN) {
        _ if looked.is_empty() => format!("no argument is a {what}"),
        None | Some(0) => each.join(", "),
        Some(more) => format!("{}, and {more} more are allowed", each.join(", ")),
    }
}

fn overriding(index: usize, said: &Override, tool: ToolRef<'_>, first: Option<usize>) -> LookedAt {
    let (text, matched) = (shown(&said.entry.text), said.decides(tool));
    let why = match first {
        Some(first) if first == index => {
            let op = said.op.map(|op| format!(" op `{op}`"));
            let effect =
                said.side_effect.map(|is| if is { " side effect" } else { " no side effect" });
            let words = [op.as_deref(), effect].into_iter().flatten().collect::<Vec<_>>().join(",");
            format!("`{text}` matches; it says:{words}")
        }
        Some(first) if matched => {
            format!("`{text}` matches, but `tools.overrides[{first}]` stands before it")
        }
        Some(_) | None => format!("`{text}` does not match"),
    };
    LookedAt::new(format!("tools.overrides[{index}]"), matched, OnMatch::Classify, why)
}

fn allowing(index: usize, entry: &Entry, tool: ToolRef<'_>) -> LookedAt {
    let text = shown(&entry.text);
    let found = entry.pattern.matches(tool);
    let why = match found {
        Some(MatchKind::Exact) => format!("`{text}` matches the tool in this version"),
        Some(MatchKind::Versionless) => format!("`{text}` matches the tool in any version"),
        Some(MatchKind::Wildcard) => format!("`{text}` matches, as a wildcard"),
        None if is_of_another_version(&entry.pattern, tool) => match tool.version {
            Some(version) => {
                format!(
                    "`{text}` is for another version: the tool has `{}`",
                    shown(version.as_str())
                )
            }
            None => format!("`{text}` is for a version, and the tool has none"),
        },
        None => format!("`{text}` does not match"),
    };
    LookedAt::new(format!("tools.allowlist[{index}]"), found.is_some(), OnMatch::Allow, why)
}

/// True when the entry would match if it named no version.
fn is_of_another_version(pattern: &Pattern<Box<str>>, tool: ToolRef<'_>) -> bool {
    pattern.unversioned().is_some_and(|pattern| pattern.matches(tool).is_some())
}

fn does(operation: Operation) -> String {
    let effect = if operation.side_effect { "side effect" } else { "no side effect" };
    format!("op `{}`, {effect}", operation.op)
}
