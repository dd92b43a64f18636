//! Logs that are written by hand, with checkpoints and key changes, to be read back.

use super::*;
use crate::audit::chain::{Chain, Ties, splice};
use crate::audit::envelope::{Form, write_call};
use crate::canonical;
use crate::digest::Digest;
use crate::tlog::{Checkpoint, Edge, Note, VerifierKey, leaf_hash, origin_of};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Who signs what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Record,
    Checkpoint,
}

/// A log that is being written.
pub(super) struct ByHand {
    pub(super) dir: PathBuf,
    by: By,
    stream: Stream,
    signer: Arc<TestSigner>,
    chain: Chain,
    edge: Edge,
    day: Option<Day>,
}

impl ByHand {
    /// A log without lines.
    pub(super) fn new(dir: &Path, by: By) -> Self {
        Self::of_writer(dir, by, Stream::default())
    }

    pub(super) fn of_writer(dir: &Path, by: By, stream: Stream) -> Self {
        fs::create_dir_all(dir.join("checkpoints")).unwrap();
        let (dir, signer) = (dir.to_owned(), TestSigner::new());
        let (chain, edge) = (Chain::start(), Edge::new());
        let log = Self { dir, by, stream, signer, chain, edge, day: None };
        log.checkpoint();
        log
    }

    /// The record of a call.
    pub(super) fn call(&mut self, n: u64, millis: i64) -> &mut Self {
        let mut unsigned = Vec::new();
        let key_id = self.signer.public_key().key_id();
        let ties = Ties { chain: &self.chain, key_id: &key_id };
        let at = write_call(&mut unsigned, &facts_at(n, millis), &site(), Form::Line(&ties));
        let mut line = Vec::new();
        if self.by == By::Record {
            splice(&mut line, &unsigned, at, &self.sign(&unsigned));
        } else {
            line = unsigned;
        }
        self.line(&line, millis)
    }

    /// An event with these members besides those of every line; signed where it must be.
    pub(super) fn event(&mut self, millis: i64, members: &Value) -> &mut Self {
        let mut line = json!({
            "key_id": self.signer.public_key().key_id(), "prev_sha256": self.chain.prev.to_string(),
            "seq": self.chain.seq, "span_id": "0".repeat(16), "trace_id": "0".repeat(32),
            "status": "ok", "tenant": "acme", "ts": ts(millis),
        });
        let own = line.as_object_mut().unwrap();
        own.extend(members.as_object().unwrap().clone());
        if self.by == By::Record || members["event"] == "key_change" {
            let signature = self.sign(&canonical::to_vec(&line).unwrap());
            line["sig"] = signature.to_string().into();
        }
        self.line(&canonical::to_vec(&line).unwrap(), millis)
    }

    /// The key with this seed signs from the next line on.
    pub(super) fn change_key(&mut self, millis: i64, seed: u8) -> &mut Self {
        let next = TestSigner::from_seed(seed);
        let (id, key) = (next.public_key().key_id(), next.public_key().to_string());
        let members = json!({ "event": "key_change", "new_key_id": id, "new_public_key": key });
        self.event(millis, &members);
        self.signer = next;
        self
    }

    /// The next lines and checkpoints are signed by this key, and nothing says so.
    pub(super) fn take_back(&mut self, signer: &Arc<TestSigner>) {
        self.signer = Arc::clone(signer);
    }

    /// Goes on from the lines as they lie in the file of the day.
    pub(super) fn read_again(&mut self) -> &Self {
        (self.chain, self.edge) = (Chain::start(), Edge::new());
        let file = self.stream.day_file(self.day.unwrap());
        for line in fs::read_to_string(self.dir.join(file)).unwrap().lines() {
            self.edge.push(leaf_hash(line.as_bytes()));
            self.chain = Chain::behind(self.chain.seq, line.as_bytes());
        }
        self
    }

    /// Appends these bytes as a line.
    pub(super) fn line(&mut self, line: &[u8], millis: i64) -> &mut Self {
        let day = Day::of(Timestamp::from_millis(millis));
        if self.day.is_some_and(|before| before != day) {
            self.close_day();
        }
        self.day = Some(day);
        let mut file = fs::OpenOptions::new();
        let path = self.dir.join(self.stream.day_file(day));
        let mut file = file.create(true).append(true).open(path).unwrap();
        file.write_all(&[line, b"\n"].concat()).unwrap();
        self.edge.push(leaf_hash(line));
        self.chain = Chain::behind(self.chain.seq, line);
        self
    }

    /// Replaces the newest checkpoint.
    pub(super) fn checkpoint(&self) -> &Self {
        self.put("checkpoint");
        self
    }

    fn close_day(&self) {
        self.put(&format!("checkpoints/{}", self.day.unwrap()));
        self.put("checkpoint");
    }

    fn put(&self, name: &str) {
        let name = match self.stream.writer() {
            Some(writer) => format!("{name}.{writer}"),
            None => name.to_owned(),
        };
        fs::write(self.dir.join(name), self.note()).unwrap();
    }

    /// A checkpoint of the log as it stands.
    pub(super) fn note(&self) -> String {
        let last = (self.chain.seq > 0).then_some(self.chain.prev);
        note(&self.signer, &origin_of("acme", self.stream.writer()), &self.edge, last)
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature::from_bytes(self.signer.key.sign(message).to_bytes())
    }
}

pub(super) fn note(signer: &TestSigner, origin: &str, edge: &Edge, last: Option<Digest>) -> String {
    let text = Checkpoint::new(origin, edge, last).unwrap().to_string();
    let key = VerifierKey::new(origin, signer.public_key()).unwrap();
    let signature = signer.key.sign(Note::to_sign(&text).unwrap()).to_bytes();
    Note::assemble(&text, &key, &Signature::from_bytes(signature)).unwrap().to_string()
}

fn ts(millis: i64) -> String {
    let mut out = Vec::new();
    day::write_ts(&mut out, Timestamp::from_millis(millis));
    String::from_utf8(out).unwrap()
}

/// Puts checkpoints under the lines that lie in `dir`, as their writer does.
pub(super) fn seal(dir: &Path) {
    let mut days: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| Day::of_file(entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    days.sort_unstable();
    fs::create_dir_all(dir.join("checkpoints")).unwrap();
    let (mut edge, mut last) = (Edge::new(), None);
    for (at, day) in days.iter().enumerate() {
        for line in fs::read_to_string(dir.join(day.file_name())).unwrap().lines() {
            edge.push(leaf_hash(line.as_bytes()));
            last = Some(Digest::of(line.as_bytes()));
        }
        let note = note(&TestSigner::new(), &origin_of("acme", None), &edge, last);
        fs::write(dir.join("checkpoint"), &note).unwrap();
        if at + 1 < days.len() {
            fs::write(dir.join(format!("checkpoints/{day}")), &note).unwrap();
        }
    }
}
