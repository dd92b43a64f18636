//! Rules on arguments, as a policy file has them.

mod always;
mod lattice;
mod operators;
mod reading;

use crate::call::{Arguments, Hints, ToolRef, ToolVersion};
use crate::policy::{Asked, Evidence, Explanation, Policy, Question, Verdict};
use serde_json::{Value, json};

/// A policy that enforces these rules, written as JSON.
fn policy(rules: &Value) -> Policy {
    with("{mode: enforce}", rules)
}

/// A policy with this `enforcement` and these rules.
fn with(enforcement: &str, rules: &Value) -> Policy {
    Policy::from_yaml(&text(enforcement, rules)).unwrap()
}

fn text(enforcement: &str, rules: &Value) -> String {
    format!(
        "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
         tools: {{allowlist: ['mcp://demo/*']}}\nenforcement: {enforcement}\nrules: {rules}\n"
    )
}

/// What is wrong with these rules, one line each.
fn wrong(rules: &Value) -> String {
    match Policy::from_yaml(&text("{mode: enforce}", rules)) {
        Ok(_) => format!("nothing is wrong with {rules}"),
        Err(error) => error.to_string(),
    }
}

/// A rule of this id on `/a` of every tool.
fn rule(id: &str, op: &str, value: &Value, effect: &str) -> Value {
    json!({"id": id, "tool": "*", "pointer": "/a", "op": op, "value": value, "effect": effect})
}

fn map(value: &Value) -> Arguments {
    value.as_object().unwrap().clone()
}

fn judge(policy: &Policy, arguments: &Value) -> Verdict {
    let version = ToolVersion::new("1.0");
    let tool = ToolRef::new("demo", "add", version.as_ref());
    let operation = policy.operation(&Evidence::new(tool, Hints::default(), true));
    let arguments = map(arguments);
    policy.judge(&Asked::new(tool, operation).with_arguments(Some(&arguments)))
}

fn explain(policy: &Policy, arguments: &Value) -> Explanation {
    let version = ToolVersion::new("1.0");
    let tool = ToolRef::new("demo", "add", version.as_ref());
    let arguments = map(arguments);
    let evidence = Evidence::new(tool, Hints::default(), true).with_arguments(Some(&arguments));
    policy.explain(&Question::new(evidence))
}

/// The words of all that was found.
fn words(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons().iter().map(crate::call::Found::as_str).collect()
}
