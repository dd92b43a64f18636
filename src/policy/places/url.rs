use super::fault::Fault;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The most bytes of a URL.
const MOST: usize = 16 * 1024;

/// Where a URL leads, when every reader agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address<'u> {
    /// `https`, and not `http`.
    pub(super) secure: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    /// The path as browsers resolve it.
    pub(super) path: String,
    /// The path as it was written.
    pub(super) written: &'u str,
}

/// A host in the form in which hosts are compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Host {
    /// A name in small ASCII letters.
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl<'u> Address<'u> {
    /// Reads a URL twice, strictly by RFC 3986 and as browsers do (WHATWG), and refuses it where
    /// the two differ.
    pub(super) fn read(text: &'u str) -> Result<Self, Fault> {
        if text.len() > MOST {
            return Err(Fault::TooLong);
        }
        if !is_plain(text) {
            return Err(Fault::BadLetter);
        }
        let (secure, authority, written) = split(text).ok_or(Fault::NotAbsoluteUrl)?;
        let (host, port) = endpoint(authority)?;
        let port = port.unwrap_or(default_port(secure));

        let other = url::Url::parse(text).map_err(|_error| Fault::TwoReadings)?;
        let scheme = if secure { "https" } else { "http" };
        let same = other.scheme() == scheme
            && other.username().is_empty()
            && other.password().is_none()
            && other.host().is_some_and(|other| host.is(&other))
            && other.port_or_known_default() == Some(port);
        if !same {
            return Err(Fault::TwoReadings);
        }
        Ok(Self { secure, host, port, path: other.path().to_owned(), written })
    }
}

impl Host {
    fn is<S: AsRef<str>>(&self, other: &url::Host<S>) -> bool {
        match (self, other) {
            (Self::Name(one), url::Host::Domain(other)) => one == other.as_ref(),
            (Self::V4(one), url::Host::Ipv4(other)) => one == other,
            (Self::V6(one), url::Host::Ipv6(other)) => one == other,
            _ => false,
        }
    }
}

pub(super) fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// Nothing that one reader takes away and another keeps.
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(|letter| letter.is_whitespace() || letter.is_control() || letter == '\\')
}

/// Scheme, authority and path of an absolute URL.
pub(super) fn split(text: &str) -> Option<(bool, &str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let secure = scheme.eq_ignore_ascii_case("https");
    if !secure && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let rest = rest.strip_prefix("//")?;
    let (authority, rest) =
        rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    let path = rest.split(['?', '#']).next().unwrap_or("");
    (!authority.is_empty()).then_some((secure, authority, path))
}

/// Host and port of an authority.
pub(super) fn endpoint(authority: &str) -> Result<(Host, Option<u16>), Fault> {
    if authority.contains('@') {
        return Err(Fault::UserInfo);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, behind) = rest.split_once(']').ok_or(Fault::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_error| Fault::Host)?;
        let number = match behind {
            "" => None,
            _ => Some(behind.strip_prefix(':').ok_or(Fault::Host)?),
        };
        return Ok((Host::V6(address), number.map(port).transpose()?));
    }
    let (host, number) = match authority.split_once(':') {
        Some((host, number)) => (host, Some(number)),
        None => (authority, None),
    };
    Ok((named(host)?, number.map(port).transpose()?))
}

fn port(text: &str) -> Result<u16, Fault> {
    let digits = text.bytes().all(|digit| digit.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| digits).ok_or(Fault::Port)
}

/// A name, or an IPv4 address in the one form that nobody reads otherwise.
fn named(text: &str) -> Result<Host, Fault> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::V4(address));
    }
    let is_label = |label: &str| {
        let plain = |letter: char| {
            letter.is_ascii_alphanumeric() || letter == '-' || letter == '_' || !letter.is_ascii()
        };
        !label.is_empty() && label.chars().all(plain)
    };
    if text.len() > 1024 || !text.split('.').all(is_label) {
        return Err(Fault::Host);
    }
    let ascii = text.split('.').map(in_ascii).collect::<Option<Vec<_>>>();
    let name = ascii.ok_or(Fault::Host)?.join(".");
    let fits = name.len() <= 253 && name.split('.').all(|label| label.len() <= 63);
    let host = Host::Name(name);
    // Numbers that are addresses in disguise, letters that stand for others, broken punycode.
    let other = url::Host::parse(text).map_err(|_error| Fault::Host)?;
    if !host.is(&other) {
        return Err(Fault::TwoReadings);
    }
    if fits { Ok(host) } else { Err(Fault::Host) }
}

/// The label as it is asked for in DNS.
fn in_ascii(label: &str) -> Option<String> {
    if label.is_ascii() {
        return Some(label.to_ascii_lowercase());
    }
    Some(format!("xn--{}", idna::punycode::encode_str(label)?))
}
