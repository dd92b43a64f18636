use super::super::error::shown;
use super::fault::Fault;
use super::url::{Address, Host, default_port, endpoint, is_plain, split};
use std::collections::HashMap;

/// The most bytes of an entry.
const MOST: usize = 1024;

/// An entry of `security.egress_allowlist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct EgressEntry {
    host: Host,
    /// What is below the host, and not the host.
    below: bool,
    /// `None` is the default port of the scheme.
    port: Option<u16>,
    /// Only this scheme, and only paths that begin so.
    url: Option<(bool, String)>,
}

/// `security.egress_allowlist`, compiled: an entry is found by its host.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Egress {
    entries: Vec<EgressEntry>,
    exact: HashMap<Host, Vec<usize>>,
    below: HashMap<String, Vec<usize>>,
}

impl EgressEntry {
    /// Reads an entry. What is wrong is said in words that follow the key.
    pub(in crate::policy) fn parse(text: &str) -> Result<Self, String> {
        let entry = text.trim();
        Self::read(entry).map_err(|fault| format!("is `{}`, {fault}", shown(text)))
    }

    fn read(entry: &str) -> Result<Self, &'static str> {
        if entry.is_empty() {
            return Err("which names nothing; write a host such as `api.example.com`");
        }
        if entry.len() > MOST {
            return Err("which is longer than 1024 bytes, the most an entry may have");
        }
        if !is_plain(entry) {
            return Err("which has a blank, control character or backslash inside; take it out");
        }
        if entry.contains("://") { Self::of_url(entry) } else { Self::of_host(entry, None) }
    }

    fn of_host(authority: &str, url: Option<(bool, String)>) -> Result<Self, &'static str> {
        if authority.contains(['/', '?', '#']) {
            return Err(
                "which has a path; write a whole URL such as `https://api.example.com/v1/*`",
            );
        }
        if authority == "*" {
            return Err("which names no host; to check no URL leave the key out");
        }
        let (below, rest) = match authority.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, authority),
        };
        if rest.contains('*') {
            return Err("where `*` does not stand for whole labels before a host; \
                        write `*.example.com`, or end the path of a URL with it");
        }
        // A name may be written in capital letters: hosts have no case.
        let (host, port) = endpoint(&rest.to_lowercase()).map_err(wrong_host)?;
        if below && !matches!(host, Host::Name(_)) {
            return Err("which asks for what is below an address; nothing is");
        }
        Ok(Self { host, below, port, url })
    }

    fn of_url(entry: &str) -> Result<Self, &'static str> {
        let Some(start) = entry.strip_suffix('*') else {
            return Err("a URL without a `*` at its end; write `*` there, or only the host");
        };
        if start.contains(['?', '#']) {
            return Err("which has a `?` or `#`; only a path can be allowed");
        }
        let Some((secure, authority, path)) = split(start) else {
            return Err("whose scheme is not `https` or `http`, or which has no host");
        };
        if path.is_empty() {
            return Err("whose `*` stands in the host, so that other hosts would match; \
                        write `/*` behind the host");
        }
        if path.contains('*') || is_slippery(path) {
            return Err(
                "whose path has a `*` before its end, a dot segment or an encoded separator; \
                        write the path as it is",
            );
        }
        let encoded = url::Url::parse(&format!("https://host.invalid{path}"));
        let path =
            encoded.map_err(|_error| "whose path is none; write it as it is")?.path().to_owned();
        let mut read = Self::of_host(authority, Some((secure, path)))?;
        read.port = Some(read.port.unwrap_or(default_port(secure)));
        Ok(read)
    }

    /// Whether an address of this host is allowed.
    fn takes(&self, address: &Address<'_>) -> bool {
        let port = self.port.unwrap_or(default_port(address.secure));
        let url = self.url.as_ref().is_none_or(|(secure, path)| {
            let whole =
                path == "/" || !(is_slippery(address.written) || is_slippery(&address.path));
            *secure == address.secure && address.path.starts_with(path) && whole
        });
        port == address.port && url
    }

    /// True when everything that `later` allows is allowed by this entry.
    pub(in crate::policy) fn covers(&self, later: &Self) -> bool {
        let host = match (&self.host, &later.host) {
            (Host::Name(base), Host::Name(name)) if self.below => {
                name.strip_suffix(base.as_str()).is_some_and(|head| head.ends_with('.'))
                    || (later.below && name == base)
            }
            (one, other) => one == other && self.below == later.below,
        };
        let port = match (self.port, later.port, &later.url) {
            (one, other, _) if one == other => true,
            (None, Some(port), Some((secure, _))) => port == default_port(*secure),
            _ => false,
        };
        let url = match (&self.url, &later.url) {
            (None, _) => true,
            (Some((secure, path)), Some((other, longer))) => {
                secure == other && longer.starts_with(path)
            }
            (Some(_), None) => false,
        };
        host && port && url
    }

    /// True for `*.com`: whoever likes has a name there.
    pub(in crate::policy) fn is_wide(&self) -> bool {
        self.below && matches!(&self.host, Host::Name(name) if !name.contains('.'))
    }
}

impl Egress {
    pub(in crate::policy) fn compile(entries: Vec<EgressEntry>) -> Self {
        let mut list = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            let found = match (&entry.host, entry.below) {
                (Host::Name(name), true) => list.below.entry(name.clone()).or_default(),
                (host, _) => list.exact.entry(host.clone()).or_default(),
            };
            found.push(index);
        }
        Self { entries, ..list }
    }

    pub(in crate::policy) fn entries(&self) -> &[EgressEntry] {
        &self.entries
    }

    /// The first entry that allows this URL. What it costs does not depend on how many there are
    /// for other hosts.
    pub(super) fn judge(&self, text: &str) -> Result<usize, Fault> {
        let address = Address::read(text)?;
        let mut found: Vec<_> = self.exact.get(&address.host).into_iter().flatten().collect();
        if let Host::Name(name) = &address.host {
            let above = name.match_indices('.').filter_map(|(dot, _)| name.get(dot..)?.get(1..));
            found.extend(above.filter_map(|base| self.below.get(base)).flatten());
        }
        let takes =
            |index: &&usize| self.entries.get(**index).is_some_and(|entry| entry.takes(&address));
        found.into_iter().filter(takes).min().copied().ok_or(Fault::Outside)
    }
}

/// What is wrong with the host of an entry.
fn wrong_host(fault: Fault) -> &'static str {
    if fault == Fault::UserInfo {
        "which has a user name; a host has none"
    } else if fault == Fault::Port {
        "whose port is no number from 1 to 65535"
    } else {
        "which is no host that every reader reads alike; write a name, or an address such as \
         `192.0.2.1` or `[2001:db8::1]`"
    }
}

/// True for a path in which one reader could find another segment than the next: a dot segment,
/// whether it is encoded or has parameters, and an encoded separator.
fn is_slippery(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    // The last five are UTF-8 that is longer than it must be, and an encoding of old servers.
    let encoded = ["%2f", "%5c", "%25", "%00", "%3b", "%c0", "%c1", "%e0%80", "%f0%80", "%u00"];
    if encoded.iter().any(|one| path.contains(one)) {
        return true;
    }
    path.replace("%2e", ".").split('/').any(|segment| {
        let plain = segment.split(';').next().unwrap_or("");
        plain == "." || plain == ".."
    })
}
