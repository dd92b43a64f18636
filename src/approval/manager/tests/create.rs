use super::*;
use crate::approval::{Strategy, TimeoutAction};
use crate::call::{Reason, Severity};
use proptest::prelude::*;
use serde_json::json;

fn finding(severity: Severity, message: &str, rule: Option<&str>) -> Finding {
    let rule_id = rule.map(Into::into);
    Finding { rule_id, ..Finding::new("pii", severity, FindingLocation::Input, message) }
}

#[test]
fn says_what_was_denied_and_why_in_the_words_of_the_contract() {
    let create = Create::denied("mcp://demo/fetch@1.0", Reason::EgressViolation);
    assert_eq!(&*create.content, "Policy denied mcp://demo/fetch@1.0 due to egress_violation.");
    assert_eq!(create.message.as_deref(), Some("egress violation"));
    assert_eq!(create.severity, Some(Severity::Medium));
    for reason in Reason::ALL {
        assert_eq!(Create::denied("mcp://demo/fetch", *reason).severity, Some(reason.severity()));
    }
}

#[test]
fn goes_over_the_wire_in_the_spelling_of_the_contract_and_without_the_tenant() {
    let create = Create {
        rule_id: Some("no-prod".into()),
        node_id: Some("node-a".into()),
        agent_ref: Some("agent".into()),
        tenant: Some("acme".into()),
        finding_source: Some(FindingSource::Evaluator),
        evaluator_fingerprint: Some("fp".into()),
        evaluator_confidence: Some(0.5),
        evaluator_principles: vec!["least".into()],
        evaluator_snapshot: Some(json!({"a": 1})),
        metadata: Metadata {
            findings: vec![finding(Severity::Low, "m", None)],
            more: [("op".to_owned(), json!("write"))].into_iter().collect(),
        },
        ttl_seconds: Some(60),
        timeout_action: Some(TimeoutAction::AutoReject),
        approval_strategy: Some(Strategy::HumanQuorum),
        approval_set_id: Some("prod".into()),
        min_approvals: Some(2),
        min_rejections: Some(1),
        required_roles: vec!["security".into()],
        veto_roles: vec!["legal".into()],
        ..Create::denied("mcp://demo/fetch@1.0", Reason::FsViolation)
    };
    let wire = json!({
        "content": "Policy denied mcp://demo/fetch@1.0 due to fs_violation.",
        "violation": "fs_violation", "rule_id": "no-prod", "message": "fs violation",
        "severity": "medium", "node_id": "node-a", "agent_ref": "agent",
        "finding_source": "evaluator", "evaluator_fingerprint": "fp",
        "evaluator_confidence": 0.5, "evaluator_principles": ["least"],
        "evaluator_snapshot": {"a": 1},
        "metadata": {
            "findings": [
                {"code": "pii", "severity": "low", "location": "input", "message": "m"},
            ],
            "op": "write",
        },
        "ttl_seconds": 60, "timeout_action": "auto_reject",
        "approval_strategy": "human_quorum", "approval_set_id": "prod",
        "min_approvals": 2, "min_rejections": 1,
        "required_roles": ["security"], "veto_roles": ["legal"],
    });
    assert_eq!(serde_json::to_value(create).unwrap(), wire);
}

#[test]
fn leaves_out_what_is_not_there() {
    let create = Create { violation: "x".into(), ..Create::default() };
    assert_eq!(serde_json::to_value(create).unwrap(), json!({"content": "", "violation": "x"}));
}

#[test]
fn takes_the_terms_of_the_policy() {
    let mut terms = crate::approval::tests::terms(Strategy::HumanQuorum, Vec::new());
    (terms.min_approvals, terms.min_rejections) = (3, 0);
    let create = Create::default().with_terms(&terms);
    assert_eq!((create.min_approvals, create.min_rejections), (Some(3), Some(1)));
    assert_eq!(create.ttl_seconds, Some(terms.ttl_seconds));
    assert_eq!(create.approval_strategy, Some(Strategy::HumanQuorum));
    assert_eq!(create.timeout_action, Some(TimeoutAction::AutoReject));
    assert_eq!(create.approval_set_id.as_deref(), Some("prod"));
}

#[test]
fn puts_the_gravest_finding_of_a_rule_first_and_speaks_of_it() {
    let evaluated = Finding {
        source: Some(FindingSource::Evaluator),
        fingerprint: Some("fp".into()),
        confidence: Some(0.9),
        principles: vec!["least".into()],
        ..finding(Severity::Critical, "a", Some("not by it"))
    };
    let found = vec![
        evaluated.clone(),
        finding(Severity::Low, "b", Some("r1")),
        finding(Severity::High, "d", Some("r2")),
        finding(Severity::High, "c", Some("r3")),
        finding(Severity::Critical, "0", None),
    ];
    let create = Create::denied("mcp://demo/x", Reason::RuleDenied).with_findings(found);
    let order: Vec<_> = create.metadata.findings.iter().map(|one| &*one.message).collect();
    assert_eq!(order, ["c", "d", "b", "0", "a"]);
    assert_eq!(create.rule_id.as_deref(), Some("r3"));
    assert_eq!(create.message.as_deref(), Some("c"));
    assert_eq!(create.severity, Some(Severity::High));
    assert_eq!(create.finding_source, Some(FindingSource::Rule));
    assert_eq!(create.evaluator_fingerprint.as_deref(), Some("fp"));
    assert_eq!(create.evaluator_confidence, Some(0.9));

    let alone = Create::default().with_findings(vec![evaluated]);
    assert_eq!(alone.finding_source, Some(FindingSource::Evaluator));
    let neither = Create::default().with_findings(vec![finding(Severity::Low, "m", None)]);
    assert_eq!(neither.finding_source, Some(FindingSource::Rule));
    let none = Create::denied("mcp://demo/x", Reason::RuleDenied);
    assert_eq!(none.clone().with_findings(Vec::new()), none);
}

proptest! {
    #[test]
    fn sends_no_more_of_the_findings_than_the_contract_has(
        count in 0_usize..40,
        length in 0_usize..1500,
        letter: char,
        words in 0_usize..40,
    ) {
        let text: Box<str> = std::iter::repeat_n(letter, length).collect();
        let long = Finding {
            evidence: Some(text.clone()),
            reasoning: Some(text.clone()),
            principles: vec!["p".into(); words],
            tags: vec!["t".into(); words],
            ..finding(Severity::Low, &text, None)
        };
        let create = Create::default().with_findings(vec![long.clone(); count]);
        let sent = &create.metadata.findings;
        prop_assert_eq!(sent.len(), count.min(25));
        for one in sent {
            prop_assert_eq!(one.message.chars().count(), length.min(1000));
            prop_assert_eq!(one.evidence.as_ref().unwrap().chars().count(), length.min(320));
            prop_assert_eq!(one.reasoning.as_ref().unwrap().chars().count(), length.min(1000));
            prop_assert_eq!((one.principles.len(), one.tags.len()), (words.min(10), words.min(25)));
        }
        let metadata = Metadata { findings: vec![long; count], ..Metadata::default() };
        let past_the_door = Create { metadata, ..Create::default() };
        let completed = past_the_door.completed(&Create::default(), None);
        prop_assert_eq!(&completed.metadata.findings, sent);
    }
}

#[test]
fn fills_in_what_is_missing_from_the_defaults_and_then_from_the_reason() {
    let defaults = Create {
        node_id: Some("theirs".into()),
        agent_ref: Some("theirs".into()),
        veto_roles: vec!["legal".into()],
        ttl_seconds: Some(60),
        metadata: Metadata {
            findings: Vec::new(),
            more: [("a".to_owned(), json!(1)), ("b".to_owned(), json!(1))].into_iter().collect(),
        },
        ..Create::default()
    };
    let input = Create {
        violation: " handler_swap ".into(),
        node_id: Some("ours".into()),
        min_approvals: Some(0),
        metadata: Metadata {
            findings: Vec::new(),
            more: [("b".to_owned(), json!(2))].into_iter().collect(),
        },
        ..Create::default()
    };
    let create = input.completed(&defaults, Some("acme"));
    assert_eq!(&*create.violation, "handler_swap");
    assert_eq!(create.message.as_deref(), Some("handler swap"));
    assert_eq!(&*create.content, "handler swap");
    assert_eq!(create.severity, Some(Severity::Critical));
    assert_eq!(create.node_id.as_deref(), Some("ours"));
    assert_eq!(create.agent_ref.as_deref(), Some("theirs"));
    assert_eq!(create.tenant.as_deref(), Some("acme"));
    assert_eq!((create.ttl_seconds, create.min_approvals), (Some(60), None));
    assert_eq!(create.veto_roles, ["legal".into()]);
    assert_eq!(json!(create.metadata.more), json!({"a": 1, "b": 2}));
    let other = Create { violation: "of_a_rule".into(), ..Create::default() };
    assert_eq!(other.completed(&Create::default(), None).severity, Some(Severity::Low));
}
