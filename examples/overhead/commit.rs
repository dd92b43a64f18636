//! The physical limit of a durable call: serialise, chain and write what the layer writes, and sync
//! what it syncs, in a bare loop: the entries of the journal, then the lines of the log.

use crate::limit::{Line, Log};
use crate::machine::now;
use crate::measure::Load;
use crate::subject::{Secured, on_the_disk_of_the_program};
use rmcp::ServerHandler;
use sec0::mcp::detached_context;
use sec0::{AuditMode, LineSigning};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

/// As large as a segment of the journal, zeros that are on the disk already.
const FILE: usize = 4 * 1024 * 1024;

/// A record of the journal as a plain struct: what serde writes of it is the same bytes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the members of a record are what they are")]
struct Record {
    actor: String,
    check_kind: String,
    check_level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_reason: Option<String>,
    executed: bool,
    idempotency_key: Option<String>,
    input_sha256: Option<String>,
    latency_ms: u64,
    node_type: String,
    op: String,
    op_basis: String,
    output_sha256: Option<String>,
    policy: Decided,
    policy_digest: String,
    principal: String,
    principal_verified: bool,
    registry_frozen: bool,
    retries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_score: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_tags: Option<Vec<String>>,
    server: String,
    server_snapshot: String,
    side_effect: bool,
    span_id: String,
    status: String,
    target_server: String,
    target_tool: String,
    target_tool_ref: String,
    tenant: String,
    tool: String,
    tool_ref: String,
    trace_id: String,
    ts: String,
}

#[derive(Serialize, Deserialize)]
struct Decided {
    decision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    retention: String,
}

/// The intent and the outcome of one call, as the layer wrote them.
pub(crate) struct Entries {
    intent: Record,
    outcome: Record,
    line: Line,
}

impl Entries {
    /// Makes a call that is durable, and reads the journal before the log is shut down.
    pub(crate) async fn real() -> Result<Self, Box<dyn Error>> {
        let strict = |options: sec0::Sec0Options| options.audit_mode(AuditMode::BlockingStrict);
        let secured = Secured::within(on_the_disk_of_the_program()?, strict)?;
        let params = Load { tools: 1, bytes: 64 }.params(0);
        secured.writing().call_tool(params, detached_context()).await?;
        let journal = secured.dir.path().join("audit/journal");
        let segment = std::fs::read_dir(journal)?.next().ok_or("the layer has no journal")??;
        let bytes = std::fs::read(segment.path())?;
        secured.layer.try_shutdown().await?;
        let (intent, outcome) = (entry(&bytes, "I 0 ")?, entry(&bytes, "O 0 ")?);
        Ok(Self { intent, outcome, line: secured.line()? })
    }
}

fn entry(journal: &[u8], kind: &str) -> Result<Record, Box<dyn Error>> {
    let mut lines = journal.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.starts_with(kind.as_bytes())).ok_or("an entry is missing")?;
    let payload = line.get(kind.len() + 65..).ok_or("an entry is cut")?;
    let record: Record = serde_json::from_slice(payload)?;
    if serde_json::to_vec(&record)? != payload {
        return Err("the bare loop does not serialise what the layer does".into());
    }
    Ok(record)
}

/// A group commit: `lines` entries, one write and one sync, then as many lines of the log, again and
/// again; at the end the log is synced.
pub(crate) struct Commit<'a> {
    pub(crate) entries: &'a Entries,
    pub(crate) lines: usize,
    /// 1: an intent for each call. 2: then, with a sync of their own, the outcomes.
    pub(crate) syncs: usize,
    /// What vouches for the lines of the log.
    pub(crate) signing: LineSigning,
}

impl Commit<'_> {
    /// Microseconds for one call, when each of as many callers as there are lines makes `turns`.
    pub(crate) fn per_call(&self, turns: usize) -> Result<f64, Box<dyn Error>> {
        let dir = on_the_disk_of_the_program()?;
        let mut file = tempfile::tempfile_in(dir.path())?;
        file.write_all(&vec![0; FILE])?;
        file.sync_all()?;
        let mut batch = Batch { file, at: 0, buffer: Vec::new(), chain: [0; 32] };
        let lines = tempfile::tempfile_in(dir.path())?;
        let mut log = Log::new(self.entries.line.clone(), self.signing, lines);
        let mut scratch = Vec::new();
        let started = now();
        for turn in 0..turns {
            let kinds = [('I', &self.entries.intent), ('O', &self.entries.outcome)];
            for (kind, record) in kinds.into_iter().take(self.syncs) {
                for line in 0..self.lines {
                    scratch.clear();
                    serde_json::to_writer(&mut scratch, record)?;
                    batch.put(kind, turn * self.lines + line, &scratch)?;
                }
                batch.commit()?;
            }
            (0..self.lines).try_for_each(|_| log.put())?;
            log.write()?;
        }
        log.finish()?;
        let calls = u32::try_from(turns * self.lines)?;
        Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
    }
}

struct Batch {
    file: File,
    at: usize,
    buffer: Vec<u8>,
    chain: [u8; 32],
}

impl Batch {
    fn put(&mut self, kind: char, id: usize, payload: &[u8]) -> Result<(), Box<dyn Error>> {
        let start = self.buffer.len();
        write!(self.buffer, "{kind}{id} ")?;
        let tie = Sha256::new().chain_update(self.chain);
        let tie = tie.chain_update(self.buffer.get(start..).unwrap_or_default());
        self.chain = tie.chain_update(payload).finalize().into();
        self.buffer.truncate(start);
        write!(self.buffer, "{kind} {id} ")?;
        for byte in self.chain {
            let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied();
            self.buffer.extend(digit(byte >> 4).into_iter().chain(digit(byte & 15)));
        }
        self.buffer.push(b' ');
        self.buffer.extend_from_slice(payload);
        self.buffer.push(b'\n');
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Box<dyn Error>> {
        if self.at + self.buffer.len() > FILE {
            self.at = 0;
        }
        self.file.write_all_at(&self.buffer, u64::try_from(self.at)?)?;
        self.file.sync_data()?;
        self.at += self.buffer.len();
        self.buffer.clear();
        Ok(())
    }
}
