//! The key of a hop.

use syn::{Error, LitStr, Result};

/// As in the configuration, whose names of hops have this bound.
const MOST_BYTES: usize = 256;

/// # Errors
/// Where no configuration could have such a key.
pub(crate) fn check(key: &LitStr) -> Result<()> {
    wrong(&key.value()).map_or(Ok(()), |why| Err(Error::new(key.span(), why)))
}

fn wrong(key: &str) -> Option<String> {
    if key.trim().is_empty() {
        return Some("[sec0] the key of a hop is blank; write `\"Class.method\"`".to_owned());
    }
    if key.len() > MOST_BYTES {
        let bytes = key.len();
        return Some(format!(
            "[sec0] the key of a hop has {bytes} bytes; at most {MOST_BYTES} are allowed"
        ));
    }
    key.chars().find(|c| c.is_control()).map(|c| {
        format!("[sec0] the key of a hop has the control character `{}`", c.escape_debug())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_key_of_any_words_up_to_its_bound() {
        for key in ["OrderAgent.run", "a", "größe.µ", &"k".repeat(256)] {
            assert_eq!(wrong(key), None, "{key}");
        }
    }

    #[test]
    fn refuses_a_key_that_no_configuration_could_have() {
        for key in ["", " \t", "a\nb", "\u{7f}", "a\u{85}b", &"k".repeat(257), &"é".repeat(129)] {
            assert!(wrong(key).is_some(), "{key:?}");
        }
    }
}
