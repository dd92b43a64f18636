use ::url::Url;

/// A URL that can be called: absolute, `https` or `http`, and without credentials, which would
/// stand in messages. It is never shown.
pub(super) fn web(text: &str) -> Result<(), String> {
    const WANTED: &str = "must be a URL such as `https://gateway.example.com`, without credentials";
    let url = Url::parse(text.trim()).map_err(|_no_url| WANTED.to_owned())?;
    let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if is_web && !has_credentials { Ok(()) } else { Err(WANTED.to_owned()) }
}
