use super::asking;
use super::check::check;
use super::compiled::Policy;
use super::error::{Place, PolicyError, Problem};
use super::lint::lint;
use super::rules;
use super::yaml;
use crate::digest::Digest;
use std::path::Path;

/// Where policies come from.
impl Policy {
    /// Reads a policy from its text; errors and warnings name it `policy.yaml`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn from_yaml(text: &str) -> Result<Self, PolicyError> {
        Self::from_yaml_named(text, "policy.yaml")
    }

    /// Reads a policy from its text, which came from `name`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place.
    pub fn from_yaml_named(text: &str, name: &str) -> Result<Self, PolicyError> {
        let refused = |problem| PolicyError::new(name, vec![problem]);
        let tree = yaml::parse(text).map_err(refused)?;
        let (rules, mut faults) = rules::read(&tree);
        let (asking, unanswerable) = asking::read(&tree);
        faults.extend(unanswerable);
        let checked = match check(&tree) {
            Ok(checked) if faults.is_empty() => checked,
            Ok(_) => return Err(PolicyError::new(name, faults)),
            Err(mut problems) => {
                problems.extend(faults);
                return Err(PolicyError::new(name, problems));
            }
        };
        if rules.all().len() != tree.get("rules").map_or(0, |rules| rules.items().len()) {
            return Err(refused(torn(&"lost rule")));
        }
        if !asking.is_all_of(&tree) {
            return Err(refused(torn(&"lost approvers")));
        }
        let document = serde_json::from_value(checked).map_err(|error| refused(torn(&error)))?;
        let canonical = tree.canonical().map_err(|error| refused(torn(&error)))?;
        let policy = Self::compile(name, Digest::of(&canonical), document, &tree)
            .map_err(|error| refused(torn(&*error)))?;
        let policy = policy.with_rules(rules).with_asking(asking);
        let warnings = lint(&policy, &tree);
        Ok(policy.with_warnings(warnings))
    }

    /// Reads a policy from a file. Links are followed, as configuration is often mounted so.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not a regular one, is not UTF-8 or is larger than a
    /// mebibyte; else everything that is wrong with it, each with its place.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        Self::from_yaml_named(&yaml::read(path, &name)?, &name)
    }
}

/// The schema and the types of the document disagree. The tests show that they do not; should
/// they ever, the policy is refused rather than half enforced.
fn torn(error: &dyn std::fmt::Display) -> Problem {
    let message = format!("the file is valid but could not be compiled: {error}; please report it");
    Problem::new(Place::WHOLE, "", message)
}
