//! The example programs where the policy has the user of the client asked: rmcp's client on the pipes
//! of a child and over streamable HTTP, in both eras.

use crate::approving::{HELD, approve, arguments, checked, closed, id_of, kinds, pending};
use crate::drive::{Client, Era, House, HttpServer, PATIENCE, denial};
use crate::eliciting::{Does, WithUser, approves, house};
use crate::programs::{HttpProgram, StdioProgram, arguments as options};
use crate::rounds::{KEY, answered, asked, complete, params, yes};
use crate::support::eventually;
use crate::transport::layered;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest,
};
use rmcp::service::PeerRequestOptions;
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use serde_json::{Value, json};

const WIRES: [(Era, Wire); 4] = [
    (Era::Sessions, Wire::Stdio),
    (Era::Sessions, Wire::Http),
    (Era::Stateless, Wire::Stdio),
    (Era::Stateless, Wire::Http),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Stdio,
    Http,
}

/// A client with a user, on one of the programs.
enum Door {
    Stdio(StdioProgram<WithUser>),
    Http(HttpProgram, Client<WithUser>),
}

impl Door {
    async fn open(era: Era, wire: Wire, house: &House, user: &WithUser) -> Self {
        match wire {
            Wire::Stdio => {
                let user = user.clone();
                Self::Stdio(StdioProgram::start_with(era, user, &options(house), None).await)
            }
            Wire::Http => {
                let server = HttpProgram::start(&options(house)).await;
                let client = era.connect_http_as(user.clone(), &server.url, &[]).await;
                Self::Http(server, client)
            }
        }
    }

    fn client(&self) -> &Client<WithUser> {
        match self {
            Self::Stdio(program) => &program.client,
            Self::Http(_, client) => client,
        }
    }

    async fn call(&self, params: CallToolRequestParams) -> CallToolResult {
        let sent = tokio::time::timeout(PATIENCE, self.client().call_tool(params));
        sent.await.expect("no answer").unwrap()
    }

    async fn once(&self, params: CallToolRequestParams) -> CallToolResponse {
        let sent = tokio::time::timeout(PATIENCE, self.client().call_tool_once(params));
        sent.await.expect("no answer").unwrap()
    }

    /// The client goes away, and then the server.
    async fn close(self) {
        let status = match self {
            Self::Stdio(program) => program.close().await,
            Self::Http(server, client) => {
                client.cancel().await.unwrap();
                server.terminate().await
            }
        };
        assert!(status.success(), "{status}");
    }
}

fn with_token(house: &House, text: &str, token: &str) -> CallToolRequestParams {
    let mut params = params(arguments(house, text));
    let mut meta = rmcp::model::RequestMetaObject::default();
    meta.0.0.insert("sec0/approvalToken".to_owned(), token.into());
    params.meta = Some(meta);
    params
}

fn statuses(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_user_of_a_real_client_decides_on_every_wire() {
    let reject = Does::Accept(json!({"decision": "reject"}));
    for (era, wire) in WIRES {
        for (does, reason) in [
            (approves(), None),
            (reject.clone(), Some("approval_rejected")),
            (Does::Decline, Some("approval_rejected")),
            (Does::Cancel, Some("approval_required")),
        ] {
            let house = house("");
            let user = WithUser::who(does.clone());
            let door = Door::open(era, wire, &house, &user).await;
            let result = door.call(params(arguments(&house, "a"))).await;
            door.close().await;

            let seen = (era, wire, does);
            assert_eq!(user.forms().len(), 1, "{seen:?}");
            assert_eq!(house.path("written").exists(), reason.is_none(), "{seen:?}");
            if let Some(reason) = reason {
                assert_eq!(denial(&result)["reason"], reason, "{seen:?}");
            } else {
                assert_ne!(result.is_error, Some(true), "{result:?}");
            }
            let (records, events) = checked(&house);
            let last = if reason.is_some() { "denied" } else { "ok" };
            let all = if era == Era::Sessions { vec![last] } else { vec!["denied", last] };
            assert_eq!(statuses(&records), all, "{seen:?}");
            let is_vote = reason != Some("approval_required");
            assert_eq!(kinds(&events).contains(&"approval_vote"), is_vote, "{seen:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_cannot_ask_gets_the_id_on_every_wire() {
    for (era, wire) in WIRES {
        let house = house("");
        let user = WithUser::out_of_reach();
        let door = Door::open(era, wire, &house, &user).await;
        let CallToolResponse::Complete(result) = door.once(params(arguments(&house, "a"))).await
        else {
            panic!("{era:?}, {wire:?}")
        };
        let refused = denial(&result);
        assert_eq!(refused["reason"], "approval_required");
        approve(&house, &id_of(&refused), "bo");
        assert!(!house.path("written").exists());
        let run = door.call(with_token(&house, "a", &id_of(&refused))).await;
        assert_ne!(run.is_error, Some(true), "{run:?}");
        door.close().await;
        assert!(house.path("written").exists());
        assert_eq!(user.forms(), []);
        assert_eq!(statuses(&checked(&house).0), ["denied", "ok"]);
    }
}

#[tokio::test]
async fn a_client_without_a_session_to_be_asked_in_gets_the_id() {
    for json in [false, true] {
        let house = house("");
        let sec0 = house.layer();
        let server = layered(&sec0);
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(json);
        let http = HttpServer::configured(config, move || server.clone(), |app| app).await;
        let user = WithUser::who(approves());
        let client = Era::Sessions.connect_http_as(user.clone(), &http.url, &[]).await;
        let sent = client.call_tool(params(arguments(&house, "a")));
        let refused = denial(&tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap());
        assert_eq!(refused["reason"], "approval_required", "JSON: {json}");
        approve(&house, &id_of(&refused), "bo");
        let sent = client.call_tool(with_token(&house, "a", &id_of(&refused)));
        let run = tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap();
        assert_ne!(run.is_error, Some(true), "{run:?}");
        client.cancel().await.unwrap();
        http.stop().await;
        assert_eq!(statuses(&closed(&house, &sec0).await.0), ["denied", "ok"]);
        assert_eq!(user.forms(), []);
    }
}

#[tokio::test]
async fn a_held_call_of_a_client_that_cannot_ask_runs_when_others_approve_on_every_wire() {
    for (era, wire) in WIRES {
        let house = house(HELD);
        let door = Door::open(era, wire, &house, &WithUser::out_of_reach()).await;
        let (run, ()) = tokio::join!(door.call(params(arguments(&house, "a"))), async {
            let id = pending(&house).await;
            assert!(!house.path("written").exists());
            approve(&house, &id, "bo");
        });
        door.close().await;
        assert_ne!(run.is_error, Some(true), "{run:?}");
        assert!(house.path("written").exists());
        assert_eq!(statuses(&checked(&house).0), ["ok"], "{era:?}, {wire:?}");
    }
}

#[tokio::test]
async fn the_next_round_goes_to_a_server_that_was_killed_and_started_again() {
    for wire in [Wire::Stdio, Wire::Http] {
        let house = house("");
        let user = WithUser::who(Does::Never);
        let door = Door::open(Era::Stateless, wire, &house, &user).await;
        let question = asked(door.once(params(arguments(&house, "a"))).await);
        let state = question.request_state.unwrap();
        assert_eq!(question.input_requests.unwrap().keys().collect::<Vec<_>>(), [KEY]);
        match door {
            Door::Stdio(program) => program.kill().await,
            Door::Http(server, _client) => server.kill().await,
        }

        let door = Door::open(Era::Stateless, wire, &house, &user).await;
        let answer = |text: &str| answered(arguments(&house, text), &state, yes());
        let other = denial(&complete(door.once(answer("b")).await));
        assert_eq!(other["reason"], "approval_invalid");
        assert!(!house.path("written").exists());
        let run = complete(door.once(answer("a")).await);
        assert_ne!(run.is_error, Some(true), "{run:?}");
        std::fs::remove_file(house.path("written")).unwrap();
        let again = denial(&complete(door.once(answer("a")).await));
        assert_eq!(again["reason"], "approval_invalid");
        door.close().await;
        assert!(!house.path("written").exists());
        let (records, events) = checked(&house);
        // The record of the question can be lost with the server: `batch`.
        let statuses = statuses(&records);
        assert!(statuses.ends_with(&["denied", "ok", "denied"]), "{wire:?}: {statuses:?}");
        let mut kinds = kinds(&events);
        // The first server was killed before it knew that its line was durable.
        kinds.dedup();
        assert_eq!(kinds, ["approval_created", "approval_vote", "approval_decided"]);
        assert_eq!(user.forms(), []);
    }
}

/// Sends a call whose user looks at the form and does nothing.
async fn asks(door: &Door, house: &House, user: &WithUser) {
    let call = CallToolRequest::new(params(arguments(house, "a")));
    let request = ClientRequest::CallToolRequest(call);
    let options = PeerRequestOptions::no_options();
    drop(door.client().send_cancellable_request(request, options).await.unwrap());
    eventually(async || !user.forms().is_empty()).await;
}

#[tokio::test]
async fn a_client_that_goes_away_while_its_user_is_asked_leaves_one_record_and_the_question() {
    let gone = async |wire| {
        let house = house("");
        let user = WithUser::who(Does::NotAWord);
        let door = Door::open(Era::Sessions, wire, &house, &user).await;
        asks(&door, &house, &user).await;
        door.close().await;
        let (records, events) = checked(&house);
        assert_eq!(statuses(&records), ["cancelled"], "{wire:?}");
        assert_eq!(kinds(&events), ["approval_created"]);
        assert_eq!(records[0]["escalation_id"], json!(pending(&house).await));
        assert!(!house.path("written").exists());
    };
    // Client and server of rmcp wait some seconds for answers before they end.
    tokio::join!(gone(Wire::Stdio), gone(Wire::Http));
}

#[tokio::test]
async fn a_server_that_is_told_to_end_while_a_user_is_asked_does_so_and_leaves_one_record() {
    let house = house("");
    let user = WithUser::who(Does::NotAWord);
    let door = Door::open(Era::Sessions, Wire::Http, &house, &user).await;
    asks(&door, &house, &user).await;
    let Door::Http(server, client) = door else { panic!("not over HTTP") };
    assert!(server.terminate().await.success());
    drop(client);
    let (records, _) = checked(&house);
    assert_eq!(statuses(&records), ["cancelled"]);
    assert_eq!(records[0]["escalation_id"], json!(pending(&house).await));
    assert!(!house.path("written").exists());
}
