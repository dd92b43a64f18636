mod allowlist;
mod asking;
mod audit;
mod coverage;
mod explain;
mod expose;
mod contract;
mod fixture;
mod lint;
mod json_schema;
mod judging;
mod operation;
mod places;
mod reading;
mod rows;
mod schema;
mod stack;
mod unanswerable;

use super::*;

/// The smallest policy.
const GOOD: &str = "\
tenant: acme
default_retention: 30d
signing:
  enabled: true
tools:
  allowlist: [mcp://demo/add@1.0]
enforcement: {}
";

/// The smallest policy with more at its end, on line 8.
fn with(more: &str) -> String {
    format!("{GOOD}{more}\n")
}

/// The smallest policy with this in place of its `enforcement`, from line 7.
fn enforcing(section: &str) -> String {
    GOOD.replace("enforcement: {}", &format!("enforcement: {section}"))
}

/// What is wrong with a policy, one line each.
fn wrong(text: &str) -> String {
    match Policy::from_yaml(text) {
        Ok(_) => format!("nothing is wrong with\n{text}"),
        Err(error) => error.to_string(),
    }
}
