use crate::call::{Arguments, Declared, Hints, ToolVersion};
use crate::digest::Digest;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

/// What is frozen of one tool: its name, its version, and the digest of its whole definition
/// (title, description, both schemas, annotations, icons and `_meta` included).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Definition {
    /// The name under which it is called.
    pub name: Box<str>,
    /// The declared version.
    pub version: Option<ToolVersion>,
    /// SHA-256 of the canonical definition.
    pub digest: Digest,
    /// The canonical definition itself, where it was kept: what `digest` is over.
    pub text: Option<Arc<str>>,
    /// Which handler it was, where handlers can be told apart.
    pub handler: Option<HandlerId>,
    /// What its annotations say of it.
    pub hints: Hints,
    /// True when the annotations are the word of whoever put the layer on the server. Otherwise
    /// they are claims, which may add side effects and never take them away.
    pub hints_believed: bool,
    /// The schema of its arguments, of which `declared` is made when it is first asked for.
    schema: Option<Arc<Arguments>>,
    declared: OnceLock<Declared>,
}

impl Definition {
    /// The definition of tool `name`, without annotations.
    pub fn new(name: &str, version: Option<ToolVersion>, digest: Digest) -> Self {
        Self {
            name: name.into(),
            version,
            digest,
            text: None,
            handler: None,
            hints: Hints::default(),
            hints_believed: true,
            schema: None,
            declared: OnceLock::new(),
        }
    }

    /// The same definition with its canonical text.
    #[must_use]
    pub fn with_text(mut self, text: Arc<str>) -> Self {
        self.text = Some(text);
        self
    }

    /// The same definition with these annotations, believed or not.
    #[must_use]
    pub fn with_hints(mut self, hints: Hints, believed: bool) -> Self {
        (self.hints, self.hints_believed) = (hints, believed);
        self
    }

    /// The same definition with this schema of its arguments.
    #[must_use]
    pub fn with_schema(mut self, schema: Arc<Arguments>) -> Self {
        (self.schema, self.declared) = (Some(schema), OnceLock::new());
        self
    }

    /// The schema of its arguments, where it was kept.
    pub fn schema(&self) -> Option<&Arguments> {
        self.schema.as_deref()
    }

    /// Which arguments the schema declares as URLs and paths. It is read once, when somebody first
    /// asks.
    pub fn declared(&self) -> &Declared {
        self.declared
            .get_or_init(|| self.schema.as_deref().map(Declared::of_schema).unwrap_or_default())
    }

    /// True when both are the same definition, whatever their handlers.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.name == other.name && self.version == other.version && self.digest == other.digest
    }

    /// True when `later`, seen in the same router, has another handler.
    pub fn is_swapped_in(&self, later: &Self) -> bool {
        match (&self.handler, &later.handler) {
            (Some(one), Some(other)) => one.is_swapped_in(other),
            // Handlers that were not taken from one shared router cannot be compared: every build
            // of a router makes its own.
            (Some(_) | None, _) => false,
        }
    }
}

/// Which handler a tool had in which router. Holds on to the memory of both, so that an address
/// stays theirs, and not to what is in it: a handler may own the layer that holds this.
#[derive(Clone)]
pub struct HandlerId {
    router: Weak<dyn Any + Send + Sync>,
    address: usize,
    _handler: Arc<dyn Any + Send + Sync>,
}

impl HandlerId {
    /// The handler at `address`, to which `handler` is a weak pointer, of the shared `router`.
    pub fn new(
        router: &Arc<dyn Any + Send + Sync>,
        address: usize,
        handler: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self { router: Arc::downgrade(router), address, _handler: handler }
    }

    fn is_swapped_in(&self, later: &Self) -> bool {
        std::ptr::addr_eq(self.router.as_ptr(), later.router.as_ptr())
            && self.address != later.address
    }
}

impl fmt::Debug for HandlerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerId").finish_non_exhaustive()
    }
}
