use super::super::compiled::Policy;
use super::disk::{Disk, Rationed};
use super::egress::Egress;
use super::fault::Fault;
use super::find::find;
use super::pointer::Pointer;
use super::roots::Roots;
use crate::call::{Arguments, Declared, PlaceKind, PlaceKinds, ToolRef};
use std::path::PathBuf;

/// Where calls may lead, by the policy. `None` is anywhere.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Scope {
    pub(in crate::policy) egress: Option<Egress>,
    pub(in crate::policy) paths: Option<Roots>,
}

/// Where the arguments of one call lead, held against `security.egress_allowlist` and
/// `security.fs_allowlist`.
///
/// It has the JSON pointers of arguments and never a value of one.
#[derive(Debug, Clone, Default)]
pub struct Places {
    urls: Vec<Looked>,
    paths: Vec<Looked>,
}

/// An argument that was looked at.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Looked {
    pub(in crate::policy) pointer: Box<str>,
    /// The entry that allows it, or why none does.
    pub(in crate::policy) found: Result<usize, Fault>,
}

/// Where calls lead.
impl Policy {
    /// The same policy on a disk: entries of `security.fs_allowlist` that are links also stand for
    /// where they lead at this moment, and `own`, absolute paths of the files of the layer itself,
    /// are never allowed, nor is what is below them.
    #[must_use]
    pub fn on_disk(mut self, own: &[PathBuf], disk: &dyn Disk) -> Self {
        let scope = self.scope_mut();
        scope.paths = scope.paths.take().map(|roots| roots.on_disk(own, disk));
        self
    }

    /// Whether the policy says where calls may lead. Where it does not, looking finds nothing.
    pub fn checks_places(&self) -> bool {
        self.scope().egress.is_some() || self.scope().paths.is_some()
    }

    /// Whether paths are among what it says, for which the disk is looked at.
    pub fn checks_paths(&self) -> bool {
        self.scope().paths.is_some()
    }

    /// Finds the URLs and paths among the arguments and looks where they lead. A path is looked up
    /// on `disk`, one name at a time: the answer holds for this moment.
    ///
    /// At most 1,024 places and 1,000,000 values are looked at, and 65,536 names on the disk; where
    /// there are more, that alone is a violation. Where the policy has neither list nothing is looked at.
    pub fn look(
        &self,
        tool: ToolRef<'_>,
        declared: &Declared,
        arguments: Option<&Arguments>,
        disk: &dyn Disk,
    ) -> Places {
        let scope = self.scope();
        let wanted = PlaceKinds { url: scope.egress.is_some(), path: scope.paths.is_some() };
        let mut places = Places::default();
        let Some(arguments) = arguments.filter(|_| wanted.url || wanted.path) else {
            return places;
        };
        let said = self.said_args(tool);
        let found = find(arguments, declared, &said, wanted);
        let disk = &Rationed::new(disk);
        for place in found.places {
            let found = match (place.text, &scope.egress, &scope.paths, place.kind) {
                (None, ..) => Err(Fault::NotText),
                (Some(text), Some(egress), _, PlaceKind::Url) => egress.judge(text),
                (Some(text), _, Some(paths), PlaceKind::Path) => paths.judge(text, disk),
                // Nobody asked for this kind.
                (Some(_), ..) => continue,
            };
            places.add(place.kind, Looked { pointer: place.pointer, found });
        }
        if !found.whole {
            let fault = if declared.is_unread() { Fault::SchemaUnread } else { Fault::TooMany };
            for kind in [PlaceKind::Url, PlaceKind::Path] {
                if wanted.is(kind) {
                    places.add(kind, Looked { pointer: "".into(), found: Err(fault) });
                }
            }
        }
        places
    }

    /// The arguments that the policy names for the tool: those of every entry that matches, so that
    /// one entry can only add to another.
    fn said_args(&self, tool: ToolRef<'_>) -> Vec<(PlaceKind, &Pointer)> {
        let mut said = Vec::new();
        let entries = self.overrides().iter().filter(|entry| entry.names_args());
        for entry in entries.filter(|entry| entry.decides(tool)) {
            said.extend(entry.url_args.iter().map(|pointer| (PlaceKind::Url, pointer)));
            said.extend(entry.path_args.iter().map(|pointer| (PlaceKind::Path, pointer)));
        }
        said
    }
}

impl Places {
    /// The first URL argument that the policy does not allow, as a JSON pointer of at most 256
    /// bytes. It is empty where the arguments as a whole could not be looked at.
    pub fn egress_violation(&self) -> Option<&str> {
        first(&self.urls)
    }

    /// The first path argument that the policy does not allow, likewise.
    pub fn fs_violation(&self) -> Option<&str> {
        first(&self.paths)
    }

    /// What was found of one kind, in the order of the arguments.
    pub(in crate::policy) fn of(&self, kind: PlaceKind) -> &[Looked] {
        match kind {
            PlaceKind::Url => &self.urls,
            PlaceKind::Path => &self.paths,
        }
    }

    fn add(&mut self, kind: PlaceKind, looked: Looked) {
        match kind {
            PlaceKind::Url => self.urls.push(looked),
            PlaceKind::Path => self.paths.push(looked),
        }
    }
}

fn first(looked: &[Looked]) -> Option<&str> {
    looked.iter().find(|looked| looked.found.is_err()).map(|looked| &*looked.pointer)
}
