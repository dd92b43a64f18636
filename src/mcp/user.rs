use crate::approval::{Choice, Reach, Said, User};
use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientResult, ElicitRequest,
    ElicitRequestParams, ElicitationAction, ElicitationSchema, EnumSchema,
    PrimitiveSchemaDefinition, ProtocolVersion, RequestId, ServerRequest, StringSchema,
};
use rmcp::service::{PeerRequestOptions, RequestContext, RequestHandle, ServiceError};
use rmcp::{Peer, RoleServer};
use serde_json::Value;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

/// The members of the form.
const DECISION: &str = "decision";
const NOTE: &str = "note";
const APPROVE: &str = "approve";
const REJECT: &str = "reject";

/// The user of the client that calls, if the client says that it can ask with a form.
pub(super) fn reach(context: &RequestContext<RoleServer>) -> Option<Reach> {
    let elicits = context.client_capabilities()?.elicitation?;
    // Before there were two modes, forms were the only one.
    if elicits.form.is_none() && elicits.url.is_some() {
        return None;
    }
    let asks_with_answers = context.protocol_version()? >= ProtocolVersion::V_2026_07_28;
    Some(if asks_with_answers {
        Reach::NextRound
    } else {
        Reach::Now(Arc::new(ConnectedUser(context.peer.clone())))
    })
}

/// The question as a form; `None` where rmcp does not take it.
pub(super) fn form(question: &str) -> Option<ElicitRequest> {
    let decisions = vec![APPROVE.to_owned(), REJECT.to_owned()];
    let decision = EnumSchema::builder(decisions).title("Decision").build();
    let note = StringSchema::new().title("Note").max_length(Said::MAX_NOTE);
    let schema = ElicitationSchema::builder()
        .required_property(DECISION, PrimitiveSchemaDefinition::Enum(decision))
        .property(NOTE, PrimitiveSchemaDefinition::String(note))
        .build();
    let requested_schema = match schema {
        Ok(schema) => schema,
        Err(error) => {
            tracing::error!(%error, "the form of an approval could not be made");
            return None;
        }
    };
    let message = question.to_owned();
    let params =
        ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema };
    Some(ElicitRequest::new(params))
}

/// What the answer to the form says.
pub(super) fn said(action: &ElicitationAction, content: Option<&Value>) -> Said {
    match action {
        ElicitationAction::Decline => Said::Vote { choice: Choice::Reject, note: "".into() },
        ElicitationAction::Accept => filled(content).unwrap_or(Said::Nothing),
        // Put away, or an action that rmcp learns later.
        ElicitationAction::Cancel | _ => Said::Nothing,
    }
}

/// `None` where the content is not of the form.
fn filled(content: Option<&Value>) -> Option<Said> {
    let content = content?.as_object()?;
    let choice = match content.get(DECISION)?.as_str()? {
        APPROVE => Choice::Approve,
        REJECT => Choice::Reject,
        _ => return None,
    };
    let note = match content.get(NOTE) {
        None | Some(Value::Null) => "",
        Some(note) => note.as_str()?,
    };
    let is_known = |name: &String| name == DECISION || name == NOTE;
    let most = usize::try_from(Said::MAX_NOTE).unwrap_or(usize::MAX);
    let fits = note.chars().count() <= most && content.keys().all(is_known);
    fits.then(|| Said::Vote { choice, note: note.into() })
}

/// The user of a client that has opened a session.
struct ConnectedUser(Peer<RoleServer>);

impl User for ConnectedUser {
    fn ask(&self, question: Box<str>) -> Pin<Box<dyn Future<Output = Said> + Send>> {
        let peer = self.0.clone();
        Box::pin(async move {
            match elicit(peer, &question).await {
                Ok(said) => said,
                Err(ServiceError::TransportClosed) => Said::Gone,
                Err(error) => {
                    tracing::debug!(%error, "the connected user could not be asked");
                    Said::Nothing
                }
            }
        })
    }
}

impl fmt::Debug for ConnectedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectedUser").finish_non_exhaustive()
    }
}

/// On the task of the call: rmcp tells by that which request the question belongs to.
async fn elicit(peer: Peer<RoleServer>, question: &str) -> Result<Said, ServiceError> {
    let Some(form) = form(question) else { return Ok(Said::Nothing) };
    let request = ServerRequest::ElicitRequest(form);
    let handle = peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let mut open = Open { asked: Some((peer, handle.id.clone())) };
    let answer = RequestHandle::await_response(handle).await;
    open.asked = None;
    let ClientResult::ElicitResult(result) = answer? else { return Ok(Said::Nothing) };
    Ok(said(&result.action, result.content.as_ref()))
}

/// A question that nobody has answered; dropped, it is taken back.
struct Open {
    asked: Option<(Peer<RoleServer>, RequestId)>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some((peer, id)) = self.asked.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let why = "the call no longer waits for an answer".to_owned();
        let params = CancelledNotificationParam::new(Some(id), Some(why));
        let taken_back = CancelledNotification::new(params);
        drop(runtime.spawn(async move {
            if let Err(error) = peer.send_notification(taken_back.into()).await {
                tracing::debug!(%error, "a client was not told that it is no longer asked");
            }
        }));
    }
}
