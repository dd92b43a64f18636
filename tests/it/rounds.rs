//! A call that the connected user is asked about with its answer, and that comes again with what the
//! user said.

use crate::approving::{approve, arguments, closed, id_of, kinds};
use crate::drive::{Era, PATIENCE, Session, denial};
use crate::eliciting::{Does, WithUser, approves, house, undecided};
use crate::support::{annotated, ask_in, assert_agree};
use crate::transport::layered;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ElicitRequest,
    ElicitRequestParams, ElicitationSchema, Implementation, InputRequest, InputRequiredResult,
    InputResponses, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
    object,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use sec0::identity::VerifiedPrincipal;
use sec0::mcp::detached_context;
use sec0::{Sec0SecurityLayer, ServerHandlerExt as _};
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) const KEY: &str = "sec0/approval";

async fn open(sec0: &Sec0SecurityLayer, does: Does) -> (Session<WithUser>, WithUser) {
    let user = WithUser::who(does);
    (Session::open_with(Era::Stateless, layered(sec0), user.clone()).await, user)
}

pub(crate) fn params(arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new("write_file").with_arguments(object(arguments))
}

async fn once(session: &Session<WithUser>, params: CallToolRequestParams) -> CallToolResponse {
    let sent = tokio::time::timeout(PATIENCE, session.client.call_tool_once(params));
    sent.await.unwrap().unwrap()
}

pub(crate) fn asked(response: CallToolResponse) -> InputRequiredResult {
    let CallToolResponse::InputRequired(asked) = response else { panic!("{response:?}") };
    asked
}

pub(crate) fn complete(response: CallToolResponse) -> CallToolResult {
    let CallToolResponse::Complete(result) = response else { panic!("{response:?}") };
    result
}

/// The next round, in which the question of sec0 is answered so.
pub(crate) fn answered(arguments: Value, state: &str, answer: Value) -> CallToolRequestParams {
    let answers: InputResponses = [(KEY.to_owned(), answer)].into();
    params(arguments).with_request_state(state).with_input_responses(answers)
}

pub(crate) fn yes() -> Value {
    json!({"action": "accept", "content": {"decision": "approve"}})
}

#[tokio::test]
async fn the_user_answers_with_the_next_round_and_what_he_approves_runs_once() {
    for terms in ["", "wait_ms: 30000"] {
        let house = house(terms);
        let sec0 = house.layer();
        let (session, user) = open(&sec0, approves()).await;
        let run = session.client.call_tool(params(arguments(&house, "a"))).await.unwrap();
        assert_ne!(run.is_error, Some(true), "{run:?}");
        assert_eq!(std::fs::read_to_string(house.path("written")).unwrap(), "a");
        let [(message, _)] = &user.forms()[..] else { panic!("{:?}", user.forms()) };
        assert!(message.contains("`write_file@1.0`"), "{message}");
        session.close().await;
        let (records, events) = closed(&house, &sec0).await;
        let told = |record: &Value| {
            let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            (text("status"), text("decision_reason"), text("escalation_status"))
        };
        let owned = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(
            records.iter().map(told).collect::<Vec<_>>(),
            [
                owned("denied", "approval_required", "pending"),
                owned("ok", "writes_files", "approved")
            ]
        );
        assert_eq!(records[0]["escalation_id"], records[1]["escalation_id"]);
        assert_eq!(kinds(&events), ["approval_created", "approval_vote", "approval_decided"]);
    }
}

#[tokio::test]
async fn the_question_says_what_a_program_needs_to_go_on_without_a_user() {
    let house = house("");
    let sec0 = house.layer();
    let (session, _) = open(&sec0, Does::Cancel).await;
    let question = asked(once(&session, params(arguments(&house, "a"))).await);
    let denial = question.meta.unwrap().0["sec0/denial"].clone();
    let state = question.request_state.unwrap();
    assert!(state.starts_with("sec0/round/") && state.len() == 43, "{state}");
    let requests = question.input_requests.unwrap();
    assert_eq!(requests.keys().collect::<Vec<_>>(), [KEY]);
    assert_eq!(denial["reason"], "approval_required");
    approve(&house, &id_of(&denial), "bo");
    session.close().await;
    let (records, _) = closed(&house, &sec0).await;
    assert_agree(&denial, &records[0]);
}

#[tokio::test]
async fn what_the_user_refuses_does_not_run_and_no_decision_leaves_it_to_others() {
    let refusals = [
        json!({"action": "decline"}),
        json!({"action": "accept", "content": {"decision": "reject", "note": "no"}}),
    ];
    let mut cases: Vec<_> =
        refusals.into_iter().map(|answer| (answer, "approval_rejected", "rejected")).collect();
    for does in undecided() {
        if let Does::Accept(content) = does {
            let answer = json!({"action": "accept", "content": content});
            cases.push((answer, "approval_required", "pending"));
        }
    }
    for answer in [json!({"action": "cancel"}), json!("yes"), json!({"action": "agree"})] {
        cases.push((answer, "approval_required", "pending"));
    }
    let house = house("");
    let sec0 = house.layer();
    let (session, user) = open(&sec0, Does::Cancel).await;
    for (number, (answer, reason, status)) in cases.into_iter().enumerate() {
        let call = arguments(&house, &number.to_string());
        let state = asked(once(&session, params(call.clone())).await).request_state.unwrap();
        let refused = once(&session, answered(call, &state, answer.clone())).await;
        let refused = denial(&complete(refused));
        let told = (&refused["reason"], &refused["escalation_status"]);
        assert_eq!(told, (&json!(reason), &json!(status)), "{answer}");
    }
    assert_eq!(user.forms(), []);
    session.close().await;
    closed(&house, &sec0).await;
    assert!(!house.path("written").exists());
}

#[tokio::test]
async fn a_state_is_for_one_call_and_one_use() {
    let house = house("");
    let sec0 = house.layer();
    let (session, _) = open(&sec0, Does::Cancel).await;
    let call = arguments(&house, "a");
    let state = asked(once(&session, params(call.clone())).await).request_state.unwrap();
    let server = layered(&sec0);
    let mut reasons = Vec::new();
    let mut refuse = async |sent: CallToolRequestParams, user: Option<&str>, reason: &str| {
        let result = match user {
            None => complete(once(&session, sent).await),
            Some(user) => {
                let mut context = detached_context();
                context.extensions.insert(VerifiedPrincipal::new(user).unwrap());
                complete(server.call_tool(sent, context).await.unwrap())
            }
        };
        let refused = denial(&result);
        assert_eq!(refused["reason"], "approval_invalid", "{reason}");
        assert!(!refused.to_string().contains(reason), "{refused:#}");
        reasons.push(reason.to_owned());
    };
    let other = answered(arguments(&house, "b"), &state, yes());
    refuse(other, None, "approval_other_arguments").await;
    let same = || answered(call.clone(), &state, yes());
    refuse(same(), Some("user:eve"), "approval_other_principal").await;
    let cut = state.strip_suffix(char::is_alphanumeric).unwrap();
    for wrong in ["sec0/round/", "sec0/round/00000000000000000000000000000000", cut] {
        refuse(answered(call.clone(), wrong, yes()), None, "approval_unknown").await;
    }
    let answer: InputResponses = [(KEY.to_owned(), yes())].into();
    let alone = params(call.clone()).with_input_responses(answer);
    refuse(alone, None, "approval_unknown").await;
    assert!(!house.path("written").exists());
    // None of that has used it up.
    let run = complete(once(&session, same()).await);
    assert_ne!(run.is_error, Some(true), "{run:?}");
    std::fs::remove_file(house.path("written")).unwrap();
    refuse(same(), None, "approval_unknown").await;
    session.close().await;
    let (records, _) = closed(&house, &sec0).await;
    let told: Vec<_> = records
        .iter()
        .filter(|record| record["status"] == "denied")
        .map(|record| record["decision_reason"].as_str().unwrap())
        .collect();
    assert_eq!(told[1..], reasons);
    assert!(!house.path("written").exists());
}

#[tokio::test]
async fn one_user_of_a_quorum_is_asked_once_and_the_rest_is_left_to_others() {
    let house = house("approval_strategy: human_quorum, min_approvals: 2");
    let sec0 = house.layer();
    let (session, user) = open(&sec0, approves()).await;
    let first = session.client.call_tool(params(arguments(&house, "a"))).await.unwrap();
    let first = denial(&first);
    assert_eq!(first["reason"], "approval_required");
    let again = session.client.call_tool(params(arguments(&house, "a"))).await.unwrap();
    assert_eq!(id_of(&denial(&again)), id_of(&first));
    assert_eq!(user.forms().len(), 1);
    session.close().await;
    approve(&house, &id_of(&first), "bo");
    let mut context = detached_context();
    context.meta.0.0.insert("sec0/approvalToken".to_owned(), id_of(&first).into());
    let run = ask_in(&layered(&sec0), "write_file", arguments(&house, "a"), context).await;
    assert_ne!(complete(run.unwrap()).is_error, Some(true));
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_restart_between_the_rounds_loses_nothing() {
    let house = house("");
    let call = arguments(&house, "a");
    let first = house.layer();
    let (session, _) = open(&first, Does::Cancel).await;
    let state = asked(once(&session, params(call.clone())).await).request_state.unwrap();
    session.close().await;
    first.try_shutdown().await.unwrap();
    drop(first);
    let second = house.layer();
    let (session, _) = open(&second, Does::Cancel).await;
    let run = complete(once(&session, answered(call, &state, yes())).await);
    assert_ne!(run.is_error, Some(true), "{run:?}");
    session.close().await;
    closed(&house, &second).await;
}

/// A tool that asks its user this often before it is done, and keeps what it saw.
#[derive(Clone)]
struct Wizard {
    questions: usize,
    /// How long its states are.
    long: usize,
    saw: Arc<parking_lot::Mutex<Vec<Seen>>>,
}

/// A state, and the names of the answers.
type Seen = (Option<String>, Vec<String>);

impl Wizard {
    fn new(questions: usize, long: usize) -> Self {
        Self { questions, long, saw: Arc::default() }
    }

    fn state(&self, number: usize) -> String {
        format!("w{number}{}", "-".repeat(self.long))
    }

    fn saw(&self) -> Vec<Seen> {
        self.saw.lock().clone()
    }
}

impl ServerHandler for Wizard {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo", "1.0.0"))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = annotated("write_file", json!({"readOnlyHint": false}));
        Ok(ListToolsResult::with_all_items(vec![tool]))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let state = params.request_state;
        let answers = params.input_responses.unwrap_or_default().into_keys().collect();
        let number = match &state {
            None => 0,
            Some(state) => state.trim_matches(['w', '-']).parse::<usize>().unwrap(),
        };
        self.saw.lock().push((state, answers));
        if number == self.questions {
            return Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into());
        }
        let schema = ElicitationSchema::builder().optional_bool("decision", true).build().unwrap();
        let form = ElicitRequest::new(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: "Which name?".to_owned(),
            requested_schema: schema,
        });
        let requests = [("name".to_owned(), InputRequest::Elicitation(form))].into();
        Ok(InputRequiredResult::new(Some(requests), Some(self.state(number + 1))).into())
    }
}

#[tokio::test]
async fn a_tool_that_asks_its_user_itself_goes_on_by_the_same_approval() {
    let house = house("");
    let sec0 = house.layer();
    let (wizard, user) = (Wizard::new(2, 3), WithUser::who(approves()));
    let server = wizard.clone().layer(sec0.clone());
    let session = Session::open_with(Era::Stateless, server, user.clone()).await;
    let run = session.client.call_tool(params(arguments(&house, "a"))).await.unwrap();
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let messages: Vec<_> = user.forms().into_iter().map(|(message, _)| message).collect();
    assert!(messages[0].contains("needs your approval"), "{messages:?}");
    assert_eq!(messages[1..], ["Which name?", "Which name?"]);
    let name = || vec!["name".to_owned()];
    assert_eq!(
        wizard.saw(),
        [(None, Vec::new()), (Some(wizard.state(1)), name()), (Some(wizard.state(2)), name())]
    );
    let said = session.close().await.join("\n");
    assert!(!said.contains(&wizard.state(1)), "{said}");
    let (records, events) = closed(&house, &sec0).await;
    assert_eq!(records.len(), 4);
    for record in &records[1..] {
        assert_eq!(record["escalation_status"], "approved", "{record:#}");
        assert_eq!(record["escalation_id"], records[0]["escalation_id"]);
    }
    assert_eq!(kinds(&events), ["approval_created", "approval_vote", "approval_decided"]);
}

#[tokio::test]
async fn the_tools_own_state_goes_on_only_with_the_approval_that_it_was_kept_under() {
    let house = house("");
    let sec0 = house.layer();
    let wizard = Wizard::new(1, 0);
    let server = wizard.clone().layer(sec0.clone());
    let session =
        Session::open_with(Era::Stateless, server.clone(), WithUser::who(Does::Cancel)).await;
    let call = arguments(&house, "a");
    let ask = async || asked(once(&session, params(call.clone())).await).request_state.unwrap();
    let first = once(&session, answered(call.clone(), &ask().await, yes())).await;
    let state = asked(first).request_state.unwrap();
    let name: InputResponses = [("name".to_owned(), json!({"action": "cancel"}))].into();
    let next = |state: &str, text: &str| {
        params(arguments(&house, text)).with_request_state(state).with_input_responses(name.clone())
    };
    // The tool's own state, without the handle: a call like any other.
    let own = asked(once(&session, next(&wizard.state(1), "a")).await);
    assert!(own.input_requests.unwrap().contains_key(KEY));
    let other = denial(&complete(once(&session, next(&state, "b")).await));
    assert_eq!(other["reason"], "approval_invalid");
    assert_eq!(wizard.saw().len(), 1);
    let run = complete(once(&session, next(&state, "a")).await);
    assert_ne!(run.is_error, Some(true), "{run:?}");
    let again = denial(&complete(once(&session, next(&state, "a")).await));
    assert_eq!(again["reason"], "approval_invalid");
    assert_eq!(wizard.saw().len(), 2);
    session.close().await;
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[3]["decision_reason"], "approval_other_arguments", "{:#}", records[3]);
    assert_eq!(records[5]["decision_reason"], "approval_unknown");
}

#[tokio::test]
async fn a_state_that_is_too_long_to_be_kept_is_the_tools_and_is_asked_about_anew() {
    let house = house("");
    let sec0 = house.layer();
    let (wizard, user) = (Wizard::new(1, 65_536), WithUser::who(Does::Cancel));
    let server = wizard.clone().layer(sec0.clone());
    let session = Session::open_with(Era::Stateless, server, user).await;
    let call = arguments(&house, "a");
    let state = asked(once(&session, params(call.clone())).await).request_state.unwrap();
    let first = asked(once(&session, answered(call.clone(), &state, yes())).await);
    assert_eq!(first.request_state, Some(wizard.state(1)));
    let next = once(&session, params(call).with_request_state(wizard.state(1))).await;
    assert!(asked(next).input_requests.unwrap().contains_key(KEY));
    session.close().await;
    closed(&house, &sec0).await;
}
