/// A share of traces, decided by their ids: whoever has the same share decides the same of a trace.
///
/// As `TraceIdRatioBased` of OpenTelemetry has it: the lower 63 bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio(u64);

impl Ratio {
    const ONE: u64 = 1 << 63;
    pub(super) const ALL: Self = Self(Self::ONE);
    pub(super) const NONE: Self = Self(0);

    /// `None` for what is no number from 0 to 1.
    pub(super) fn new(ratio: f64) -> Option<Self> {
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "from 0 to 2^63, and every one of these has a place in both"
        )]
        let bound = |ratio: f64| Self((ratio * Self::ONE as f64) as u64);
        (0.0..=1.0).contains(&ratio).then(|| bound(ratio))
    }

    #[cfg_attr(
        not(any(feature = "otlp", test)),
        expect(dead_code, reason = "only the export asks")
    )]
    pub(super) fn takes(self, trace_id: [u8; 16]) -> bool {
        let [_, lower] = trace_id.as_chunks().0 else { return false };
        (u64::from_be_bytes(*lower) >> 1) < self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_traces_is_taken_by_their_ids() {
        let id = |low: u64| u128::from(low).to_be_bytes();
        assert!(Ratio::ALL.takes(id(u64::MAX)) && !Ratio::NONE.takes(id(0)));
        let half = Ratio::new(0.5).unwrap();
        assert!(half.takes(id(u64::MAX / 2)) && !half.takes(id(u64::MAX / 2 + 1)));
        assert_eq!((Ratio::new(1.0), Ratio::new(0.0)), (Some(Ratio::ALL), Some(Ratio::NONE)));
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Ratio::new(wrong), None);
        }
    }

    #[test]
    fn about_the_share_that_was_asked_for_is_taken() {
        let one_in_a_hundred = Ratio::new(0.01).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let taken = (0..100_000).filter(|_| one_in_a_hundred.takes(random.u128(..).to_be_bytes()));
        let taken = taken.count();
        assert!((800..1200).contains(&taken), "{taken}");
    }
}
