use crate::otel::error::OtelError;
use reqwest::blocking::Client;
use std::thread;
use std::time::Duration;

/// What sends requests to the collector. It follows no redirects: they would carry the headers, and
/// the keys in them, to somebody else.
pub(super) fn client(timeout: Duration) -> Result<Client, OtelError> {
    let failed = |why: String| OtelError::Exporter(why);
    // On a thread of its own, because it has a runtime of its own, which none may start in another.
    let make = move || {
        Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).build()
    };
    let thread = thread::Builder::new().name("sec0-otel-client".to_owned()).spawn(make);
    let built = thread.map_err(|error| failed(error.to_string()))?.join();
    let built = built.map_err(|_panic| failed("its thread has panicked".to_owned()))?;
    built.map_err(|error| failed(error.to_string()))
}
