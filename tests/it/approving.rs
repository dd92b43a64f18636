//! A call that needs an approval, from the outside: refused with an id, approved by people with keys
//! of their own, and run once, or held until they decide.

use crate::drive::{House, denial};
use crate::support::{ask_in, assert_agree, eventually, soon};
use crate::transport::layered;
use parking_lot::Mutex;
use rmcp::ServerHandler;
use rmcp::model::{CallToolResponse, CallToolResult};
use sec0::approval::{
    BackendAnswer, Choice, Create, Created, EscalationReporter, Evidence, Statement, Uncounted,
    Vote, Voted,
};
use sec0::audit::Verifier;
use sec0::clock::System;
use sec0::identity::VerifiedPrincipal;
use sec0::mcp::detached_context;
use sec0::stack::Reload;
use sec0::store::sqlite::{ApprovalDesk, Found, Listed, Which};
use sec0::{LocalDevSigner, Sec0SecurityLayer, Signer as _};
use serde_json::{Value, json};
use std::sync::Arc;

/// `write_file` needs a member of `security` and one more; everything else runs.
pub(crate) fn policy(terms: &str) -> String {
    let member = |id: &str, roles: &str, seed: u8| {
        let key = LocalDevSigner::from_seed([seed; 32]).public_key();
        format!("{{id: {id}, roles: [{roles}], public_key: '{key}', principals: ['user:{id}']}}")
    };
    let members = [member("ana", "security", 1), member("bo", "finance", 2), member("cy", "", 3)];
    format!(
        "tenant: acme\n\
         default_retention: 30d\n\
         signing: {{enabled: true}}\n\
         tools: {{allowlist: ['mcp://demo/*@*']}}\n\
         enforcement: {{mode: enforce}}\n\
         security:\n  \
           limits: {{max_duration_ms: 60000}}\n  \
           side_effects:\n    \
             human_escalation: {{approval_set_id: prod, {terms}}}\n\
         approval_sets: {{prod: {{members: [{}]}}}}\n\
         rules: [{{id: big, tool: 'mcp://demo/write_file@*', pointer: /path, op: exists, effect: ask, reason: writes_files}}]\n",
        members.join(", ")
    )
}

pub(crate) const TWO: &str =
    "approval_strategy: human_quorum, min_approvals: 2, required_roles: [security]";
pub(crate) const HELD: &str = "wait_ms: 30000";

/// How a call is sent.
#[derive(Default, Clone)]
pub(crate) struct Sent<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
}

pub(crate) fn with_token(token: &str) -> Sent<'_> {
    Sent { token: Some(token), ..Sent::default() }
}

pub(crate) async fn send<S: ServerHandler>(
    server: &S,
    arguments: Value,
    sent: Sent<'_>,
) -> CallToolResult {
    let mut context = detached_context();
    let meta = [("sec0/approvalToken", sent.token), ("sec0/idempotencyKey", sent.key)];
    for (name, value) in meta {
        if let Some(value) = value {
            context.meta.0.0.insert(name.to_owned(), value.into());
        }
    }
    if let Some(user) = sent.user {
        context.extensions.insert(VerifiedPrincipal::new(user).unwrap());
    }
    match soon(ask_in(server, "write_file", arguments, context)).await.unwrap() {
        CallToolResponse::Complete(result) => result,
        other => panic!("not a complete result: {other:?}"),
    }
}

pub(crate) fn arguments(house: &House, text: &str) -> Value {
    json!({"path": house.path("written"), "text": text})
}

pub(crate) fn id_of(denial: &Value) -> String {
    denial["escalation_id"].as_str().unwrap_or_else(|| panic!("{denial:#}")).to_owned()
}

pub(crate) fn desk(house: &House) -> ApprovalDesk {
    ApprovalDesk::open(&house.audit()).unwrap()
}

pub(crate) fn listed(house: &House, id: &str) -> Listed {
    let desk = desk(house);
    let Found::One(id) = desk.find(id).unwrap() else { panic!("{id} is not there") };
    desk.show(id).unwrap().unwrap()
}

pub(crate) fn vote(house: &House, id: &str, approver: &str, choice: Choice) -> Voted {
    let Listed { kept, .. } = listed(house, id);
    let seed = match approver {
        "ana" => 1,
        "bo" => 2,
        _ => 3,
    };
    let now = System::shared().wall();
    let statement = Statement::new(&kept.escalation, approver, choice, now, "");
    let signer = LocalDevSigner::from_seed([seed; 32]);
    let sig = signer.sign_now(&statement.bytes().unwrap());
    desk(house).vote(Vote::new(&statement, "", sig).unwrap(), now).unwrap()
}

pub(crate) fn approve(house: &House, id: &str, approver: &str) {
    let voted = vote(house, id, approver, Choice::Approve);
    assert!(matches!(voted, Voted::Counted(_)), "{voted:?}");
}

/// The one escalation that waits.
pub(crate) async fn pending(house: &House) -> String {
    let desk = desk(house);
    eventually(async || desk.list(Which::Pending, 9).unwrap().len() == 1).await;
    desk.list(Which::Pending, 9).unwrap()[0].kept.escalation.id().to_string()
}

/// The text of the log so far.
pub(crate) fn logged(house: &House) -> String {
    let files = std::fs::read_dir(house.audit()).unwrap().map(|entry| entry.unwrap().path());
    let days = files.filter(|file| file.extension().is_some_and(|end| end == "ndjson"));
    days.map(|day| std::fs::read_to_string(day).unwrap()).collect()
}

pub(crate) async fn closed(house: &House, sec0: &Sec0SecurityLayer) -> (Vec<Value>, Vec<Value>) {
    sec0.try_shutdown().await.unwrap();
    checked(house)
}

/// The log with its approvals checked from what it holds alone: records of calls, and events.
pub(crate) fn checked(house: &House) -> (Vec<Value>, Vec<Value>) {
    let public = house.audit().join("keys/ed25519.pub");
    let key = sec0::sign::key_file::read_public(&public).unwrap();
    let verifier = Verifier::new(&[key]).unwrap().approvals(Evidence::check);
    verifier.verify_dir(&house.audit()).unwrap();
    (house.records(), house.events())
}

pub(crate) fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["event"].as_str().unwrap());
    kinds.filter(|kind| kind.starts_with("approval")).collect()
}

#[tokio::test]
async fn a_call_is_refused_with_an_id_approved_by_two_and_run_once() {
    let house = House::new(&policy(TWO));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let first = denial(&send(&server, call.clone(), Sent::default()).await);
    assert_eq!(first["reason"], "approval_required", "{first:#}");
    assert_eq!(first["reasons"], json!(["writes_files", "approval_required"]));
    assert_eq!(first["escalation_status"], "pending");
    assert_eq!(first["retryable"], true);
    let id = id_of(&first);
    assert_eq!(id.len(), 32);
    // An agent that asks again and again asks one question.
    let again = denial(&send(&server, call.clone(), Sent::default()).await);
    assert_eq!(id_of(&again), id);
    let early = denial(&send(&server, call.clone(), with_token(&id)).await);
    assert_eq!(
        (&early["reason"], &early["escalation_status"]),
        (&json!("approval_pending"), &json!("pending"))
    );
    approve(&house, &id, "bo");
    let one = denial(&send(&server, call.clone(), with_token(&id)).await);
    assert_eq!(one["reason"], "approval_pending");
    approve(&house, &id, "ana");
    assert!(!house.path("written").exists());
    let run = send(&server, call.clone(), with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    assert_eq!(std::fs::read_to_string(house.path("written")).unwrap(), "a");
    let second = denial(&send(&server, call.clone(), with_token(&id)).await);
    assert_eq!(second["reason"], "approval_invalid");
    assert_eq!(second["reasons"], json!(["writes_files", "approval_invalid"]));
    assert_eq!(second.get("escalation_id"), None, "{second:#}");
    let anew = denial(&send(&server, call, Sent::default()).await);
    assert_ne!(id_of(&anew), id);

    let (records, events) = closed(&house, &sec0).await;
    assert_agree(&first, &records[0]);
    the_log_tells_it(&records, &events, &id);
    // What was decided stands in the log before the call that it permits.
    let lines = house.lines();
    let at = |wanted: &dyn Fn(&Value) -> bool| lines.iter().position(wanted).unwrap();
    let ran = |line: &Value| line["status"] == "ok" && line["target_tool"] != Value::Null;
    assert!(at(&|line| line["event"] == "approval_decided") < at(&ran));
}

fn the_log_tells_it(records: &[Value], events: &[Value], id: &str) {
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            (
                record["decision_reason"].as_str().unwrap_or(""),
                record["escalation_status"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("approval_required", "pending"),
            ("approval_required", "pending"),
            ("approval_pending", "pending"),
            ("approval_pending", "pending"),
            ("writes_files", "approved"),
            ("approval_spent", ""),
            ("approval_required", "pending"),
        ]
    );
    assert_eq!(records[4]["finalization_reason"], "quorum_reached");
    assert_eq!(records[4]["escalation_id"], json!(id));
    assert_eq!(records[4]["policy"]["decision"], "allow");
    assert_eq!(records[5]["risk_tags"], json!(["writes_files", "approval_spent"]));
    assert_eq!(
        kinds(events),
        [
            "approval_created",
            "approval_vote",
            "approval_vote",
            "approval_decided",
            "approval_created"
        ]
    );
    assert_eq!(
        events.iter().find(|event| event["event"] == "approval_created").unwrap()["escalation"]["rules"],
        json!(["big"])
    );
}

#[tokio::test]
async fn a_grant_is_for_nothing_but_the_call_that_was_approved() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let ana = |token| Sent { token, user: Some("user:dan"), ..Sent::default() };
    let id = id_of(&denial(&send(&server, call.clone(), ana(None)).await));
    approve(&house, &id, "cy");
    let other = arguments(&house, "b");
    let cases = [
        (other, ana(Some(&id)), "approval_other_arguments"),
        (call.clone(), with_token(&id), "approval_other_principal"),
        (
            call.clone(),
            Sent { user: Some("user:eve"), ..with_token(&id) },
            "approval_other_principal",
        ),
        (call.clone(), ana(Some("00000000000000000000000000000000")), "approval_unknown"),
        (call.clone(), ana(Some("no id")), "approval_unknown"),
        (call.clone(), ana(id.get(..31)), "approval_unknown"),
    ];
    let mut reasons = Vec::new();
    for (arguments, sent, reason) in cases {
        let refused = denial(&send(&server, arguments, sent).await);
        assert_eq!(refused["reason"], "approval_invalid", "{reason}");
        assert!(!refused.to_string().contains(reason), "{refused:#}");
        reasons.push(reason);
    }
    let run = send(&server, call, ana(Some(&id))).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let (records, _) = closed(&house, &sec0).await;
    let told: Vec<_> =
        records.iter().map(|record| record["decision_reason"].as_str().unwrap()).collect();
    assert_eq!(told[1..7], reasons);
}

#[tokio::test]
async fn a_call_that_nobody_may_approve_is_refused_at_once() {
    let house = House::new(
        &policy("timeout_action: auto_approve, allow_unattended: true")
            .replace("approval_set_id: prod, ", ""),
    );
    let sec0 = house.layer();
    let server = layered(&sec0);
    let refused = denial(&send(&server, arguments(&house, "a"), Sent::default()).await);
    assert_eq!(refused["reason"], "no_approvers_configured", "{refused:#}");
    assert_eq!(refused["escalation_status"], "rejected");
    let (records, events) = closed(&house, &sec0).await;
    assert_eq!(records[0]["finalization_reason"], "no_approvers_configured");
    assert_eq!(kinds(&events), ["approval_created", "approval_decided"]);
}

#[tokio::test]
async fn a_call_that_nobody_has_to_look_at_runs_and_is_recorded_as_such() {
    let house = House::new(&policy("approval_strategy: auto_allow, allow_unattended: true"));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let run = send(&server, arguments(&house, "a"), Sent::default()).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let (records, _) = closed(&house, &sec0).await;
    let told = (&records[0]["escalation_status"], &records[0]["finalization_reason"]);
    assert_eq!(told, (&json!("approved"), &json!("auto_allowed")));
}

#[tokio::test]
async fn a_restart_loses_nothing_and_the_log_has_the_votes_of_meanwhile() {
    let house = House::new(&policy(TWO));
    let call = arguments(&house, "a");
    let first = house.layer();
    let server = layered(&first);
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    first.try_shutdown().await.unwrap();
    drop((server, first));
    approve(&house, &id, "ana");
    approve(&house, &id, "bo");
    let second = house.layer();
    let server = layered(&second);
    let run = send(&server, call, with_token(&id)).await;
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let (_, events) = closed(&house, &second).await;
    assert_eq!(
        kinds(&events),
        ["approval_created", "approval_vote", "approval_vote", "approval_decided"]
    );
}

pub(crate) async fn replace_policy(house: &House, sec0: &Sec0SecurityLayer, policy: &str) {
    std::fs::write(house.policy(), policy).unwrap();
    eventually(async || matches!(sec0.reload(), Reload::Taken { .. })).await;
}

#[tokio::test]
async fn a_grant_ends_with_the_policy_that_asked() {
    let house = House::new(&policy(""));
    let options = sec0::Sec0Options::from_watched_policy_file(house.policy()).unwrap();
    let sec0 = Sec0SecurityLayer::try_new(options.audit_dir(house.audit())).unwrap();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let id = id_of(&denial(&send(&server, call.clone(), Sent::default()).await));
    approve(&house, &id, "bo");
    replace_policy(&house, &sec0, &policy("").replace("id: big", "id: bigger")).await;
    let refused = denial(&send(&server, call, with_token(&id)).await);
    assert_eq!(refused["reason"], "approval_invalid");
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[1]["decision_reason"], "approval_other_policy");
}

#[tokio::test]
async fn nobody_approves_a_call_of_his_own() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let bo = Sent { user: Some("user:bo"), ..Sent::default() };
    let id = id_of(&denial(&send(&server, arguments(&house, "a"), bo).await));
    let own = vote(&house, &id, "bo", Choice::Approve);
    assert!(matches!(own, Voted::Not(Uncounted::OwnCall)), "{own:?}");
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_repeat_with_an_idempotency_key_spends_no_grant() {
    let house = House::new(&policy(""));
    let sec0 = house.layer();
    let server = layered(&sec0);
    let call = arguments(&house, "a");
    let keyed = |token| Sent { token, key: Some("order-17"), ..Sent::default() };
    let id = id_of(&denial(&send(&server, call.clone(), keyed(None)).await));
    approve(&house, &id, "bo");
    let first = send(&server, call.clone(), keyed(Some(&id))).await;
    assert_ne!(first.is_error, Some(true), "{first:?}");
    std::fs::remove_file(house.path("written")).unwrap();
    let again = send(&server, call, keyed(None)).await;
    assert_ne!(again.is_error, Some(true), "{again:?}");
    assert!(!house.path("written").exists());
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[2]["dedupe"], "replay");
}

/// A chat that may be down.
#[derive(Clone, Default)]
struct Chat {
    is_down: bool,
    told: Arc<Mutex<Vec<Value>>>,
}

impl EscalationReporter for Chat {
    fn create(&self, input: Create) -> BackendAnswer<'_, Option<Created>> {
        self.told.lock().push(serde_json::to_value(&input).unwrap());
        let is_down = self.is_down;
        Box::pin(async move {
            if is_down {
                Err("escalation_create_failed:503:the token s3cret".into())
            } else {
                Ok(None)
            }
        })
    }
}

#[tokio::test]
async fn others_are_told_once_what_waits_and_nothing_of_its_arguments() {
    for is_down in [false, true] {
        let house = House::new(&policy(TWO));
        let chat = Chat { is_down, ..Chat::default() };
        let options = house.options().escalation_reporter(chat.clone());
        let sec0 = Sec0SecurityLayer::try_new(options).unwrap();
        let server = layered(&sec0);
        let call = arguments(&house, "a secret");
        let first = denial(&send(&server, call.clone(), Sent::default()).await);
        let again = denial(&send(&server, call, Sent::default()).await);
        assert_eq!((&first["reason"], id_of(&first)), (&json!("approval_required"), id_of(&again)));
        let (records, _) = closed(&house, &sec0).await;
        let told = chat.told.lock().clone();
        let [told] = &told[..] else { panic!("{told:#?}") };
        assert_eq!(told["content"], "Policy denied mcp://demo/write_file@1.0 due to writes_files.");
        assert_eq!((&told["violation"], &told["rule_id"]), (&json!("writes_files"), &json!("big")));
        assert_eq!(
            (&told["required_roles"], &told["min_approvals"]),
            (&json!(["security"]), &json!(2))
        );
        assert_eq!(told["metadata"]["escalation_id"], first["escalation_id"]);
        assert_eq!(told["metadata"]["trace_id"], first["trace_id"]);
        assert!(!told.to_string().contains("a secret"), "{told:#}");
        let error = records[0]["escalation_error"].as_str();
        assert_eq!(error.is_some(), is_down);
        assert!(!error.unwrap_or_default().contains("s3cret"), "{error:?}");
    }
}

/// What only `would_deny` is no part of what is approved.
#[tokio::test]
async fn an_approved_call_is_recorded_as_allowed_unless_something_else_was_found() {
    for (more, decision) in [("", "allow"), ("max_payload_kb: 1, ", "would_deny")] {
        let house = House::new(&policy(HELD).replace("limits: {", &format!("limits: {{{more}")));
        let sec0 = house.layer();
        let server = layered(&sec0);
        let call = arguments(&house, &"a".repeat(2000));
        let (run, ()) = tokio::join!(send(&server, call, Sent::default()), async {
            let id = pending(&house).await;
            approve(&house, &id, "bo");
        });
        assert_ne!(run.is_error, Some(true), "{run:?}");
        let (records, _) = closed(&house, &sec0).await;
        assert_eq!(records[0]["policy"]["decision"], decision);
    }
}
