/// Where telemetry is to go, and what it says of the process: the option `otel` of the original.
///
/// ```
/// use sec0::otel::Otel;
/// let otel = Otel::new()
///     .endpoint("http://127.0.0.1:4317")
///     .service_name("orders")
///     .environment("prod");
/// assert!(otel.check().is_ok());
///
/// let error = Otel::new().service_name("orders").check().unwrap_err();
/// assert!(error.to_string().contains("`otel.endpoint` and `otel.environment`"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Otel {
    endpoint: Option<String>,
    service_name: Option<String>,
    environment: Option<String>,
}

/// Parts of [`Otel`] are missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{missing} missing in the options: `otel` needs `otel.endpoint`, `otel.serviceName` and \
     `otel.environment` (`Otel::new().endpoint(..).service_name(..).environment(..)`); set them, or \
     leave `otel` out"
)]
pub struct IncompleteOtel {
    missing: String,
}

impl Otel {
    /// Nothing yet. All three parts are needed.
    pub fn new() -> Self {
        Self::default()
    }

    /// `otel.endpoint`: the address of the collector.
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

    /// The environment, when it is complete.
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
        let whole = Otel::new().endpoint("http://c:4317").service_name("s").environment(" prod ");
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
}
