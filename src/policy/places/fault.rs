use std::fmt;

/// Why a place is outside of what the policy allows: words that follow the argument, and never its
/// value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Fault {
    NotText,
    TooLong,
    TooMany,
    SchemaUnread,
    BadLetter,
    NotAbsoluteUrl,
    UserInfo,
    Port,
    Host,
    TwoReadings,
    Relative,
    Scheme,
    Encoded,
    Links,
    Unreadable,
    Own,
    Outside,
}

impl Fault {
    pub(in crate::policy) fn words(self) -> &'static str {
        match self {
            Self::NotText => "is no text, so nobody can say where it leads",
            Self::TooLong => "is longer than any place may be",
            Self::TooMany => "stands behind more values than are looked at in one call",
            Self::SchemaUnread => "may be declared by a schema that is too large to be read",
            Self::BadLetter => {
                "has a backslash, a control character, or a blank or `~` where none may be"
            }
            Self::NotAbsoluteUrl => "is no absolute URL with the scheme `https` or `http`",
            Self::UserInfo => "has a user name or an `@` before its host",
            Self::Port => "has a port that is empty or no number from 1 to 65535",
            Self::Host => "has a host that is no plain name or address",
            Self::TwoReadings => "is read in one way by one reader and in another way by the next",
            Self::Relative => "is relative, and `security.fs_base` is not set",
            Self::Scheme => "begins with the scheme of a URL, or with a drive",
            Self::Encoded => "has an encoded dot, separator, `~`, `%` or NUL",
            Self::Links => "leads through more than 40 links",
            Self::Unreadable => "leads through a directory that cannot be read",
            Self::Own => "leads to the files of sec0 itself",
            Self::Outside => "leads outside: no entry matches",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
