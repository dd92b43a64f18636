use super::request::ToolRequest;
use super::user;
use crate::approval::{Caller, Connected, Reach, Round, Waiting};
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::{Peer, RoleServer};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

impl Connected for ToolRequest {
    /// Through notifications of progress, where the caller has asked for them.
    fn caller(&self) -> Option<Arc<dyn Caller>> {
        let token = self.context.meta.get_progress_token()?;
        Some(Arc::new(Client { peer: self.context.peer.clone(), token }))
    }

    /// Through a form, where the client can show one.
    fn user(&self) -> Option<Reach> {
        user::reach(&self.context)
    }

    fn round(&self) -> Option<&Round> {
        self.sent.as_ref().map(|sent| &sent.round)
    }

    fn restore(&self, state: Box<str>) {
        if let Some(sent) = &self.sent {
            sent.restored.get_or_init(|| state);
        }
    }
}

/// A client that has called a tool.
struct Client {
    peer: Peer<RoleServer>,
    token: ProgressToken,
}

impl Caller for Client {
    fn tell(&self, waiting: Waiting) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut progress =
            ProgressNotificationParam::new(self.token.clone(), waiting.waited.as_secs_f64());
        progress.total = Some(waiting.at_most.as_secs_f64());
        progress.message = Some("the call waits for an approval".to_owned());
        let peer = self.peer.clone();
        Box::pin(async move {
            if let Err(error) = peer.notify_progress(progress).await {
                tracing::debug!(%error, "a client was not told that its call waits");
            }
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
