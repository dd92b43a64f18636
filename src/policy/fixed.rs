use super::compiled::Policy;

impl Policy {
    /// The keys by which `next` could not go on in the same program, in the order of the schema:
    /// what they say was built into the log when it was opened.
    pub fn fixed_keys_changed(&self, next: &Self) -> Vec<&'static str> {
        let compared = [
            ("tenant", self.tenant() == next.tenant()),
            ("default_retention", self.retention() == next.retention()),
            ("signing.key_ref", self.key_ref() == next.key_ref()),
            ("audit.mode", self.audit_modes() == next.audit_modes()),
            ("audit.signing", self.line_signing() == next.line_signing()),
            ("audit.digest_key", self.digest_key_ref() == next.digest_key_ref()),
            ("audit.retain_days", self.retain_days() == next.retain_days()),
            (
                "privacy.store_raw_payloads",
                self.stores_raw_payloads() == next.stores_raw_payloads(),
            ),
            ("observability", self.observability() == next.observability()),
            ("registry.lock", self.lock_rule() == next.lock_rule()),
        ];
        compared.into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect()
    }
}
