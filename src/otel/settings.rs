use super::error::OtelError;
use super::options::{Otel, Signals};
use super::ratio::Ratio;
use http::{HeaderName, HeaderValue};
use std::time::Duration;
use url::Url;

/// A variable of the process, or none.
pub(super) type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// [`Otel`] with what the standard variables of the environment add, checked.
#[derive(Debug)]
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only the export reads all of it"))]
pub(super) struct Settings {
    pub(super) environment: String,
    pub(super) service_name: String,
    /// Where spans go; `None` where they go nowhere.
    pub(super) traces: Option<String>,
    /// Where metrics go; `None` where they go nowhere.
    pub(super) metrics: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) sampling: Sampling,
    pub(super) links_callers: bool,
    pub(super) arguments: Option<usize>,
    pub(super) results: Option<usize>,
    pub(super) queue: usize,
    pub(super) timeout: Duration,
    pub(super) metrics_every: Option<Duration>,
}

/// Which spans are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sampling {
    pub(super) success: Ratio,
    pub(super) error: Ratio,
    /// Whether what the caller says of its trace decides first.
    pub(super) by_parent: bool,
}

impl Settings {
    /// # Errors
    ///
    /// A part is missing in both, or one is not what it has to be.
    pub(super) fn of(otel: &Otel, variable: Lookup<'_>) -> Result<Self, OtelError> {
        let variable = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty())
        };
        let from_variable = pairs(&variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default());
        let named = |name: &str| {
            let found = from_variable.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let filled = Otel {
            endpoint: given(otel.endpoint.as_deref())
                .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"))
                .or_else(|| variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")),
            service_name: given(otel.service_name.as_deref())
                .or_else(|| variable("OTEL_SERVICE_NAME"))
                .or_else(|| named("service.name")),
            environment: given(otel.environment.as_deref())
                .or_else(|| named("deployment.environment.name"))
                .or_else(|| named("deployment.environment")),
            ..Otel::default()
        };
        let environment = filled.check()?.to_owned();
        let service_name = filled.service_name.unwrap_or_default();
        let endpoint = filled.endpoint.unwrap_or_default();
        let is_own = given(otel.endpoint.as_deref()).is_some();
        let place = |signal: &str, path: &str| {
            let own = variable(&format!("OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"));
            match own.filter(|_| !is_own) {
                Some(own) => web(&own).map(|()| own),
                None => web(&endpoint).map(|()| below(&endpoint, path)),
            }
        };
        let is_none = |name: &str| variable(name).is_some_and(|value| value == "none");
        let is_off = otel.signals == Signals::Nothing
            || variable("OTEL_SDK_DISABLED").is_some_and(|it| it.eq_ignore_ascii_case("true"));
        let traces = place("TRACES", "v1/traces")?;
        let metrics = place("METRICS", "v1/metrics")?;
        let has_metrics =
            otel.signals == Signals::SpansAndMetrics && !is_none("OTEL_METRICS_EXPORTER");
        let mut attributes = from_variable.clone();
        attributes.extend(otel.attributes.iter().cloned());
        Ok(Self {
            environment,
            service_name,
            traces: (!is_off && !is_none("OTEL_TRACES_EXPORTER")).then_some(traces),
            metrics: (!is_off && has_metrics).then_some(metrics),
            headers: headers(otel)?,
            attributes,
            sampling: sampling(otel, &variable)?,
            links_callers: otel.links_callers,
            arguments: otel.arguments,
            results: otel.results,
            queue: otel.queue.unwrap_or(2048).clamp(1, 1 << 20),
            timeout: otel.timeout.unwrap_or(Duration::from_secs(10)),
            metrics_every: otel.metrics_every,
        })
    }
}

fn given(part: Option<&str>) -> Option<String> {
    part.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn headers(otel: &Otel) -> Result<Vec<(String, String)>, OtelError> {
    let checked = otel.headers.iter().map(|(name, value)| {
        let is_header = HeaderName::from_bytes(name.as_bytes()).is_ok()
            && HeaderValue::from_str(value.expose()).is_ok();
        if is_header {
            Ok((name.clone(), value.expose().clone()))
        } else {
            Err(OtelError::Header { name: name.clone() })
        }
    });
    checked.collect()
}

fn sampling(
    otel: &Otel,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Sampling, OtelError> {
    let share = |name: &'static str, ratio: f64| {
        Ratio::new(ratio).ok_or_else(|| OtelError::Ratio { name, ratio: ratio.to_string() })
    };
    let error = otel.error_ratio.map_or(Ok(Ratio::ALL), |ratio| share("error_ratio", ratio))?;
    let own = otel.success_ratio.map(|ratio| share("success_ratio", ratio)).transpose()?;
    let sampler = variable("OTEL_TRACES_SAMPLER").unwrap_or_default();
    let (by_parent, kind) = match sampler.strip_prefix("parentbased_") {
        Some(kind) => (true, kind),
        None => (sampler.is_empty(), &*sampler),
    };
    let argument = || variable("OTEL_TRACES_SAMPLER_ARG").and_then(|text| text.parse().ok());
    let by_variable = match kind {
        "always_off" => Ratio::NONE,
        "traceidratio" => argument().and_then(Ratio::new).unwrap_or(Ratio::ALL),
        "always_on" | "" => Ratio::ALL,
        other => {
            tracing::warn!(
                sampler = other,
                "`OTEL_TRACES_SAMPLER` names no known sampler; all traces are taken"
            );
            Ratio::ALL
        }
    };
    let is_by_variable = own.is_none() && !sampler.is_empty();
    Ok(Sampling {
        success: own.unwrap_or(by_variable),
        error: if is_by_variable && kind == "always_off" && otel.error_ratio.is_none() {
            Ratio::NONE
        } else {
            error
        },
        by_parent: (own.is_some() || by_parent) && !otel.links_callers,
    })
}

/// The URL of a collector.
fn web(endpoint: &str) -> Result<(), OtelError> {
    let wrong = |wanted| Err(OtelError::Endpoint { endpoint: shown(endpoint), wanted });
    let Ok(url) = Url::parse(endpoint) else { return wrong("is no URL") };
    if url.scheme() == "https" {
        return wrong(
            "is https, which is not built in; send to a collector nearby, which speaks TLS to others",
        );
    }
    if url.scheme() != "http" {
        return wrong("is no http URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("has a user or a password in it, which belong into a header");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has more behind the path");
    }
    if url.port() == Some(4317) {
        tracing::warn!(
            endpoint,
            "the port of `otel.endpoint` is that of OTLP over gRPC by convention; HTTP has 4318"
        );
    }
    Ok(())
}

/// What may be shown of an endpoint: not what stands before an `@`, nor what follows the path.
fn shown(endpoint: &str) -> String {
    let end = endpoint.find(['?', '#']).unwrap_or(endpoint.len());
    let (shown, rest) = endpoint.split_at(end);
    let more = if rest.is_empty() { "" } else { "…" };
    match shown.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}{more}"),
        None => format!("{shown}{more}"),
    }
}

/// The address of a signal below the collector's.
fn below(endpoint: &str, path: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    let base = ["/v1/traces", "/v1/metrics"]
        .iter()
        .fold(base, |base, known| base.strip_suffix(known).unwrap_or(base));
    format!("{base}/{path}")
}

/// `key=value` pairs with commas between, percent-encoded, as the standard variables have them.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let decoded = pairs.filter_map(|(key, value)| {
        let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
        (!key.is_empty()).then_some((key, value))
    });
    decoded.collect()
}

/// `None` where what was encoded is no text.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(otel: &Otel, variables: &[(&str, &str)]) -> Result<Settings, OtelError> {
        Settings::of(otel, &|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn whole() -> Otel {
        Otel::new().endpoint("http://c:4318/").service_name("s").environment("prod")
    }

    #[test]
    fn what_the_options_leave_out_stands_in_the_variables() {
        let settings = with(
            &Otel::new(),
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c.example/otlp"),
                ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m.example/in"),
                ("OTEL_SERVICE_NAME", "orders"),
                ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod,team=a%2Cb, =x,y"),
            ],
        );
        let settings = settings.unwrap();
        assert_eq!(settings.traces.as_deref(), Some("http://c.example/otlp/v1/traces"));
        assert_eq!(settings.metrics.as_deref(), Some("http://m.example/in"));
        assert_eq!((&*settings.service_name, &*settings.environment), ("orders", "prod"));
        assert!(settings.attributes.contains(&("team".to_owned(), "a,b".to_owned())));
    }

    #[test]
    fn what_the_options_say_wins() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other:1"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other:2"),
            ("OTEL_SERVICE_NAME", "other"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=other"),
            ("OTEL_TRACES_SAMPLER", "always_off"),
        ];
        let settings = with(&whole().success_ratio(0.5), &variables).unwrap();
        assert_eq!(settings.traces.as_deref(), Some("http://c:4318/v1/traces"));
        assert_eq!((&*settings.service_name, &*settings.environment), ("s", "prod"));
        let half =
            Sampling { success: Ratio::new(0.5).unwrap(), error: Ratio::ALL, by_parent: true };
        assert_eq!(settings.sampling, half);
    }

    #[test]
    fn telemetry_is_switched_off_by_the_standard_variables() {
        let off = with(&whole(), &[("OTEL_SDK_DISABLED", "TRUE")]).unwrap();
        assert_eq!((off.traces, off.metrics), (None, None));
        let off = with(&whole(), &[("OTEL_TRACES_EXPORTER", "none")]).unwrap();
        assert!(off.traces.is_none() && off.metrics.is_some());
        let off = with(&whole(), &[("OTEL_METRICS_EXPORTER", "none")]).unwrap();
        assert!(off.traces.is_some() && off.metrics.is_none());
    }

    #[test]
    fn each_standard_sampler_means_what_it_says() {
        let sampling = |sampler: &str| {
            let variables = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
            with(&whole(), &variables).unwrap().sampling
        };
        let (all, none, quarter) = (Ratio::ALL, Ratio::NONE, Ratio::new(0.25).unwrap());
        for (sampler, success, error, by_parent) in [
            ("", all, all, true),
            ("always_on", all, all, false),
            ("always_off", none, none, false),
            ("traceidratio", quarter, all, false),
            ("parentbased_always_on", all, all, true),
            ("parentbased_always_off", none, none, true),
            ("parentbased_traceidratio", quarter, all, true),
            ("jaeger_remote", all, all, false),
        ] {
            assert_eq!(sampling(sampler), Sampling { success, error, by_parent }, "{sampler}");
        }
    }

    #[test]
    fn an_address_is_completed_once() {
        for given in ["http://c:4318", "http://c:4318//", "http://c:4318/v1/traces"] {
            assert_eq!(below(given, "v1/metrics"), "http://c:4318/v1/metrics");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_shown() {
        for (otel, says) in [
            (whole().endpoint("collector:4318"), "is no http URL"),
            (whole().endpoint("https://c"), "which is not built in"),
            (whole().endpoint("c"), "is no URL"),
            (whole().endpoint("http://a:hunter2@c"), "a user or a password"),
            (whole().endpoint("http://c?key=hunter2"), "has more behind the path"),
            (whole().success_ratio(1.5), "`success_ratio` is `1.5`"),
            (whole().error_ratio(f64::NAN), "`error_ratio` is `NaN`"),
            (whole().header("x y", "hunter2"), "the header `x y`"),
            (whole().header("x", "hunter2\n"), "the header `x`"),
            (Otel::new(), "otel.endpoint"),
        ] {
            let error = with(&otel, &[]).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
        }
    }
}
