//! Bytes on the socket of `server_http`.

use super::claims::{self, FIELDS, PATHS, Says, TOKEN, of_path, rejected};
use super::messages::{Case, Fate, call, cases, echo};
use super::{
    assert_answer, assert_fine, assert_log, assert_peak_below, complaints, expected, fine,
};
use crate::drive::{DEMO_POLICY, House, PATIENCE, ended, example};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;

const HELLO: &[u8] = br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const READY: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

struct Socket {
    child: Child,
    address: String,
    session: Vec<u8>,
}

/// Status, the head as text, and the body.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn of(bytes: &[u8]) -> Self {
        let text = str::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.unwrap_or_else(|| panic!("no reply: `{text}`")).parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The last event of the stream.
    fn answer(&self) -> Value {
        assert_eq!(self.status, 200, "{}\n{}", self.head, self.body);
        let mut data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        serde_json::from_str(data.next_back().unwrap()).unwrap_or_else(|_| panic!("{}", self.body))
    }
}

impl Socket {
    async fn open(house: &House) -> Self {
        let mut command = example("server_http");
        command.arg("--policy").arg(house.policy()).arg("--dir").arg(house.audit());
        command.args(["--addr", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let url = url.unwrap();
        let address = url.strip_prefix("http://").and_then(|url| url.strip_suffix("/mcp"));
        let address = address.unwrap().to_owned();
        let mut socket = Self { child, address, session: Vec::new() };
        let reply = socket.post(b"", HELLO).await;
        let id = reply.head.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
        socket.session = format!("Mcp-Session-Id: {}\r\n", id.unwrap()).into_bytes();
        assert_eq!(socket.post(b"", READY).await.status, 202);
        socket
    }

    /// Sends the bytes as they are, and reads until the server has said everything. A server that
    /// has heard enough may close before all is sent.
    async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let talk = async {
            let (mut read, mut write) =
                TcpStream::connect(&self.address).await.unwrap().into_split();
            let mut heard = Vec::new();
            let (sent, read) = tokio::join!(write.write_all(bytes), read.read_to_end(&mut heard));
            assert!(!heard.is_empty(), "nothing was answered: {sent:?}, {read:?}");
            heard
        };
        tokio::time::timeout(PATIENCE, talk).await.expect("the server does not answer")
    }

    async fn post(&self, headers: &[u8], body: &[u8]) -> Reply {
        let length = format!("Content-Length: {}\r\n", body.len());
        self.post_as(&[headers, length.as_bytes()].concat(), body).await
    }

    async fn post_as(&self, headers: &[u8], body: &[u8]) -> Reply {
        let head = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
            Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n";
        Reply::of(&self.exchange(&[head, &self.session[..], headers, b"\r\n", body].concat()).await)
    }

    async fn is_well(&self, id: usize, after: &str) {
        assert_fine(&self.post(b"", &fine(id)).await.answer(), id, after);
    }

    async fn close(mut self) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(complaints(&mut self.child).await, "");
        assert!(ended(&mut self.child).await.success());
    }
}

#[tokio::test]
async fn no_body_stops_the_server_or_escapes_the_log() {
    let house = House::new(DEMO_POLICY);
    let socket = Socket::open(&house).await;
    // This one is longer than a body may be; its own case stands below.
    let all: Vec<Case> =
        cases().into_iter().filter(|case| case.label != "arguments that grow").collect();
    for (number, case) in all.iter().enumerate() {
        let reply = socket.post(b"", &case.bytes).await;
        if matches!(case.fate, Fate::Dropped | Fate::Invalid) {
            assert_eq!(reply.status, 415, "{}", case.label);
            assert!(reply.body.starts_with("fail to deserialize request body "), "{}", reply.body);
        } else {
            assert_answer(case, &reply.answer());
        }
        socket.is_well(1000 + number, case.label).await;
    }
    assert_peak_below(&socket.child, 80 * 1024);
    socket.close().await;
    assert_log(&house, &expected(&all));
}

#[tokio::test]
async fn a_body_over_4_mib_is_told_so_and_leaves_no_record() {
    let house = House::new(DEMO_POLICY);
    let socket = Socket::open(&house).await;
    let long = |size| echo(&json!({ "text": "A".repeat(size) }).to_string()).bytes;
    for (number, size) in [20_000_000, 5 << 20, 4 << 20].into_iter().enumerate() {
        let body = long(size);
        let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
        for reply in [
            socket.post(b"", &body).await,
            socket.post_as(b"Transfer-Encoding: chunked\r\n", &chunk).await,
        ] {
            assert_eq!(reply.status, 413, "{size}: {}", reply.head);
            let said = "Payload Too Large: request body exceeds 4194304 bytes";
            assert!(reply.body.contains(said), "{}", reply.body);
        }
        socket.is_well(1000 + number, "a long body").await;
    }
    let below = socket.post(b"", &long((4 << 20) - 200)).await;
    assert_eq!(below.answer()["result"]["isError"], false);
    assert_peak_below(&socket.child, 80 * 1024);
    socket.close().await;
    assert_eq!(house.records().len(), 4);
}

#[tokio::test]
async fn what_is_no_request_of_http_is_told_so_and_leaves_no_record() {
    let house = House::new(DEMO_POLICY);
    let socket = Socket::open(&house).await;
    let body = echo(r#"{"text":"x"}"#).bytes;
    for (header, status) in [
        (&b"a\rb"[..], 400),
        (b"a\nb", 400),
        (b"a\r\n b", 400),
        (b"a\0b", 400),
        (b"a\x1b[2Jb", 400),
        (b"a\x7fb", 400),
        (&vec![b'n'; 1 << 20], 431),
    ] {
        for name in FIELDS.map(|(header, ..)| header).into_iter().chain([TOKEN.0]) {
            let header = [name.as_bytes(), b": ", header, b"\r\n"].concat();
            let reply = socket.post(&header, &body).await;
            assert_eq!(reply.status, status, "{name}: {}", reply.head);
        }
        socket.is_well(1000, "a broken header").await;
    }
    let many: Vec<u8> = (0..200).flat_map(|n| format!("x-agent-{n}: a\r\n").into_bytes()).collect();
    assert_eq!(socket.post(&many, &body).await.status, 431);
    for odd in [&b"\x16\x03\x01\0\0\r\n\r\n"[..], b"GET /mcp HTTP/9.9\r\n\r\n", b"\0\0\r\n\r\n"] {
        assert_eq!(Reply::of(&socket.exchange(odd).await).status, 400);
    }
    socket.is_well(1000, "no HTTP").await;
    assert_peak_below(&socket.child, 40 * 1024);
    socket.close().await;
    assert_eq!(house.records().len(), 8);
}

/// The headers, each on a line of its own, and what the record says.
fn in_headers() -> Vec<(&'static str, Vec<u8>, Says)> {
    let line = |name: &str, value: &[u8]| [name.as_bytes(), b": ", value, b"\r\n"].concat();
    let mut all = Vec::new();
    for (name, _, _) in FIELDS {
        all.push((name, line(name, b"caf\xe9\xff"), rejected(name, "unprintable")));
        all.push((name, line(name, &vec![b'n'; 200_000]), rejected(name, "too_long")));
        let two = [line(name, b"a"), line(&name.to_uppercase(), b"b")].concat();
        all.push((name, two, rejected(name, "ambiguous")));
        all.push((name, line(name, b"  \t "), Says::Nothing));
    }
    for value in [&b"caf\xe9\xff"[..], &vec![b'n'; 200_000]] {
        all.push((TOKEN.0, line(TOKEN.0, value), Says::Nothing));
    }
    let paths =
        PATHS.map(|(name, _, text, kept)| (name, line(name, text.as_bytes()), of_path(name, kept)));
    all.extend(paths);
    // A line end in a value is the end of the header: what follows is one more claim, and no more.
    let split = line("x-other", b"a\r\nx-agent-ref: forged\r\nx-sec0-principal: root");
    all.push(("x-agent-ref", split, Says::Member("agentRef", "forged")));
    all
}

#[tokio::test]
async fn what_headers_claim_is_kept_out_of_the_log_or_cleaned() {
    let house = House::new(DEMO_POLICY);
    let socket = Socket::open(&house).await;
    let headers = in_headers();
    let body = call(r#""echo""#, r#"{"text":"x"}"#, "").bytes;
    for (name, lines, _) in &headers {
        let answer = socket.post(lines, &body).await.answer();
        assert_eq!(answer["result"]["isError"], false, "{name}");
        socket.is_well(1000, name).await;
    }
    assert_peak_below(&socket.child, 40 * 1024);
    socket.close().await;
    let all: Vec<_> = headers.into_iter().map(|(name, _, says)| (name, says)).collect();
    claims::assert_recorded(&house, &all);
}
