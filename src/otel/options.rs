use super::error::IncompleteOtel;
use crate::secret::Secret;
use std::time::Duration;

/// Where telemetry is to go, and what it says of the process: the option `otel` of the original.
///
/// What is left out is looked for in the standard environment variables, see
/// `docs/otel.md`; what is set here wins.
///
/// ```
/// use sec0::otel::Otel;
/// let otel = Otel::new()
///     .endpoint("http://127.0.0.1:4318")
///     .service_name("orders")
///     .environment("prod")
///     .success_ratio(0.01);
/// assert!(otel.check().is_ok());
///
/// let error = Otel::new().service_name("orders").check().unwrap_err();
/// assert!(error.to_string().contains("`otel.endpoint` and `otel.environment`"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Otel {
    pub(super) endpoint: Option<String>,
    pub(super) service_name: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) headers: Vec<(String, Secret<String>)>,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) success_ratio: Option<f64>,
    pub(super) error_ratio: Option<f64>,
    pub(super) links_callers: bool,
    pub(super) arguments: Option<usize>,
    pub(super) results: Option<usize>,
    pub(super) queue: Option<usize>,
    pub(super) timeout: Option<Duration>,
    pub(super) metrics_every: Option<Duration>,
    pub(super) signals: Signals,
}

/// What is exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Signals {
    #[default]
    SpansAndMetrics,
    Spans,
    Nothing,
}

impl Otel {
    /// Nothing yet. The first three parts are needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// `otel.endpoint`: the address of the collector, which takes OTLP over HTTP (port 4318 by
    /// convention). Spans go to `/v1/traces` below it, metrics to `/v1/metrics`.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// `otel.serviceName`: the name of this service.
    #[must_use]
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// `otel.environment`: where the service runs, such as `prod`. It stands in each record as
    /// `env`.
    #[must_use]
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// A header of every request to the collector, such as a key of its service. `Debug` does not
    /// show the value.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Secret::new(value.into())));
        self
    }

    /// One more attribute of the resource: what is said of this process with all telemetry.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// The share of calls that went well whose span is exported, from 0 to 1 (1). It is decided when
    /// the call begins, by the trace. Where the caller says whether the trace is recorded, that
    /// decides.
    #[must_use]
    pub fn success_ratio(mut self, ratio: f64) -> Self {
        self.success_ratio = Some(ratio);
        self
    }

    /// The share of calls that failed or were refused whose span is exported, whatever was decided
    /// when they began (1).
    #[must_use]
    pub fn error_ratio(mut self, ratio: f64) -> Self {
        self.error_ratio = Some(ratio);
        self
    }

    /// Begins a trace of its own with each call, with a link to the span that the caller names, in
    /// place of going on with the caller's trace: for servers whose callers are strangers. What they
    /// say of sampling does not count then.
    #[must_use]
    pub fn links_callers(mut self) -> Self {
        self.links_callers = true;
        self
    }

    /// Exports the arguments of calls as `gen_ai.tool.call.arguments`, up to so many bytes of each
    /// call. They may hold secrets, and whoever reads the telemetry sees them; without this none
    /// leaves the process.
    #[must_use]
    pub fn export_arguments(mut self, max_bytes: usize) -> Self {
        self.arguments = Some(max_bytes);
        self
    }

    /// Exports the results of calls as `gen_ai.tool.call.result`, up to so many bytes of each call.
    /// What is said of [arguments](Self::export_arguments) holds here, too.
    #[must_use]
    pub fn export_results(mut self, max_bytes: usize) -> Self {
        self.results = Some(max_bytes);
        self
    }

    /// How many spans may wait for the collector (2048). More are dropped and counted; no call waits
    /// for it.
    #[must_use]
    pub fn queue(mut self, spans: usize) -> Self {
        self.queue = Some(spans);
        self
    }

    /// How long the collector may take for one request (ten seconds).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often metrics are exported (once a minute).
    #[must_use]
    pub fn metrics_every(mut self, period: Duration) -> Self {
        self.metrics_every = Some(period);
        self
    }

    /// Exports spans alone.
    #[must_use]
    pub fn without_metrics(mut self) -> Self {
        self.signals = Signals::Spans;
        self
    }

    /// The same, with what a policy says where nothing is said here.
    pub(crate) fn or(
        mut self,
        endpoint: Option<&str>,
        success: Option<f64>,
        error: Option<f64>,
    ) -> Self {
        self.endpoint = self.endpoint.or_else(|| endpoint.map(str::to_owned));
        self.success_ratio = self.success_ratio.or(success);
        self.error_ratio = self.error_ratio.or(error);
        self
    }

    /// The same, checked and then not exported.
    pub(crate) fn off(mut self) -> Self {
        self.signals = Signals::Nothing;
        self
    }

    /// The environment, when it is complete without the variables of the process.
    ///
    /// # Errors
    ///
    /// Names every part that is missing or blank.
    pub fn check(&self) -> Result<&str, IncompleteOtel> {
        let part = |value: &'_ Option<String>| {
            value.as_deref().map(str::trim).is_some_and(|value| !value.is_empty())
        };
        let missing: Vec<_> = [
            ("`otel.endpoint`", part(&self.endpoint)),
            ("`otel.serviceName`", part(&self.service_name)),
            ("`otel.environment`", part(&self.environment)),
        ]
        .into_iter()
        .filter_map(|(name, is_there)| (!is_there).then_some(name))
        .collect();
        match (missing.as_slice(), &self.environment) {
            ([], Some(environment)) => Ok(environment.trim()),
            ([one], _) => Err(IncompleteOtel { missing: format!("{one} is") }),
            ([some @ .., last], _) => {
                let missing = format!("{} and {last} are", some.join(", "));
                Err(IncompleteOtel { missing })
            }
            ([], None) => Err(IncompleteOtel { missing: "`otel.environment` is".to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_or_blank_part_is_named_and_all_three_are_asked_for() {
        let whole = Otel::new().endpoint("http://c:4318").service_name("s").environment(" prod ");
        assert_eq!(whole.check(), Ok("prod"));
        let table = [
            (whole.clone().endpoint(" "), "`otel.endpoint` is missing"),
            (whole.clone().service_name(""), "`otel.serviceName` is missing"),
            (whole.environment("\t"), "`otel.environment` is missing"),
            (Otel::new().environment("e"), "`otel.endpoint` and `otel.serviceName` are missing"),
            (Otel::new(), "`otel.endpoint`, `otel.serviceName` and `otel.environment` are missing"),
        ];
        for (otel, begins) in table {
            let error = otel.check().unwrap_err().to_string();
            assert!(error.starts_with(begins), "{error}");
            for part in ["otel.endpoint", "otel.serviceName", "otel.environment", "in the options"]
            {
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn the_value_of_a_header_is_not_shown() {
        let otel = Otel::new().header("x-api-key", "hunter2");
        assert!(!format!("{otel:?}").contains("hunter2"));
    }
}
