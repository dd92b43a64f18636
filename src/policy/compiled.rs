use super::allowlist::{Allowlist, MalformedEntry};
use super::asking::Asking;
use super::document::{Document, Mode, Retention, Said, Security};
use super::entry::{Entry, Override};
use super::error::{Place, Problem};
use super::expose::Expose;
use super::observability::Observability;
use super::places::{self, Egress, EgressEntry, Pointer, Root, Roots, Scope};
use super::rates::Rates;
use super::rules::{ByTool, Rules};
use super::tree::Node;
use super::verdict::Effect;
use crate::call::{AuditModes, BreakerRule, Force, LineSigning, LockRule, Reason, ToolRef};
use crate::digest::Digest;
use std::error::Error;
use std::time::Duration;

/// A policy, compiled and never changed: what it says is enforced, or it was not taken.
///
/// Every method is pure; only [`Policy::from_file`] reads anything.
#[derive(Debug, Clone)]
pub struct Policy {
    file: String,
    digest: Digest,
    tenant: String,
    retention: Retention,
    key_ref: Option<String>,
    mode: Mode,
    deny_on: Vec<Reason>,
    allowlist: Allowlist,
    /// The entries of `allowlist`, in the order of the file.
    entries: Vec<Entry>,
    overrides: Vec<Override>,
    scope: Scope,
    rates: Rates,
    breakers: BreakerRule,
    max_retries: u32,
    overrides_by_tool: ByTool,
    rules: Rules,
    asking: Asking,
    deny_if_unpinned: bool,
    require_idempotency_key: Option<&'static str>,
    max_payload_bytes: Option<u64>,
    max_duration: Option<Duration>,
    audit_modes: AuditModes,
    line_signing: LineSigning,
    digest_key_ref: Option<String>,
    retain_days: Option<u32>,
    store_raw_payloads: bool,
    observability: Observability,
    lock_rule: Option<LockRule>,
    expose: Expose,
    warnings: Vec<Problem>,
    /// Refuses every call, whatever else is said.
    refuses: Option<Reason>,
}

impl Policy {
    /// SHA-256 of what the document says: the same for the same content in another layout, order
    /// of keys or quoting. A key that is written out with its default counts as content.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// `tenant`.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// `default_retention`.
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// `signing.key_ref`: where the key is, not the key.
    pub fn key_ref(&self) -> Option<&str> {
        self.key_ref.as_deref()
    }

    /// `enforcement.mode`, else [`Mode::Enforce`] when `deny_on` has entries, else
    /// [`Mode::Observe`].
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// `enforcement.deny_on`, in the order of the file.
    pub fn deny_on(&self) -> &[Reason] {
        &self.deny_on
    }

    /// `tools.allowlist`.
    pub fn allowlist(&self) -> &Allowlist {
        &self.allowlist
    }

    /// The most bytes of a call's arguments, from `security.limits.max_payload_kb`: kilobytes of
    /// 1,024 bytes, of which only whole ones count. `None` is no limit.
    pub fn max_payload_bytes(&self) -> Option<u64> {
        self.max_payload_bytes
    }

    /// `security.limits.max_duration_ms`. `None` is no limit.
    pub fn max_duration(&self) -> Option<Duration> {
        self.max_duration
    }

    /// `security.limits.rate`.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// `enforcement.circuit_breakers`; it opens nothing where neither of its bounds is set.
    pub fn breakers(&self) -> BreakerRule {
        self.breakers
    }

    /// `side_effects.max_retries`.
    pub fn max_retries(&self) -> u32 {
        self.max_retries
    }

    /// `audit.mode`; a class that it does not name has its default.
    pub fn audit_modes(&self) -> AuditModes {
        self.audit_modes
    }

    /// `audit.signing`.
    pub fn line_signing(&self) -> LineSigning {
        self.line_signing
    }

    /// `audit.digest_key`: where the key is, not the key.
    pub fn digest_key_ref(&self) -> Option<&str> {
        self.digest_key_ref.as_deref()
    }

    /// `audit.retain_days`: for how many days the log keeps a day that has ended. `None` is for
    /// ever.
    pub fn retain_days(&self) -> Option<u32> {
        self.retain_days
    }

    /// `observability`.
    pub fn observability(&self) -> &Observability {
        &self.observability
    }

    /// `privacy.store_raw_payloads`.
    pub fn stores_raw_payloads(&self) -> bool {
        self.store_raw_payloads
    }

    /// `registry.lock`: what follows when the server is not the one in its lock file. `None` where
    /// the policy does not say.
    pub fn lock_rule(&self) -> Option<LockRule> {
        self.lock_rule
    }

    /// `expose`.
    pub fn expose(&self) -> Expose {
        self.expose
    }

    /// What this reason does to a call.
    pub fn effect(&self, reason: Reason) -> Effect {
        let denies = match reason.force() {
            Force::Always => true,
            Force::InEnforce => self.mode == Mode::Enforce,
            Force::ByPolicy => self.mode == Mode::Enforce && self.deny_on.contains(&reason),
        };
        if denies { Effect::Deny } else { Effect::WouldDeny }
    }

    /// True when a call with a side effect needs an idempotency key.
    pub fn requires_idempotency_key(&self) -> bool {
        self.require_idempotency_key.is_some()
    }

    /// What is valid and probably not meant, in the order of the file.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// `tools.deny_if_unpinned_version`.
    pub(super) fn denies_unpinned(&self) -> bool {
        self.deny_if_unpinned
    }

    /// Which of the two keys requires an idempotency key.
    pub(super) fn idempotency_key_path(&self) -> Option<&'static str> {
        self.require_idempotency_key
    }

    /// `tools.allowlist`, entry by entry.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// `tools.overrides`.
    pub(super) fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// Where calls may lead.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn scope_mut(&mut self) -> &mut Scope {
        &mut self.scope
    }

    /// The entry of `tools.overrides` that says what this tool does.
    pub(super) fn override_of(&self, tool: ToolRef<'_>) -> Option<&Override> {
        // Most policies have none, and then there is nothing to spell.
        if self.overrides.is_empty() {
            return None;
        }
        self.overrides.get(self.overrides_by_tool.matching(tool).next()?)
    }

    /// `rules`.
    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The same policy with these rules on arguments.
    pub(super) fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Who is asked, and for what.
    pub(super) fn asking(&self) -> &Asking {
        &self.asking
    }

    /// The same policy with this to ask.
    pub(super) fn with_asking(mut self, asking: Asking) -> Self {
        self.asking = asking;
        self
    }

    /// Compiles a document that passed the check; `root` says where its parts stand.
    pub(super) fn compile(
        file: &str,
        digest: Digest,
        document: Document,
        root: &Node,
    ) -> Result<Self, Box<dyn Error>> {
        let limits = &document.security.limits;
        let deny_on: Vec<_> = document.enforcement.deny_on.iter().map(|denied| denied.0).collect();
        let implied = if deny_on.is_empty() { Mode::Observe } else { Mode::Enforce };
        let tools = &document.tools;
        let overrides = overrides(&tools.overrides, root)?;
        Ok(Self {
            file: file.to_owned(),
            digest,
            retention: document.default_retention,
            mode: document.enforcement.mode.unwrap_or(implied),
            deny_on,
            allowlist: Allowlist::compile(tools.allowlist.iter().map(String::as_str))?,
            entries: entries(&tools.allowlist, root)?,
            overrides_by_tool: ByTool::new(overrides.iter().map(|said| &said.entry.pattern)),
            overrides,
            rules: Rules::default(),
            asking: Asking::default(),
            scope: scope(&document.security)?,
            rates: Rates::compile(limits.rate(), items(root, "security.limits", "rate"))?,
            breakers: document.enforcement.circuit_breakers.rule(),
            max_retries: document.side_effects.retries(),
            deny_if_unpinned: tools.deny_if_unpinned_version,
            require_idempotency_key: required(&document),
            max_payload_bytes: limits.payload_bytes(),
            max_duration: limits.duration(),
            audit_modes: document.audit.modes(),
            line_signing: document.audit.signing,
            store_raw_payloads: document.privacy.store_raw_payloads,
            observability: document.observability,
            lock_rule: document.registry.lock,
            expose: document.expose,
            retain_days: document.audit.retain_days(),
            digest_key_ref: document.audit.digest_key,
            tenant: document.tenant,
            key_ref: document.signing.key_ref,
            warnings: Vec::new(),
            refuses: None,
        })
    }

    /// The same policy with this mode, and with this list where there is one.
    pub(super) fn set_enforcement(
        &mut self,
        digest: Digest,
        mode: Mode,
        deny_on: Option<Vec<Reason>>,
    ) {
        (self.digest, self.mode) = (digest, mode);
        if let Some(deny_on) = deny_on {
            self.deny_on = deny_on;
        }
    }

    /// The same policy, which refuses every call for this reason.
    pub(super) fn refusing(mut self, reason: Reason) -> Self {
        self.refuses = Some(reason);
        self
    }

    /// Why every call is refused, where it is.
    pub(super) fn refuses(&self) -> Option<Reason> {
        self.refuses
    }

    /// The same policy with what a reader should be warned of.
    pub(super) fn with_warnings(mut self, warnings: Vec<Problem>) -> Self {
        self.warnings = warnings;
        self
    }
}

fn entries(texts: &[String], root: &Node) -> Result<Vec<Entry>, MalformedEntry> {
    let places = items(root, "tools", "allowlist").iter().map(|item| item.place);
    texts.iter().zip(places.chain(beyond())).map(|(text, place)| Entry::read(text, place)).collect()
}

fn overrides(said: &[Said], root: &Node) -> Result<Vec<Override>, Box<dyn Error>> {
    let places = items(root, "tools", "overrides").iter().map(|item| item.place);
    let read = |(said, place): (&Said, Place)| {
        let entry = Entry::read(&said.tool, place)?;
        Ok(Override {
            entry,
            op: said.op,
            side_effect: said.side_effect,
            url_args: pointers(&said.url_args)?,
            path_args: pointers(&said.path_args)?,
        })
    };
    said.iter().zip(places.chain(beyond())).map(read).collect()
}

fn pointers(texts: &[String]) -> Result<Vec<Pointer>, String> {
    texts.iter().map(|text| Pointer::read(text)).collect()
}

fn scope(security: &Security) -> Result<Scope, String> {
    let mut scope = Scope::default();
    if let Some(texts) = &security.egress_allowlist {
        let entries = texts.iter().map(|text| EgressEntry::parse(text));
        scope.egress = Some(Egress::compile(entries.collect::<Result<_, _>>()?));
    }
    if let Some(texts) = &security.fs_allowlist {
        let base = security.fs_base.as_deref().map(places::base).transpose()?;
        let entries = texts.iter().map(|text| Root::parse(text));
        let entries = entries.collect::<Result<_, _>>()?;
        scope.paths = Some(Roots::compile(entries, base));
    }
    Ok(scope)
}

/// The items of the list `key` in the section at `path`.
fn items<'n>(root: &'n Node, path: &str, key: &str) -> &'n [Node] {
    let section = path.split('.').try_fold(root, |node, part| node.get(part));
    section.and_then(|section| section.get(key)).map_or(&[], Node::items)
}

/// Places for what has none: no entry may be left out for want of one.
fn beyond() -> std::iter::Repeat<Place> {
    std::iter::repeat(Place::START)
}

/// The key that is set; both mean the same.
fn required(document: &Document) -> Option<&'static str> {
    if document.side_effects.require_idempotency_key {
        Some("side_effects.require_idempotency_key")
    } else if document.security.side_effects.require_idempotency_key {
        Some("security.side_effects.require_idempotency_key")
    } else {
        None
    }
}
