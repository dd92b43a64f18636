//! `otel`: all three of its parts, or none.

use super::error::ConfigProblem;
use super::section::Sight;
use crate::otel::Otel;
use crate::policy::reading::{Kind, Node};

const PARTS: [(&str, &str); 3] = [
    ("endpoint", "otel.endpoint"),
    ("serviceName", "otel.serviceName"),
    ("environment", "otel.environment"),
];

/// What the section says; `None` where there is none.
pub(super) fn read(root: Sight<'_>, problems: &mut Vec<ConfigProblem>) -> Option<Otel> {
    let node = root.node("otel")?;
    let otel = root.section("otel");
    if !matches!(node.kind, Kind::Map(_)) {
        problems.push(problem(node, "otel", "has none of its parts"));
        return None;
    }
    let before = problems.len();
    let mut texts = [""; 3];
    for ((name, path), text) in PARTS.iter().zip(&mut texts) {
        match (otel.text(name), otel.node(name)) {
            (Some(found), _) => *text = found.trim(),
            (None, Some(value)) => problems.push(problem(value, path, "is no text")),
            (None, None) => problems.push(problem(node, path, "is missing")),
        }
    }
    let [endpoint, name, environment] = texts;
    let read = || Otel::new().endpoint(endpoint).service_name(name).environment(environment);
    (problems.len() == before).then(read)
}

/// Every one says what the whole section needs: whoever forgot one part may not know of the others.
fn problem(node: &Node, path: &str, what: &str) -> ConfigProblem {
    let message = format!(
        "`{path}` {what}: `otel` needs `otel.endpoint`, `otel.serviceName` and `otel.environment`"
    );
    let fix = "write all three as text, or leave `otel` out".to_owned();
    ConfigProblem::new(node.place, path, message, fix)
}
