use rmcp::handler::server::router::tool::ToolRouter;
use std::sync::PoisonError;

/// A router that its server holds behind a lock, and so may change after it was wrapped.
///
/// Implemented for the locks of std and `parking_lot`. A server with another lock implements it;
/// `look` must not block for long, since it is called in a request's own task.
pub trait HeldRouter<H>: Send + Sync + 'static {
    /// Lets `look` see the router as it is now.
    fn look(&self, look: &mut dyn FnMut(&ToolRouter<H>));
}

macro_rules! held {
    ($($lock:ty: |$router:ident| $guard:expr;)*) => { $(
        impl<H: Send + Sync + 'static> HeldRouter<H> for $lock {
            fn look(&self, look: &mut dyn FnMut(&ToolRouter<H>)) {
                let $router = self;
                look(&$guard);
            }
        }
    )* };
}

// A writer that panicked leaves a router that is compared like any other: only the frozen handlers
// are ever called.
held! {
    std::sync::RwLock<ToolRouter<H>>: |router| router.read().unwrap_or_else(PoisonError::into_inner);
    std::sync::Mutex<ToolRouter<H>>: |router| router.lock().unwrap_or_else(PoisonError::into_inner);
    parking_lot::RwLock<ToolRouter<H>>: |router| router.read();
    parking_lot::Mutex<ToolRouter<H>>: |router| router.lock();
}
