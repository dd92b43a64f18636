use super::user;
use crate::approval::{Round, RoundId, Said};
use rmcp::model::{
    CallToolRequestParams, ElicitRequest, ElicitResult, InputRequest, InputRequests,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Under which name a question of sec0 is asked and answered.
pub(super) const KEY: &str = "sec0/approval";

/// What came with a call from the round before, and what the handler gets in its place.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) round: Round,
    /// The tool's own state, once the call is known to go on with it.
    pub(super) restored: OnceLock<Box<str>>,
}

/// Takes out of the parameters what is sec0's: the handler finds neither question nor state of it.
pub(super) fn take(params: &mut CallToolRequestParams) -> Option<Sent> {
    let is_ours = |state: &String| state.starts_with(RoundId::PREFIX);
    let state = params.request_state.take_if(|state| is_ours(state));
    let answer = params.input_responses.as_mut().and_then(|all| all.remove(KEY));
    if params.input_responses.as_ref().is_some_and(BTreeMap::is_empty) && answer.is_some() {
        params.input_responses = None;
    }
    if state.is_none() && answer.is_none() {
        return None;
    }
    let id = state.as_deref().and_then(RoundId::parse);
    let said = answer.map_or(Said::Nothing, said);
    Some(Sent { round: Round { id, said }, restored: OnceLock::new() })
}

fn said(answer: Value) -> Said {
    let answer: Result<ElicitResult, _> = serde_json::from_value(answer);
    answer.map_or(Said::Nothing, |answer| user::said(&answer.action, answer.content.as_ref()))
}

/// The question, as one of those that come with an answer.
pub(super) fn asked(form: ElicitRequest) -> InputRequests {
    InputRequests::from([(KEY.to_owned(), InputRequest::Elicitation(form))])
}
