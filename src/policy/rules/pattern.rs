use crate::policy::error::shown;
use regex::{Regex, RegexBuilder};

/// The most bytes of a pattern.
pub(super) const MAX_REGEX: usize = 1024;

/// The most bytes of a compiled pattern, and of what is remembered while it is matched. Enough for
/// a handful of classes with all of Unicode in them.
const MAX_COMPILED: usize = 512 * 1024;

/// How deep groups and repetitions may be nested.
const MAX_NESTED: u32 = 50;

/// Compiles a regular expression. Its matches take time with the length of the text: there are no
/// backreferences and no looking around.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    if pattern.is_empty() {
        return Err("is empty and would match every text; write what is looked for".to_owned());
    }
    if pattern.len() > MAX_REGEX {
        return Err(format!(
            "must be at most {MAX_REGEX} bytes for `regex`, found {}",
            pattern.len()
        ));
    }
    let compiled = RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .nest_limit(MAX_NESTED)
        .build();
    compiled.map_err(|error| {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return "is a regular expression that takes too much memory; write smaller \
                    repetitions, or `(?-u:\\w)` in place of `\\w`"
                .to_owned();
        }
        // The last line says what is wrong; those before it draw the pattern.
        let said = error.to_string();
        let said = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!(
            "is `{}`, which is no regular expression: {}; mend it, or write a `glob`",
            shown(pattern),
            shown(said)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_would_take_much_memory_or_time_is_refused() {
        for pattern in [
            r"\pL{1000}",
            "((a{100}){100}){100}",
            &"(".repeat(500),
            &format!("{}a{}", "(".repeat(400), ")".repeat(400)),
            &"a".repeat(MAX_REGEX + 1),
            r"(a)\1",
            "(?=a)",
            "[",
            "",
        ] {
            let error = compile(pattern).unwrap_err();
            assert!(error.len() < 400 && !error.contains('\n'), "{error}");
        }
        for pattern in [r"^[\w.-]+@[\w-]+\.\w+$", "(?i)drop\\s+table", "(?s)^a.*b$"] {
            assert!(compile(pattern).is_ok(), "{pattern}");
        }
    }
}
