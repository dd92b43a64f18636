//! A call that the connected user is asked about, by a client that can show a form.

use crate::approving::{HELD, approve, arguments, closed, id_of, kinds, logged, pending, policy};
use crate::drive::{Era, House, PATIENCE, Session, denial};
use crate::secrets::Heard;
use crate::support::{assert_agree, eventually};
use crate::transport::layered;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ElicitRequestParams,
    ElicitResult, ElicitationAction, object,
};
use rmcp::service::RequestContext;
use rmcp::{ClientHandler, ErrorData, RoleClient};
use sec0::sign::key_file;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What the user of a client does with a form.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    Accept(Value),
    Decline,
    Cancel,
    Fail,
    Never,
    /// Not even when the question is taken back.
    NotAWord,
}

/// A client with a user, who is shown forms and does the same with each.
#[derive(Debug, Clone)]
pub(crate) struct WithUser {
    does: Does,
    can: bool,
    forms: Arc<parking_lot::Mutex<Vec<(String, Value)>>>,
    /// The question was taken back.
    taken_back: CancellationToken,
}

impl WithUser {
    pub(crate) fn who(does: Does) -> Self {
        let taken_back = CancellationToken::new();
        Self { does, can: true, forms: Arc::default(), taken_back }
    }

    /// One whose client cannot show a form.
    pub(crate) fn out_of_reach() -> Self {
        Self { can: false, ..Self::who(Does::Never) }
    }

    pub(crate) fn forms(&self) -> Vec<(String, Value)> {
        self.forms.lock().clone()
    }
}

impl ClientHandler for WithUser {
    fn get_info(&self) -> ClientConfig {
        let mut info = ClientConfig::default();
        info.capabilities = if self.can {
            ClientCapabilities::builder().enable_elicitation().build()
        } else {
            ClientCapabilities::default()
        };
        info
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, requested_schema, .. } = request
        else {
            panic!("no form: {request:?}")
        };
        self.forms.lock().push((message, serde_json::to_value(&requested_schema).unwrap()));
        match &self.does {
            Does::Accept(filled) => {
                Ok(ElicitResult::new(ElicitationAction::Accept).with_content(filled.clone()))
            }
            Does::Decline => Ok(ElicitResult::new(ElicitationAction::Decline)),
            Does::Cancel => Ok(ElicitResult::new(ElicitationAction::Cancel)),
            Does::Fail => Err(ErrorData::internal_error("no screen", None)),
            Does::Never => {
                context.ct.cancelled().await;
                self.taken_back.cancel();
                Ok(ElicitResult::new(ElicitationAction::Cancel))
            }
            Does::NotAWord => std::future::pending().await,
        }
    }
}

/// A house whose connected user votes as `me`, with the server's own key.
pub(crate) fn house(terms: &str) -> House {
    let house = House::new("");
    key_file::generate(&house.audit().join("keys/ed25519.key")).unwrap();
    let own = key_file::read_public(&house.audit().join("keys/ed25519.pub")).unwrap();
    let member = format!("members: [{{id: me, roles: [user], public_key: '{own}'}}, ");
    let text = policy(&format!("connected_user: me, {terms}")).replace("members: [", &member);
    std::fs::write(house.policy(), text).unwrap();
    house
}

pub(crate) fn approves() -> Does {
    Does::Accept(json!({"decision": "approve", "note": "go on"}))
}

pub(crate) async fn call(
    session: &Session<WithUser>,
    arguments: Value,
) -> Result<CallToolResult, rmcp::ServiceError> {
    let params = CallToolRequestParams::new("write_file").with_arguments(object(arguments));
    tokio::time::timeout(PATIENCE, session.client.call_tool(params)).await.unwrap()
}

#[tokio::test]
async fn the_connected_user_is_shown_the_call_and_what_he_approves_runs() {
    for terms in ["", HELD] {
        let house = house(terms);
        let sec0 = house.layer();
        let user = WithUser::who(approves());
        let session = Session::open_with(Era::Sessions, layered(&sec0), user.clone()).await;
        let mut sent = arguments(&house, "a");
        sent["password"] = json!("c0nfidential");
        sent["text"] = json!("x".repeat(9000));
        let run = call(&session, sent).await.unwrap();
        assert_ne!(run.is_error, Some(true), "{run:?}");
        assert!(house.path("written").exists());
        session.close().await;

        let [(message, schema)] = &user.forms()[..] else { panic!("{:?}", user.forms()) };
        for part in ["`write_file@1.0`", "`demo`", "writes_files, big", "Severity: high"] {
            assert!(message.contains(part), "no {part} in {message}");
        }
        assert!(!message.contains("c0nfidential"), "{message}");
        assert!(message.len() < 5000 && message.contains("[cut here, "), "{message}");
        assert_eq!(schema["required"], json!(["decision"]));
        assert_eq!(schema["properties"]["decision"]["enum"], json!(["approve", "reject"]));
        assert_eq!(schema["properties"]["note"]["maxLength"], json!(200));

        let (records, events) = closed(&house, &sec0).await;
        let told = (&records[0]["escalation_status"], &records[0]["finalization_reason"]);
        assert_eq!(told, (&json!("approved"), &json!("approved_by_approver")));
        assert_eq!(kinds(&events), ["approval_created", "approval_vote", "approval_decided"]);
        let vote = events.iter().find(|event| event["event"] == "approval_vote").unwrap();
        assert_eq!(
            (&vote["cast"]["vote"]["approver"], &vote["cast"]["vote"]["note"]),
            (&json!("me"), &json!("go on")),
            "{vote:#}"
        );
    }
}

#[tokio::test]
async fn what_the_connected_user_refuses_does_not_run() {
    for does in [Does::Decline, Does::Accept(json!({"decision": "reject"}))] {
        let house = house("");
        let sec0 = house.layer();
        let session = Session::open_with(Era::Sessions, layered(&sec0), WithUser::who(does)).await;
        let refused = denial(&call(&session, arguments(&house, "a")).await.unwrap());
        let told = (&refused["reason"], &refused["escalation_status"]);
        assert_eq!(told, (&json!("approval_rejected"), &json!("rejected")));
        session.close().await;
        let (records, _) = closed(&house, &sec0).await;
        assert_agree(&refused, &records[0]);
        assert!(!house.path("written").exists());
    }
}

/// Nothing that is a decision.
pub(crate) fn undecided() -> Vec<Does> {
    let contents = [
        json!({}),
        json!({"decision": "Approve"}),
        json!({"decision": true}),
        json!({"decision": "approve", "note": 1}),
        json!({"decision": "approve", "note": "n".repeat(201)}),
        json!({"decision": "approve", "more": "x"}),
        json!(["approve"]),
        Value::Null,
    ];
    [Does::Cancel, Does::Fail].into_iter().chain(contents.map(Does::Accept)).collect()
}

#[tokio::test]
async fn an_answer_that_is_no_decision_leaves_the_question_to_others() {
    for does in undecided() {
        let house = house("");
        let sec0 = house.layer();
        let user = WithUser::who(does.clone());
        let session = Session::open_with(Era::Sessions, layered(&sec0), user.clone()).await;
        let refused = denial(&call(&session, arguments(&house, "a")).await.unwrap());
        let told = (&refused["reason"], &refused["escalation_status"]);
        assert_eq!(told, (&json!("approval_required"), &json!("pending")), "{does:?}");
        assert_eq!(user.forms().len(), 1);
        session.close().await;
        let (_, events) = closed(&house, &sec0).await;
        assert_eq!(kinds(&events), ["approval_created"], "{does:?}");
        assert!(!house.path("written").exists());
    }
}

#[tokio::test]
async fn a_form_that_nobody_fills_in_is_taken_back_when_somebody_else_decides() {
    for terms in ["", HELD] {
        let house = house(terms);
        let sec0 = house.layer();
        let user = WithUser::who(Does::Never);
        let session = Session::open_with(Era::Sessions, layered(&sec0), user.clone()).await;
        let (run, ()) = tokio::join!(call(&session, arguments(&house, "a")), async {
            let id = pending(&house).await;
            eventually(async || !user.forms().is_empty()).await;
            approve(&house, &id, "bo");
        });
        assert_ne!(run.unwrap().is_error, Some(true));
        tokio::time::timeout(PATIENCE, user.taken_back.cancelled()).await.unwrap();
        session.close().await;
        closed(&house, &sec0).await;
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_takes_the_form_back() {
    let house = house("");
    let sec0 = house.layer();
    let user = WithUser::who(Does::Never);
    let session = Session::open_with(Era::Sessions, layered(&sec0), user.clone()).await;
    let params =
        CallToolRequestParams::new("write_file").with_arguments(object(arguments(&house, "a")));
    let request =
        rmcp::model::ClientRequest::CallToolRequest(rmcp::model::CallToolRequest::new(params));
    let options = rmcp::service::PeerRequestOptions::no_options();
    let sent = session.client.send_cancellable_request(request, options).await.unwrap();
    eventually(async || !user.forms().is_empty()).await;
    sent.cancel(None).await.unwrap();
    tokio::time::timeout(PATIENCE, user.taken_back.cancelled()).await.unwrap();
    session.close().await;
    let (records, _) = closed(&house, &sec0).await;
    assert_eq!(records[0]["status"], "cancelled");
    assert!(!house.path("written").exists());
}

#[tokio::test]
async fn one_vote_is_not_a_quorum_and_the_user_is_asked_once() {
    let house = house("approval_strategy: human_quorum, min_approvals: 2");
    let sec0 = house.layer();
    let user = WithUser::who(approves());
    let session = Session::open_with(Era::Sessions, layered(&sec0), user.clone()).await;
    let first = denial(&call(&session, arguments(&house, "a")).await.unwrap());
    assert_eq!(first["reason"], "approval_required");
    let again = denial(&call(&session, arguments(&house, "a")).await.unwrap());
    assert_eq!(id_of(&again), id_of(&first));
    assert_eq!(user.forms().len(), 1);
    approve(&house, &id_of(&first), "bo");
    let mut params =
        CallToolRequestParams::new("write_file").with_arguments(object(arguments(&house, "a")));
    let mut meta = rmcp::model::RequestMetaObject::default();
    meta.0.0.insert("sec0/approvalToken".to_owned(), id_of(&first).into());
    params.meta = Some(meta);
    let run = session.client.call_tool(params).await.unwrap();
    assert_ne!(run.is_error, Some(true), "{run:?}");
    session.close().await;
    closed(&house, &sec0).await;
}

#[tokio::test]
async fn a_user_who_cannot_vote_is_not_asked() {
    let others = |house: &House, from: &str, to: &str| {
        let text = std::fs::read_to_string(house.policy()).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(house.policy(), text.replace(from, to)).unwrap();
    };
    let uid = format!("local:{}", rustix::process::getuid().as_raw());
    let own = format!("id: me, principals: ['{uid}'], ");
    // A call of his own; another key than the server's; a client that cannot ask.
    for case in 0..3 {
        let house = house("");
        let mut user = WithUser::who(approves());
        match case {
            0 => others(&house, "id: me, ", &own),
            1 => others(&house, "connected_user: me", "connected_user: bo"),
            _ => user.can = false,
        }
        let sec0 = house.layer();
        for era in Era::ALL {
            let session = Session::open_with(era, layered(&sec0), user.clone()).await;
            let refused = denial(&call(&session, arguments(&house, "a")).await.unwrap());
            assert_eq!(refused["reason"], "approval_required", "{case} {era:?}");
            session.close().await;
        }
        assert_eq!(user.forms(), [], "{case}");
        let (records, _) = closed(&house, &sec0).await;
        if case == 0 {
            assert_eq!(records[0]["principal"], json!(uid), "{:#}", records[0]);
        }
        assert!(!logged(&house).contains("approval_vote"));
    }
}

#[tokio::test]
async fn a_start_says_that_the_connected_users_key_is_not_the_servers() {
    for (is_own, member) in [(true, "me"), (false, "bo")] {
        let house = house("");
        let text = std::fs::read_to_string(house.policy()).unwrap();
        let text = text.replace("connected_user: me", &format!("connected_user: {member}"));
        std::fs::write(house.policy(), text).unwrap();
        let heard = Heard::default();
        let listening = heard.listen();
        let sec0 = house.layer();
        drop(listening);
        sec0.try_shutdown().await.unwrap();
        let own = key_file::read_public(&house.audit().join("keys/ed25519.pub")).unwrap();
        let line = heard.text();
        let line = line.lines().find(|line| line.contains("connected user")).unwrap_or_default();
        assert_eq!(line.is_empty(), is_own, "{line}");
        assert!(is_own || (line.contains("ERROR") && line.contains(&own.to_string())), "{line}");
    }
}
