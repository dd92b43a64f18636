use super::compiled::Policy;
use super::entry::Entry;
use super::error::{Place, PolicyError, Problem, shown};
use super::pattern::{Pattern, Version};
use super::rules::Schemed;
use crate::call::{Arguments, ToolVersion};
use std::collections::HashMap;

/// How the policy fits the tools that a server has.
impl Policy {
    /// What of this policy fits none of these tools, and which tools no entry of the allowlist
    /// allows, in the order of the file: at most [`PolicyError::MAX_PROBLEMS`], and a last line where
    /// there are more.
    ///
    /// A list of tools does not say whose they are. With the name of the `server`, entries for other
    /// servers are left alone; without it, each entry is read as if the tools were its own server's.
    pub fn warnings_for<'t>(
        &self,
        server: Option<&'t str>,
        tools: impl IntoIterator<Item = (&'t str, Option<&'t ToolVersion>)>,
    ) -> Vec<Problem> {
        let mut tools = Tools::new(server, tools);
        let mut found = Vec::new();
        for (index, entry) in self.entries().iter().enumerate() {
            if let Some(why) = tools.lacks(entry, true) {
                found.push(unused(entry, &format!("tools.allowlist[{index}]"), &why));
            }
        }
        let place = self.entries().first().map_or(Place::START, |entry| entry.place);
        found.extend(tools.uncovered().map(|tool| {
            let message = format!("`tools.allowlist` has no entry for the tool `{}`", shown(&tool));
            Problem::new(place, "tools.allowlist", message)
        }));
        for (index, said) in self.overrides().iter().enumerate() {
            if let Some(why) = tools.lacks(&said.entry, false) {
                found.push(unused(&said.entry, &format!("tools.overrides[{index}]"), &why));
            }
        }
        for (index, entry) in self.rates().entries().enumerate() {
            if let Some(why) = tools.lacks(entry, false) {
                found.push(unused(entry, &format!("security.limits.rate[{index}].tool"), &why));
            }
        }
        for (index, entry) in self.asking().entries().enumerate() {
            if let Some(why) = tools.lacks(entry, false) {
                let path = format!("human_escalation.tools[{index}].tool");
                found.push(unused(entry, &path, &why));
            }
        }
        for (index, entry, id) in self.rules().entries() {
            if let Some(why) = tools.lacks(entry, false) {
                let path = format!("rules[{index}].tool");
                let text = shown(&entry.text);
                let message = format!("`{path}` (of `{}`) is `{text}`, {why}", shown(id));
                found.push(Problem::new(entry.place, &path, message));
            }
        }
        PolicyError::bounded(found)
    }

    /// The rules on arguments that can never match a call of the tools that they are for, by the
    /// schemas of the arguments: at most [`PolicyError::MAX_PROBLEMS`], and a last line where there
    /// are more. A schema that leaves it open is not warned of, nor a tool without one; for `server`
    /// see [`warnings_for`](Self::warnings_for).
    ///
    /// The layer does not hold calls against schemas: what a rule says of arguments that no schema
    /// has is held against whoever sends them all the same.
    pub fn warnings_for_schemas<'t>(
        &self,
        server: Option<&'t str>,
        tools: impl IntoIterator<Item = (&'t str, Option<&'t ToolVersion>, Option<&'t Arguments>)>,
    ) -> Vec<Problem> {
        let tools: Vec<_> = tools
            .into_iter()
            .map(|(name, version, schema)| Schemed { name, version, schema })
            .collect();
        PolicyError::bounded(self.rules().misfits(server, &tools))
    }
}

fn unused(entry: &Entry, path: &str, why: &str) -> Problem {
    let text = shown(&entry.text);
    Problem::new(entry.place, path, format!("`{path}` is `{text}`, {why}"))
}

/// The tools of a server, by name, and which of them some entry has allowed.
struct Tools<'t> {
    server: Option<&'t str>,
    by_name: HashMap<&'t str, Known<'t>>,
    all_covered: bool,
}

struct Known<'t> {
    version: Option<&'t ToolVersion>,
    covered: bool,
}

impl<'t> Tools<'t> {
    fn new(
        server: Option<&'t str>,
        tools: impl IntoIterator<Item = (&'t str, Option<&'t ToolVersion>)>,
    ) -> Self {
        let known = |version| Known { version, covered: false };
        let by_name = tools.into_iter().map(|(name, version)| (name, known(version))).collect();
        Self { server, by_name, all_covered: false }
    }

    /// Why this entry matches none of the tools; `None` when it matches one, or is for another
    /// server. What it matches counts as covered, if it allows.
    fn lacks(&mut self, entry: &Entry, allows: bool) -> Option<String> {
        match &entry.pattern {
            Pattern::Everything => {
                self.all_covered |= allows;
                None
            }
            Pattern::Server(server) => {
                let is_ours = self.server.is_none_or(|ours| ours == &**server);
                self.all_covered |= allows && is_ours;
                None
            }
            Pattern::Anywhere(name, version) => self.named([&**name].into_iter(), version, allows),
            Pattern::OfServer(path, version) => {
                if let Some(server) = self.server {
                    let name = path.strip_prefix(server)?.strip_prefix('/')?;
                    return self.named([name].into_iter(), version, allows);
                }
                // Servers and tools may have slashes in their names.
                let tails = path.match_indices('/').filter_map(|(at, _)| path.get(at..)?.get(1..));
                self.named(tails, version, allows)
            }
        }
    }

    fn named<'n>(
        &mut self,
        names: impl Iterator<Item = &'n str>,
        version: &Version<Box<str>>,
        allows: bool,
    ) -> Option<String> {
        let mut why = "which is none of these tools".to_owned();
        for name in names {
            let Some(tool) = self.by_name.get_mut(name) else { continue };
            if version.matches(tool.version).is_some() {
                tool.covered |= allows;
                return None;
            }
            why = match tool.version {
                Some(version) => {
                    format!("but the tool has the version `{}`", shown(version.as_str()))
                }
                None => "but the tool declares no version".to_owned(),
            };
        }
        Some(why)
    }

    /// The tools that no entry allows, by name.
    fn uncovered(&self) -> impl Iterator<Item = String> {
        let mut names: Vec<_> = self
            .by_name
            .iter()
            .filter(|(_, known)| !self.all_covered && !known.covered)
            .map(|(name, known)| match known.version {
                Some(version) => format!("{name}@{}", version.as_str()),
                None => (*name).to_owned(),
            })
            .collect();
        names.sort_unstable();
        names.into_iter()
    }
}
