use super::drive::drive;
use super::handle::HopHandle;
use super::handle::arguments;
use crate::call::Refusal;
use serde::Serialize;
use std::fmt;
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// Makes any tower service a hop: each request is judged and recorded before the service sees it.
///
/// What of a request is judged and recorded, `input` says: a value that is serialised. A service whose
/// error can be made of a [`Refusal`] needs nothing else.
///
/// ```no_run
/// use sec0::hop::{HopLayer, Sec0App};
/// use tower::ServiceBuilder;
/// # fn doc(app: &Sec0App) -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new()
///     .layer(HopLayer::new(app.hop("Stock.look")?, |item: &String| item.clone()))
///     .service_fn(|item: String| async move { Ok::<usize, sec0::Refusal>(item.len()) });
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct HopLayer<I> {
    hop: HopHandle,
    input: I,
}

/// The service of a [`HopLayer`].
#[derive(Clone)]
pub struct HopService<S, I> {
    hop: HopHandle,
    input: I,
    inner: S,
}

impl<I> HopLayer<I> {
    /// Runs what lies below as this hop.
    pub fn new(hop: HopHandle, input: I) -> Self {
        Self { hop, input }
    }
}

impl<S, I: Clone> Layer<S> for HopLayer<I> {
    type Service = HopService<S, I>;

    fn layer(&self, inner: S) -> Self::Service {
        HopService { hop: self.hop.clone(), input: self.input.clone(), inner }
    }
}

impl<S, I, R, V> Service<R> for HopService<S, I>
where
    S: Service<R> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: From<Refusal> + Send,
    S::Response: Send,
    I: Fn(&R) -> V,
    V: Serialize,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let order = self.hop.order(arguments(&(self.input)(&request)));
        // What was made ready is what is called.
        let clone = self.inner.clone();
        let mut inner = replace(&mut self.inner, clone);
        Box::pin(async move {
            // A response has no JSON that could be told here.
            drive(order, |_hop| inner.call(request), |_response| None).await
        })
    }
}

impl<I> fmt::Debug for HopLayer<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HopLayer").field("hop", &self.hop).finish_non_exhaustive()
    }
}

impl<S, I> fmt::Debug for HopService<S, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HopService").field("hop", &self.hop).finish_non_exhaustive()
    }
}
