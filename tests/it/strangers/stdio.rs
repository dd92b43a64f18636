//! Bytes on the stdin of `server_stdio`.

use super::messages::{Case, Fate, call, cases, echo};
use super::{assert_answer, assert_fine, assert_log, assert_peak_below, claims, expected, fine};
use super::{complaints, peak};
use crate::drive::{DEMO_POLICY, House, PATIENCE, ended, example};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const READY: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

struct Pipes {
    child: Child,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Pipes {
    async fn open(house: Option<&House>) -> Self {
        let mut command = example("server_stdio");
        match house {
            Some(house) => {
                command.arg("--policy").arg(house.policy()).arg("--dir").arg(house.audit())
            }
            None => command.arg("--bare"),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut pipes = Self { child, stdin, answers };
        pipes.send(HELLO.as_bytes()).await;
        assert_eq!(pipes.answer().await["result"]["serverInfo"]["name"], "demo");
        pipes.send(READY.as_bytes()).await;
        pipes
    }

    async fn send(&mut self, line: &[u8]) {
        let sending = async {
            self.stdin.write_all(line).await.unwrap();
            self.stdin.write_all(b"\n").await.unwrap();
        };
        tokio::time::timeout(PATIENCE, sending).await.expect("the server does not read");
    }

    async fn answer(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.answers.next_line()).await;
        let line = line.expect("no answer").unwrap().expect("the server has gone");
        serde_json::from_str(&line).unwrap()
    }

    /// A good call is answered, and nothing before it.
    async fn is_well(&mut self, id: usize, after: &str) {
        self.send(&fine(id)).await;
        assert_fine(&self.answer().await, id, after);
    }

    /// Nothing more is answered, and the program ends without a complaint.
    async fn close(mut self) {
        drop(self.stdin);
        let rest = tokio::time::timeout(PATIENCE, self.answers.next_line()).await;
        assert_eq!(rest.expect("the server does not end").unwrap(), None);
        assert_eq!(complaints(&mut self.child).await, "");
        assert!(ended(&mut self.child).await.success());
    }
}

#[tokio::test]
async fn no_bytes_on_stdin_stop_the_server_or_escape_the_log() {
    let house = House::new(DEMO_POLICY);
    let mut pipes = Pipes::open(Some(&house)).await;
    let long = |size| echo(&json!({ "text": "A".repeat(size) }).to_string()).bytes;
    let mut all = vec![
        // rmcp reads lines of 16 MiB at most.
        Case { label: "20 MB", bytes: long(20_000_000), fate: Fate::Dropped, id: json!(1) },
        Case { label: "2 MB", bytes: long(2_000_000), fate: Fate::Ran, id: json!(1) },
    ];
    all.extend(cases());
    for (number, case) in all.iter().enumerate() {
        pipes.send(&case.bytes).await;
        if !matches!(case.fate, Fate::Dropped) {
            assert_answer(case, &pipes.answer().await);
        }
        pipes.is_well(1000 + number, case.label).await;
    }
    // The text that grows to 800,000 numbers takes the most, of which rmcp's reading most again.
    assert_peak_below(&pipes.child, 320 * 1024);
    pipes.close().await;
    assert_log(&house, &expected(&all));
}

#[tokio::test]
async fn long_messages_cost_no_more_memory_than_a_few_times_their_length() {
    let house = House::new(DEMO_POLICY);
    let mut pipes = Pipes::open(Some(&house)).await;
    let long = "A".repeat(15_000_000);
    for name in ["nope", long.as_str()] {
        let arguments = if name == "nope" { long.as_str() } else { "x" };
        let name = Value::from(name).to_string();
        pipes.send(&call(&name, &json!({ "text": arguments }).to_string(), "").bytes).await;
        assert_eq!(pipes.answer().await["error"]["message"], "tool not found");
        pipes.is_well(1000, "a long message").await;
    }
    assert_peak_below(&pipes.child, 112 * 1024);
    pipes.close().await;
    assert_eq!(house.records().len(), 4);
}

/// A message may cost far more memory than its length: that is how JSON is read, and not the layer.
#[tokio::test]
async fn many_small_values_cost_little_more_than_without_the_layer() {
    let house = House::new(DEMO_POLICY);
    let many = echo(&format!(r#"{{"text":[{}0]}}"#, "0,".repeat(500_000)));
    let mut peaks = Vec::new();
    for house in [None, Some(&house)] {
        let mut pipes = Pipes::open(house).await;
        pipes.send(&many.bytes).await;
        assert_eq!(pipes.answer().await["result"]["isError"], true);
        peaks.extend(peak(&pipes.child));
        pipes.close().await;
    }
    if let [bare, layered] = peaks[..] {
        assert!(layered < bare + 32 * 1024, "{layered} KiB with the layer, {bare} without");
    } else {
        println!("/proc has no peak of memory here: its bound is left out");
    }
    assert_eq!(house.records().len(), 1);
}

#[tokio::test]
async fn what_meta_claims_is_kept_out_of_the_log_or_cleaned() {
    let house = House::new(DEMO_POLICY);
    let mut pipes = Pipes::open(Some(&house)).await;
    let claims = claims::in_meta();
    for (key, value, _) in &claims {
        let meta = format!(r#","_meta":{}"#, json!({ *key: value }));
        pipes.send(&call(r#""echo""#, r#"{"text":"x"}"#, &meta).bytes).await;
        assert_eq!(pipes.answer().await["result"]["isError"], false, "{key}");
        pipes.is_well(1000, key).await;
    }
    assert_peak_below(&pipes.child, 48 * 1024);
    pipes.close().await;
    let all: Vec<_> = claims.into_iter().map(|(key, _, expected)| (key, expected)).collect();
    claims::assert_recorded(&house, &all);
}
