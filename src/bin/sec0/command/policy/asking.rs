use sec0::call::{Arguments, Declared, ToolVersion};
use sec0::canonical::{self, CanonicalError, Limits};
use sec0::identity::{ClaimName, Claimant, Detail, Origin, Said, claims};
use sec0::policy::{Disk, Evidence, Explanation, NamedTool, Policy, Question};
use sec0::registry::Definition;
use std::borrow::Cow;

/// A call that nobody makes, and that a policy is asked about.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) tool: &'a NamedTool,
    /// The tools of the server, where they are known.
    pub(super) tools: Option<&'a [Definition]>,
    pub(super) arguments: Option<&'a Arguments>,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) annotations_are_claims: bool,
}

impl<'a> Asking<'a> {
    /// The verdict, in the version that the server declares.
    ///
    /// # Errors
    ///
    /// The arguments have no canonical form.
    pub(super) fn ask(
        &self,
        policy: &Policy,
        disk: &dyn Disk,
    ) -> Result<Explanation, CanonicalError> {
        let definition = self.definition();
        let declared_version = definition.and_then(|tool| tool.version.clone());
        let tool = match declared_version {
            Some(version) => self.tool.clone().with_version(version),
            None => self.tool.clone(),
        };
        let hints = definition.map(|tool| tool.hints).unwrap_or_default();
        let evidence = Evidence::new(tool.tool_ref(), hints, !self.annotations_are_claims)
            .with_arguments(self.arguments);
        let nothing = Declared::default();
        let declared = definition.map_or(&nothing, Definition::declared);
        let places = policy.look(tool.tool_ref(), declared, self.arguments, disk);
        let question = Question::new(evidence)
            .with_places(&places)
            .with_argument_bytes(self.arguments.map(size).transpose()?)
            .with_idempotency_key(self.has_key())
            .with_listed(self.tools.map(|_| definition.is_some()));
        Ok(policy.explain(&question))
    }

    fn definition(&self) -> Option<&'a Definition> {
        let name = self.tool.tool_ref().tool;
        self.tools?.iter().find(|definition| *definition.name == *name)
    }

    /// The version that the server declares, where the call has another.
    pub(super) fn other_version(&self) -> Option<&'a ToolVersion> {
        let declared = self.definition()?.version.as_ref()?;
        let asked = self.tool.tool_ref().version?;
        (asked != declared).then_some(declared)
    }

    /// Whether there is a key that counts as none.
    pub(super) fn has_unusable_key(&self) -> bool {
        self.idempotency_key.is_some() && !self.has_key()
    }

    /// Whether the key counts as one: it is read as a caller's would be.
    fn has_key(&self) -> bool {
        let key = self.idempotency_key;
        key.is_some_and(|key| claims(&Sent(key), Detail::default(), None).idempotency_key.is_some())
    }
}

/// What a limit on arguments counts.
fn size(arguments: &Arguments) -> Result<u64, CanonicalError> {
    let measured = canonical::measure(arguments, Limits::default())?;
    Ok(u64::try_from(measured.len).unwrap_or(u64::MAX))
}

/// A caller that sends an idempotency key and nothing else.
struct Sent<'a>(&'a str);

impl Claimant for Sent<'_> {
    fn claim(&self, name: ClaimName) -> Said<'_> {
        if name == ClaimName::IdempotencyKey {
            Said::Text(Cow::Borrowed(self.0))
        } else {
            Said::Nothing
        }
    }

    fn origin(&self) -> Origin {
        Origin::Local
    }
}
