//! News that the server tells who listens.

use crate::words::{Answer, internal};
use rmcp::service::{SubscriptionContext, SubscriptionSendError};
use tokio::sync::broadcast::{self, error::RecvError};

#[derive(Debug, Clone, Copy)]
enum Change {
    Tools,
    Prompts,
}

/// Where changes are told; all sessions share it.
#[derive(Debug, Clone)]
pub(crate) struct Changes(broadcast::Sender<Change>);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(16))
    }

    pub(crate) fn tools(&self) {
        self.tell(Change::Tools);
    }

    pub(crate) fn prompts(&self) {
        self.tell(Change::Prompts);
    }

    /// Passes on what the subscription wants to hear, until it is closed.
    pub(crate) async fn pass_on(&self, subscription: &SubscriptionContext) -> Answer<()> {
        let mut news = self.0.subscribe();
        loop {
            let change = tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                change = news.recv() => change,
            };
            let sink = subscription.sink();
            let sent = match change {
                Ok(Change::Tools) => sink.notify_tool_list_changed().await,
                Ok(Change::Prompts) => sink.notify_prompt_list_changed().await,
                Err(RecvError::Lagged(_)) => Ok(()),
                Err(RecvError::Closed) => return Ok(()),
            };
            match sent {
                Ok(()) | Err(SubscriptionSendError::NotificationNotAccepted(_)) => {}
                Err(error) => return Err(internal(error)),
            }
        }
    }

    fn tell(&self, change: Change) {
        // An error says that nobody listens.
        drop(self.0.send(change));
    }
}
