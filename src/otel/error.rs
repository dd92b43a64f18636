/// Parts of [`Otel`](super::Otel) are missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{missing} missing in the options: `otel` needs `otel.endpoint`, `otel.serviceName` and \
     `otel.environment` (`Otel::new().endpoint(..).service_name(..).environment(..)`); set them, or \
     leave `otel` out"
)]
pub struct IncompleteOtel {
    pub(super) missing: String,
}

/// Why telemetry cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OtelError {
    /// Parts are missing.
    #[error(transparent)]
    Incomplete(#[from] IncompleteOtel),
    /// The endpoint is no URL of a collector.
    #[error(
        "`otel.endpoint` is `{endpoint}`, which {wanted}; it must be the URL of a collector, such as \
         `http://127.0.0.1:4318`"
    )]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        wanted: &'static str,
    },
    /// A share is none.
    #[error("`{name}` is `{ratio}`; it must be a number from 0 to 1")]
    Ratio {
        /// Which share.
        name: &'static str,
        /// What was given.
        ratio: String,
    },
    /// A header cannot be sent.
    #[error(
        "the header `{name}` of `otel` cannot be sent; name and value must be those of an HTTP header"
    )]
    Header {
        /// Its name; the value may be a secret.
        name: String,
    },
    /// The exporter could not be made.
    #[error("the exporter of telemetry cannot be made: {0}; leave `otel` out to go on without it")]
    Exporter(String),
}
