//! Messages that no client would send, for both wires.

use serde_json::{Value, json};

/// What must become of a message.
pub(super) enum Fate {
    /// The transport takes it for no message. On stdio it says nothing; over HTTP it says why.
    Dropped,
    /// The transport takes it for a message of no known shape.
    Invalid,
    /// This error is the answer, and there is no record.
    Error(i64, &'static str),
    /// A call of a tool that there is not, recorded under this name.
    Unknown(String),
    /// A call of `echo` that is refused for this reason, and recorded.
    Denied(&'static str),
    /// A call of `echo` that its handler does not understand, recorded.
    Failed,
    /// A call of `echo` like others.
    Ran,
}

pub(super) struct Case {
    pub(super) label: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) fate: Fate,
    /// The id that the answer has.
    pub(super) id: Value,
}

/// A call of a tool as JSON text, which need not be any.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
}

const ID: &str = r#""id":1,"#;

/// Name, arguments and what else stands in the parameters, each as it stands on the wire.
pub(super) fn call(name: &str, arguments: &str, more: &str) -> Message {
    let params = format!(r#"{{"name":{name},"arguments":{arguments}{more}}}"#);
    with_params(&params)
}

pub(super) fn echo(arguments: &str) -> Message {
    call(r#""echo""#, arguments, "")
}

fn with_params(params: &str) -> Message {
    raw(format!(r#"{{"jsonrpc":"2.0",{ID}"method":"tools/call","params":{params}}}"#))
}

fn raw(bytes: impl Into<Vec<u8>>) -> Message {
    Message { bytes: bytes.into() }
}

impl Message {
    pub(super) fn with_id(self, id: &str) -> Self {
        let text = String::from_utf8(self.bytes).unwrap();
        raw(text.replacen(ID, &format!(r#""id":{id},"#), 1))
    }

    /// With these bytes where `@` stands.
    fn with(self, bytes: &[u8]) -> Self {
        let at = self.bytes.iter().position(|byte| *byte == b'@').unwrap();
        raw([&self.bytes[..at], bytes, &self.bytes[at + 1..]].concat())
    }

    fn is(self, label: &'static str, fate: Fate) -> Case {
        Case { label, bytes: self.bytes, fate, id: json!(1) }
    }
}

/// rmcp hands on what has a known method and another shape; sec0 answers it.
const MISFIT: Fate = Fate::Error(-32602, "the request is not of the shape that its method has");

const ARGUMENTS: &str = r#"{"text":"x"}"#;

pub(super) fn cases() -> Vec<Case> {
    [texts(), names(), shapes(), ids()].into_iter().flatten().collect()
}

fn texts() -> Vec<Case> {
    let deep = |depth: usize| {
        let brackets = "[".repeat(depth) + &"]".repeat(depth);
        echo(&format!(r#"{{"text":{brackets}}}"#))
    };
    let unfinished = echo(&format!(r#"{{"text":{}}}"#, "[".repeat(100_000)));
    vec![
        // 5 bytes on the wire, 21 in the canonical form that is measured.
        echo(&format!(r#"{{"text":[{}1]}}"#, "1e20,".repeat(800_000)))
            .is("arguments that grow", Fate::Denied("payload_too_large")),
        deep(100).is("arguments 100 deep", Fate::Failed),
        deep(100_000).is("arguments 100,000 deep", Fate::Dropped),
        unfinished.is("arguments that open 100,000 times", Fate::Dropped),
        echo(r#"{"text":"\ud800"}"#).is("half a surrogate in an argument", Fate::Dropped),
        echo(r#"{"\udc00":"x"}"#).is("half a surrogate in a key", Fate::Dropped),
        echo(r#"{"text":"\ud83d\ude00"}"#).is("a whole surrogate", Fate::Ran),
        echo(r#"{"text":"a\u0000b\u001b[2J\r\n"}"#)
            .is("escaped controls in an argument", Fate::Ran),
        echo(r#"{"text":"x","a\u0000\r\nb":1}"#).is("escaped controls in a key", Fate::Ran),
        echo(r#"{"text":"@"}"#).with(b"\0").is("a bare NUL", Fate::Dropped),
        echo(r#"{"text":"@"}"#).with(b"\x1b").is("a bare escape", Fate::Dropped),
        echo(r#"{"text":"@"}"#).with(b"\xff\xfe").is("bytes that are no UTF-8", Fate::Dropped),
        echo(r#"{"text":"@"}"#).with(b"\xc0\xaf").is("an overlong slash", Fate::Dropped),
        echo(r#"{"text":"@"}"#).with(b"\xed\xa0\x80").is("a surrogate as bytes", Fate::Dropped),
        echo(r#"{"text":1e999}"#).is("a number beyond all", Fate::Dropped),
        echo(r#"{"text":"a","text":"x"}"#).is("an argument twice", Fate::Ran),
        raw("\0\0\0\0").is("nothing but NUL", Fate::Dropped),
        raw("hello").is("no JSON", Fate::Dropped),
        raw(r#"{"jsonrpc":"2.0","id":1"#).is("a message that does not end", Fate::Dropped),
    ]
}

fn names() -> Vec<Case> {
    let unknown = |label, name: &str, recorded: &str| {
        let name = Value::from(name).to_string();
        call(&name, ARGUMENTS, "").is(label, Fate::Unknown(recorded.to_owned()))
    };
    let cut = "n".repeat(256) + "…";
    vec![
        unknown("an unknown tool", "nope", "nope"),
        unknown("a tool without a name", "", ""),
        unknown("a name with NUL", "echo\0", "echo\0"),
        unknown("a name with lines", "echo\r\n\u{1b}[31mroot", "echo\r\n\u{1b}[31mroot"),
        unknown("a name that turns round", "echo\u{202e}\u{2028}", "echo\u{202e}\u{2028}"),
        unknown("a name with a version", "echo@1.0", "echo@1.0"),
        unknown("a name of 1 MB", &"n".repeat(1 << 20), &cut),
        call(r#""\ud800""#, ARGUMENTS, "").is("a name of half a surrogate", Fate::Dropped),
        call(r#""ec@o""#, ARGUMENTS, "").with(b"\xc3\x28").is("a name of no UTF-8", Fate::Dropped),
    ]
}

fn shapes() -> Vec<Case> {
    let meta = |meta: &str| call(r#""echo""#, ARGUMENTS, &format!(r#","_meta":{meta}"#));
    vec![
        with_params("[1,2]").is("parameters that are a list", Fate::Invalid),
        with_params(r#""x""#).is("parameters that are a text", Fate::Invalid),
        with_params("null").is("parameters that are null", MISFIT),
        with_params("{}").is("parameters without a name", MISFIT),
        call("7", ARGUMENTS, "").is("a name that is a number", MISFIT),
        call("null", ARGUMENTS, "").is("a name that is null", MISFIT),
        call(r#"{"$ne":""}"#, ARGUMENTS, "").is("a name that is an object", MISFIT),
        call(r#""echo""#, ARGUMENTS, r#","name":"write_file""#).is("two names", MISFIT),
        echo(r#""text""#).is("arguments that are a text", MISFIT),
        echo("[1]").is("arguments that are a list", MISFIT),
        echo("7").is("arguments that are a number", MISFIT),
        echo("null").is("arguments that are null", Fate::Failed),
        meta("[]").is("_meta that is a list", Fate::Invalid),
        meta(r#""x""#).is("_meta that is a text", Fate::Invalid),
        meta("null").is("_meta that is null", Fate::Ran),
        meta(r#"{"sec0/nodeId":"\ud800"}"#).is("half a surrogate in _meta", Fate::Dropped),
        meta(&format!(r#"{{"sec0/nodeId":{}}}"#, "[".repeat(100_000)))
            .is("_meta 100,000 deep", Fate::Dropped),
        raw(r#"{"jsonrpc":"1.0","id":1,"method":"tools/call"}"#).is("JSON-RPC 1.0", Fate::Invalid),
        raw([b"[", &echo(ARGUMENTS).bytes[..], b"]"].concat()).is("a batch", Fate::Invalid),
        raw(r#"{"jsonrpc":"2.0","id":1,"method":7}"#).is("a method of 7", Fate::Invalid),
    ]
}

fn ids() -> Vec<Case> {
    let long = "i".repeat(100_000);
    let beyond = "9".repeat(40);
    let odd = ["null", "1.5", "true", "[]", "{}", "9223372036854775808", &beyond];
    let refused = odd.map(|id| echo(ARGUMENTS).with_id(id).is("an odd id", Fate::Invalid));
    let texts = ["", "x", "1\r\n\u{1b}[2J", &long];
    let kept = texts.map(Value::from).into_iter().chain([json!(-1)]).map(|id| {
        let message = echo(ARGUMENTS).with_id(&id.to_string());
        Case { id, ..message.is("an id of another kind", Fate::Ran) }
    });
    refused.into_iter().chain(kept).collect()
}
