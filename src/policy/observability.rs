use serde::Deserialize;

/// `observability`: what the policy says of telemetry. What the options of a program say wins, but
/// for `enabled: false`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observability {
    enabled: Option<bool>,
    otlp_endpoint: Option<String>,
    sample: Option<Sample>,
    #[serde(default)]
    sampling: Sampling,
    /// Callers are never exported, whatever stands here.
    #[serde(default, rename = "redact_identities")]
    _redact_identities: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    success: f64,
    error: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sampling {
    success_ratio: Option<f64>,
    error_always: Option<bool>,
}

impl Observability {
    /// `enabled`: `true` demands telemetry, `false` turns it off.
    pub fn enabled(&self) -> Option<bool> {
        self.enabled
    }

    /// `otlp_endpoint`.
    pub fn endpoint(&self) -> Option<&str> {
        self.otlp_endpoint.as_deref()
    }

    /// `sampling.success_ratio`, else `sample.success`.
    pub fn success_ratio(&self) -> Option<f64> {
        self.sampling.success_ratio.or(self.sample.map(|sample| sample.success))
    }

    /// All with `sampling.error_always`, else `sample.error`.
    pub fn error_ratio(&self) -> Option<f64> {
        let all = self.sampling.error_always.filter(|is_always| *is_always).map(|_| 1.0);
        all.or(self.sample.map(|sample| sample.error))
    }
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    fn ratios(text: &str) -> (Option<f64>, Option<f64>) {
        let text = format!(
            "tenant: acme\ndefault_retention: 30d\nsigning: {{enabled: true}}\n\
             tools: {{allowlist: []}}\nenforcement: {{}}\nobservability: {text}\n"
        );
        let policy = Policy::from_yaml(&text).unwrap();
        (policy.observability().success_ratio(), policy.observability().error_ratio())
    }

    #[test]
    fn the_newer_words_for_shares_count_before_the_older_ones() {
        for (text, expected) in [
            ("{}", (None, None)),
            ("{sample: {success: 0.1, error: 0.5}}", (Some(0.1), Some(0.5))),
            ("{sampling: {success_ratio: 0.2}}", (Some(0.2), None)),
            (
                "{sample: {success: 0.1, error: 0.5}, sampling: {success_ratio: 0.2, error_always: true}}",
                (Some(0.2), Some(1.0)),
            ),
            (
                "{sample: {success: 0, error: 0}, sampling: {error_always: false}}",
                (Some(0.0), Some(0.0)),
            ),
        ] {
            assert_eq!(ratios(text), expected, "{text}");
        }
    }
}
