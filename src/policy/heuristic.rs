//! What a tool's name says of what it does: the original's guess, kept as it is, with everything
//! that it takes for a side effect and is none (`compute`, `output.read`, `dispatch`).

use crate::call::{Basis, Op, Operation, ToolRef, ToolVersion};
use std::borrow::Cow;

/// Guesses by the tool's name, its version, and an argument `method`.
///
/// Words are looked for anywhere in `name@version`, in upper or lower case.
pub(super) fn by_name(tool: ToolRef<'_>, method: Option<&str>) -> Operation {
    let words = Words::of_tool(tool.tool, tool.version.map(ToolVersion::as_str));
    let method = method.map(Method::read);
    let side_effect = words.have(CHANGES)
        || (words.have(FILESYSTEM) && words.have(WRITE | DELETE | REMOVE | MKDIR | RMDIR))
        || (words.have(FETCH) && method.is_some_and(|method| method != Method::Get));
    let op = if method == Some(Method::Delete) || words.have(DELETE | REMOVE) {
        Op::Delete
    } else if method == Some(Method::Post) || words.have(CREATE) {
        Op::Create
    } else if matches!(method, Some(Method::Put | Method::Patch)) || words.have(UPDATE | WRITE) {
        Op::Update
    } else if method == Some(Method::Get) || words.have(READ | GET) || !side_effect {
        Op::Read
    } else {
        Op::Update
    };
    Operation { op, side_effect, basis: Basis::Name }
}

/// The words that a text has in it.
#[derive(Clone, Copy)]
struct Words(u16);

const CREATE: u16 = 1;
const DELETE: u16 = 1 << 1;
const FETCH: u16 = 1 << 2;
const FILESYSTEM: u16 = 1 << 3;
const GET: u16 = 1 << 4;
const MKDIR: u16 = 1 << 5;
const PATCH: u16 = 1 << 6;
const POST: u16 = 1 << 7;
const PUT: u16 = 1 << 8;
const READ: u16 = 1 << 9;
const REMOVE: u16 = 1 << 10;
const RMDIR: u16 = 1 << 11;
const UPDATE: u16 = 1 << 12;
const WRITE: u16 = 1 << 13;

const CHANGES: u16 = WRITE | DELETE | PUT | POST | PATCH | CREATE | UPDATE;

const SPELLINGS: [(&[u8], u16); 15] = [
    (b"create", CREATE),
    (b"delete", DELETE),
    (b"fetch", FETCH),
    (b"filesystem", FILESYSTEM),
    (b".get", GET),
    (b"get@", GET),
    (b"mkdir", MKDIR),
    (b"patch", PATCH),
    (b"post", POST),
    (b"put", PUT),
    (b"read", READ),
    (b"remove", REMOVE),
    (b"rmdir", RMDIR),
    (b"update", UPDATE),
    (b"write", WRITE),
];

impl Words {
    /// The words of `name@version`. Only `get@` can lie across the `@`.
    fn of_tool(name: &str, version: Option<&str>) -> Self {
        let Some(version) = version else { return Self::of(name) };
        let (name_words, version_words) = (Self::of(name), Self::of(version));
        let tail = name.len().checked_sub(3).and_then(|at| name.as_bytes().get(at..));
        let across = tail.is_some_and(|tail| tail.eq_ignore_ascii_case(b"get"));
        Self(name_words.0 | version_words.0 | if across { GET } else { 0 })
    }

    fn of(text: &str) -> Self {
        // Other alphabets have letters whose lower case is an ASCII one.
        let text: Cow<'_, str> =
            if text.is_ascii() { text.into() } else { text.to_lowercase().into() };
        let mut rest = text.as_bytes();
        let mut found = 0;
        while let Some((first, behind)) = rest.split_first() {
            let first = first.to_ascii_lowercase();
            for (word, bit) in SPELLINGS {
                let head = word.first() == Some(&first);
                if head && rest.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word)) {
                    found |= bit;
                }
            }
            rest = behind;
        }
        Self(found)
    }

    /// True when it has one of these.
    fn have(self, words: u16) -> bool {
        self.0 & words != 0
    }
}

/// The argument `method`, as the original reads it: trimmed and in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Delete,
    Get,
    Patch,
    Post,
    Put,
    Other,
}

impl Method {
    fn read(text: &str) -> Self {
        /// No method is longer; a text that is counts as another one.
        const LONGEST: usize = 64;
        if text.len() > LONGEST {
            return Self::Other;
        }
        // What JavaScript takes for space.
        let is_space = |c: char| (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}';
        let text = text.trim_matches(is_space);
        let is = |word: &str| text.chars().flat_map(char::to_uppercase).eq(word.chars());
        let methods = [
            ("DELETE", Self::Delete),
            ("GET", Self::Get),
            ("PATCH", Self::Patch),
            ("POST", Self::Post),
            ("PUT", Self::Put),
        ];
        methods.into_iter().find(|(word, _)| is(word)).map_or(Self::Other, |(_, method)| method)
    }
}
