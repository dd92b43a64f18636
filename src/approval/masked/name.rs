/// Words that say that a value is a secret, wherever they stand in a name.
const WORDS: &[&str] = &[
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "cvc",
    "cvv",
    "jwt",
    "otp",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "pwd",
    "secret",
    "session",
    "token",
    "totp",
];

/// The same words where they end one that was written together: `accesstoken`.
const ENDINGS: &[&str] = &["cookie", "passphrase", "passwd", "password", "secret", "token"];

/// What a key is for, where it is a secret: `api_key`, `apikey`.
const KEYS: &[&str] =
    &["access", "api", "encryption", "master", "private", "secret", "signing", "ssh"];

/// What a name says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// It is a secret.
    Secret,
    /// There are several, or this is how many: `max_tokens`.
    Secrets,
}

/// What `name` says, read word by word: snake, camel or kebab case, or with anything else between.
/// `None` where it speaks of no secret.
pub(super) fn says(name: &str) -> Option<Says> {
    let words = words(name);
    let mut before = "";
    let mut says = None;
    for word in &words {
        match of_word(before, word) {
            Some(Says::Secret) => return Some(Says::Secret),
            Some(Says::Secrets) => says = Some(Says::Secrets),
            None => {}
        }
        before = word;
    }
    if says.is_none() && words == ["auth"] { Some(Says::Secret) } else { says }
}

fn of_word(before: &str, word: &str) -> Option<Says> {
    let is_secret = |word: &str| {
        WORDS.contains(&word)
            || ENDINGS.iter().any(|ending| word.ends_with(ending))
            || (word == "key" && KEYS.contains(&before))
            || word.strip_suffix("key").is_some_and(|of| KEYS.contains(&of))
    };
    if is_secret(word) {
        return Some(Says::Secret);
    }
    word.strip_suffix('s').is_some_and(is_secret).then_some(Says::Secrets)
}

/// The words in lower case. Digits part them.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let ends_capitals = chars.peek().is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase() && (was_lower || ends_capitals);
        if (begins || !c.is_alphabetic()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{Says, says};

    #[test]
    fn finds_whole_words_in_any_case() {
        for name in [
            "password",
            "PASSWORD",
            "userPassword",
            "user-password",
            "db.passwd",
            "pwd",
            "pin",
            "card_pin",
            "cardPIN",
            "PINCode",
            "api_key",
            "apiKey",
            "APIKey",
            "apikey",
            "APIKEY",
            "x-api-key",
            "Authorization",
            "Set-Cookie",
            "private_key",
            "privateKey",
            "accessToken",
            "accesstoken",
            "refresh_token",
            "sessionId",
            "otp",
            "token2",
            "oauth2Token",
            "auth",
            "client_secret",
            "clientsecret",
            "credential",
            "aws secret access key",
        ] {
            assert_eq!(says(name), Some(Says::Secret), "{name}");
        }
        for name in ["tokens", "max_tokens", "maxTokens", "credentials", "cookies", "apiKeys"] {
            assert_eq!(says(name), Some(Says::Secrets), "{name}");
        }
    }

    #[test]
    fn leaves_words_that_only_contain_one() {
        for name in [
            "",
            "key",
            "primary_key",
            "public_key",
            "pinned",
            "spin",
            "opinion",
            "tokenizer",
            "secretary",
            "author",
            "auth_method",
            "cookiecutter",
            "obsession",
            "passport",
            "pins_",
            "monkey",
            "keypad",
        ] {
            let expected = (name == "pins_").then_some(Says::Secrets);
            assert_eq!(says(name), expected, "{name}");
        }
    }
}
