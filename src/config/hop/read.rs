use super::automation::Automation;
use super::enforcement::{HopEnforcement, PolicyLevel};
use super::kind::HopType;
use crate::call::Op;
use crate::config::environment::{Written, step};
use crate::config::error::ConfigProblem;
use crate::config::said::{Said, quoted};
use crate::config::schema::{self, SPELLINGS};
use crate::config::section::Sight;
use crate::policy::reading::{Kind, Node, Place, check_at, shown};
use crate::secret::Secret;
use std::collections::BTreeMap;

/// The most hops of one file.
const MAX_HOPS: usize = 1000;
/// The most bytes of a hop's name.
const MAX_KEY: usize = 256;

/// What stands around the hops and is put in where they say nothing.
pub(in crate::config) struct Around<'s> {
    pub(in crate::config) tenant: Option<&'s str>,
    /// Name and version of the client.
    pub(in crate::config) client: Option<(&'s str, &'s str)>,
    /// `orchestrator.gatewayBaseUrl`.
    pub(in crate::config) gateway: Option<&'s str>,
    /// `auth.svcToken`.
    pub(in crate::config) token: Option<&'s str>,
    pub(in crate::config) written: &'s Written,
}

/// An entry of `app.hops`, checked.
#[derive(Debug, Clone)]
pub(in crate::config) struct WrittenHop {
    pub(in crate::config) kind: HopType,
    pub(super) place: Place,
    /// The texts of the hop by their keys, with what stands around put in.
    pub(super) texts: BTreeMap<&'static str, String>,
    pub(super) auth_header: Option<Secret<String>>,
    pub(super) operation: Option<Op>,
    pub(super) automation: Automation,
    pub(super) enforcement: HopEnforcement,
}

/// Takes the hops out of a document, to hold each against the keys of its type. Their names stay.
pub(in crate::config) fn take(root: &mut Node) -> Vec<(Node, Node)> {
    let Some(Kind::Map(hops)) =
        entry(root, "app").and_then(|app| entry(app, "hops")).map(|it| &mut it.kind)
    else {
        return Vec::new();
    };
    let taken = hops.clone();
    for (_, hop) in hops.iter_mut() {
        hop.kind = Kind::Nothing;
    }
    taken
}

fn entry<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Kind::Map(entries) = &mut node.kind else { return None };
    entries.iter_mut().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
}

/// Reads the hops; what is wrong with them, and what is probably not meant, goes into the lists.
pub(in crate::config) fn read(
    hops: &[(Node, Node)],
    around: &Around<'_>,
    (problems, warnings): (&mut Vec<ConfigProblem>, &mut Vec<ConfigProblem>),
) -> BTreeMap<String, WrittenHop> {
    let mut read = BTreeMap::new();
    if let Some((name, _)) = hops.get(MAX_HOPS) {
        let (message, fix) = ("`app.hops` has more than 1000 hops", "take some out");
        problems.push(ConfigProblem::new(name.place, "app.hops", message.into(), fix.into()));
    }
    for (name, node) in hops.iter().take(MAX_HOPS) {
        // A name that is no text, or stands here twice, is the table's to tell.
        let Some(key) = name.text() else { continue };
        if key.trim().is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control) {
            let message = format!(
                "`app.hops` has the name `{}`, which is blank, longer than 256 bytes or has control \
                 characters",
                shown(key)
            );
            let fix = "write one such as `OrderAgent.run`".to_owned();
            problems.push(ConfigProblem::new(name.place, "app.hops", message, fix));
            continue;
        }
        let mut hop =
            Hop { key, place: name.place, node, around, path: path(key), problems, warnings };
        if let Some(found) = hop.read() {
            read.insert(key.to_owned(), found);
        }
    }
    read
}

/// The path of a hop, for messages.
pub(super) fn path(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain {
        format!("app.hops{}", step(key, true))
    } else {
        format!("app.hops{}", step(key, false))
    }
}

struct Hop<'s> {
    key: &'s str,
    place: Place,
    node: &'s Node,
    around: &'s Around<'s>,
    path: String,
    problems: &'s mut Vec<ConfigProblem>,
    warnings: &'s mut Vec<ConfigProblem>,
}

impl Hop<'_> {
    fn read(&mut self) -> Option<WrittenHop> {
        let before = self.problems.len();
        let kind = self.kind()?;
        self.check(kind);
        let sight = Sight::of(self.node, self.place, self.around.written);
        for name in kind.required() {
            let path = format!("{}.{name}", self.path);
            let said = Said::HopField(self.key, name);
            self.problems.extend(sight.missing(name, &path, &said));
        }
        let texts = self.texts(kind);
        self.spellings();
        let automation = self.node.get("automation");
        if let (Some(node), HopType::Agent | HopType::Orchestrator) = (automation, kind) {
            let path = format!("{}.automation", self.path);
            let message = format!("`{path}` has no effect on hops of the type `{kind}`");
            let fix = "leave it out".to_owned();
            self.warnings.push(ConfigProblem::new(node.place, &path, message, fix));
        }
        for flag in ["ap2", "identityContext"] {
            let node = automation.and_then(|automation| automation.get(flag));
            if let Some(node) = node.filter(|node| matches!(node.kind, Kind::Flag(true))) {
                let path = format!("{}.automation.{flag}", self.path);
                let message =
                    format!("`{path}` has no effect: mandates and identities are not sent yet");
                let fix = "leave it out, or send the header yourself".to_owned();
                self.warnings.push(ConfigProblem::new(node.place, &path, message, fix));
            }
        }
        let usual =
            if kind == HopType::Gateway { PolicyLevel::Gateway } else { PolicyLevel::Middleware };
        (self.problems.len() == before).then(|| WrittenHop {
            kind,
            place: self.place,
            auth_header: self.auth_header(sight),
            operation: sight.text("operation").and_then(operation),
            automation: automation.map(Automation::read).unwrap_or_default(),
            enforcement: HopEnforcement::read(self.node.get("enforcement"), usual),
            texts,
        })
    }

    fn kind(&mut self) -> Option<HopType> {
        if !matches!(self.node.kind, Kind::Map(_)) {
            self.say(self.node.place, "", &Said::HopNoObject(self.key));
            return None;
        }
        let Some(node) = self.node.get("type") else {
            self.say(self.place, ".type", &Said::HopTypeMissing(self.key));
            return None;
        };
        let word = node.text().unwrap_or_default().trim();
        if word.is_empty() && !matches!(node.kind, Kind::Nothing | Kind::Text(_)) {
            let message = format!("`{}.type` must be text, found {}", self.path, node.what());
            let fix = format!("write one of {}", HopType::listed());
            self.problems.push(ConfigProblem::new(node.place, &self.path, message, fix));
            return None;
        }
        if word.is_empty() {
            self.say(node.place, ".type", &Said::HopTypeMissing(self.key));
            return None;
        }
        let kind = HopType::from_word(word);
        if kind.is_none() {
            let shown = quoted(word, self.around.written.at(node));
            self.say(node.place, ".type", &Said::HopTypeUnknown(self.key, &shown));
        }
        kind
    }

    /// Holds the hop against the keys of its type.
    fn check(&mut self, kind: HopType) {
        let at = (self.path.clone(), self.place);
        let found = check_at(self.node, schema::of(kind), at).err().unwrap_or_default();
        let written = self.around.written;
        let is_said = |problem: &ConfigProblem| {
            // A key without a value is told in the words of the original.
            let name = problem.path.strip_prefix(&self.path).unwrap_or_default();
            kind.required().contains(&name.trim_start_matches('.'))
                && problem.message.contains(" has no value")
        };
        let found = found.into_iter().map(|problem| written.veil(problem.into()));
        let found: Vec<_> = found.filter(|problem| !is_said(problem)).collect();
        self.problems.extend(found);
    }

    fn texts(&mut self, kind: HopType) -> BTreeMap<&'static str, String> {
        let sight = Sight::of(self.node, self.place, self.around.written);
        let names = schema::of(kind).keys.iter().map(|key| key.name);
        let names = names.filter(|name| !matches!(*name, "type" | "operation" | "authHeader"));
        let mut texts: BTreeMap<_, _> =
            names.filter_map(|name| Some((name, sight.owned(name)?))).collect();
        match kind {
            HopType::Orchestrator => {
                let (name, version) = self.around.client.unzip();
                let parts = [("orchestratorName", name), ("orchestratorVersion", version)];
                if !fill(&mut texts, &parts) {
                    self.say(self.place, "", &Said::HopOrchestrator(self.key));
                }
            }
            HopType::Gateway => {
                if !fill(&mut texts, &[("gatewayBaseUrl", self.around.gateway)]) {
                    self.say(self.place, "", &Said::HopBaseUrl(self.key));
                }
                if !fill(&mut texts, &[("tenant", self.around.tenant)]) {
                    self.say(self.place, "", &Said::HopTenant(self.key));
                }
            }
            HopType::Agent
            | HopType::Server
            | HopType::Middleware
            | HopType::Tool
            | HopType::Skill => {}
        }
        texts
    }

    /// Its own header, which is none where it is blank; else the service token.
    fn auth_header(&self, sight: Sight<'_>) -> Option<Secret<String>> {
        if sight.node("authHeader").is_some() {
            return sight.secret("authHeader");
        }
        self.around.token.map(|token| Secret::new(format!("Bearer {}", token.trim())))
    }

    /// Refuses two spellings of one key of `enforcement`.
    fn spellings(&mut self) {
        let Some(section) = self.node.get("enforcement") else { return };
        for (one, other) in SPELLINGS {
            if let (Some(_), Some(second)) = (section.get(one), section.get(other)) {
                let path = format!("{}.enforcement.{other}", self.path);
                let message = format!("`{path}` is another spelling of `{one}`, which is set too");
                let fix = "keep one".to_owned();
                self.problems.push(ConfigProblem::new(second.place, &path, message, fix));
            }
        }
    }

    fn say(&mut self, place: Place, below: &str, said: &Said<'_>) {
        let path = format!("{}{below}", self.path);
        self.problems.push(ConfigProblem::said(place, &path, said));
    }
}

/// Puts in what the hop does not say itself; false where nobody says it.
fn fill(
    texts: &mut BTreeMap<&'static str, String>,
    parts: &[(&'static str, Option<&str>)],
) -> bool {
    for (name, usual) in parts {
        if let (false, Some(usual)) = (texts.contains_key(name), usual) {
            texts.insert(name, usual.trim().to_owned());
        }
    }
    parts.iter().all(|(name, _)| texts.contains_key(name))
}

fn operation(word: &str) -> Option<Op> {
    [Op::Create, Op::Delete, Op::Read, Op::Update].into_iter().find(|op| op.as_str() == word)
}
