//! The physical limit: hash, serialise, sign and write the same record in a bare loop; where
//! checkpoints vouch for the lines, a tree over them and one signature for many.

use crate::machine::{now, on_one_core};
use crate::subject::{Secured, arguments, name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use rmcp::ServerHandler;
use rmcp::model::CallToolRequestParams;
use sec0::LineSigning;
use sec0::mcp::detached_context;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

const BATCH: u32 = 256;

/// A line of the log as a plain struct: what serde writes of it is the same bytes, `sig` aside.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the members of a record are what they are")]
pub(crate) struct Line {
    actor: String,
    check_kind: String,
    check_level: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_reason: Option<String>,
    executed: bool,
    idempotency_key: Option<String>,
    input_sha256: Option<String>,
    key_id: String,
    latency_ms: u64,
    node_type: String,
    op: String,
    op_basis: String,
    output_sha256: Option<String>,
    policy: Decided,
    policy_digest: String,
    prev_sha256: String,
    principal: String,
    principal_verified: bool,
    registry_frozen: bool,
    retries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_score: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk_tags: Option<Vec<String>>,
    seq: u64,
    server: String,
    server_snapshot: String,
    side_effect: bool,
    #[serde(default, rename = "sig", skip_serializing)]
    _sig: IgnoredAny,
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

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    decision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    retention: String,
}

/// Microseconds for one record on one core: the median of five rounds.
pub(crate) fn per_record() -> Result<f64, Box<dyn Error>> {
    let line = Line::real()?;
    let mut rounds = Vec::new();
    for _ in 0..5 {
        rounds.push(on_one_core(|| round(&line, LineSigning::Record, 20_000))??);
    }
    rounds.sort_by(f64::total_cmp);
    rounds.get(2).copied().ok_or_else(|| "no rounds".into())
}

/// The same for a record that has no signature of its own: one round.
pub(crate) fn per_unsigned_record() -> Result<f64, Box<dyn Error>> {
    let line = Line::real()?;
    on_one_core(|| round(&line, LineSigning::Checkpoint, 100_000))?
}

fn round(line: &Line, signing: LineSigning, records: u32) -> Result<f64, Box<dyn Error>> {
    let mut log = Log::new(line.clone(), signing, tempfile::tempfile()?);
    let started = now();
    for record in 1..=records {
        log.put()?;
        if record % BATCH == 0 {
            log.write()?;
        }
    }
    log.write()?;
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(records))
}

impl Line {
    /// The line of a call, as the layer wrote it.
    pub(crate) fn real() -> Result<Self, Box<dyn Error>> {
        let secured = Secured::new()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let server = secured.owned(1);
            let params = CallToolRequestParams::new(name(0)).with_arguments(arguments(64));
            server.call_tool(params, detached_context()).await?;
            secured.layer.try_shutdown().await?;
            Ok::<_, Box<dyn Error>>(())
        })?;
        secured.line()
    }
}

/// Lines under one signature, where they have none of their own.
const UNDER_ONE: u64 = 1024;

/// The least that a log of chained lines takes.
pub(crate) struct Log {
    line: Line,
    signing: LineSigning,
    key: SigningKey,
    tree: Tree,
    /// Sealed and not written yet.
    batch: Vec<u8>,
    file: File,
}

impl Log {
    pub(crate) fn new(line: Line, signing: LineSigning, file: File) -> Self {
        let key = SigningKey::from_bytes(&[7; 32]);
        let line = Line { seq: 0, ..line };
        Self { line, signing, key, tree: Tree::default(), batch: Vec::new(), file }
    }

    /// Seals one more line.
    pub(crate) fn put(&mut self) -> Result<(), Box<dyn Error>> {
        let start = self.batch.len();
        serde_json::to_writer(&mut self.batch, &self.line)?;
        if self.signing == LineSigning::Record {
            let unsigned = self.batch.get(start..).unwrap_or_default();
            let signature = STANDARD.encode(self.key.sign(unsigned).to_bytes());
            self.batch.pop();
            write!(self.batch, ",\"sig\":\"ed25519:{signature}\"}}")?;
        }
        let written = self.batch.get(start..).unwrap_or_default();
        if self.signing == LineSigning::Checkpoint {
            self.tree.grow(Sha256::new().chain_update([0]).chain_update(written).finalize().into());
        }
        let digest = Sha256::digest(written);
        self.line.prev_sha256.clear();
        digest.iter().try_for_each(|byte| write!(&mut self.line.prev_sha256, "{byte:02x}"))?;
        self.batch.push(b'\n');
        self.line.seq += 1;
        if self.signing == LineSigning::Checkpoint && self.line.seq.is_multiple_of(UNDER_ONE) {
            self.sign_the_tree()?;
        }
        Ok(())
    }

    /// Appends what is sealed.
    pub(crate) fn write(&mut self) -> Result<(), Box<dyn Error>> {
        self.file.write_all(&self.batch)?;
        self.batch.clear();
        Ok(())
    }

    /// Appends and syncs the rest, under one more signature where the lines have none.
    pub(crate) fn finish(mut self) -> Result<(), Box<dyn Error>> {
        if self.signing == LineSigning::Checkpoint {
            self.sign_the_tree()?;
        }
        self.write()?;
        Ok(self.file.sync_all()?)
    }

    fn sign_the_tree(&mut self) -> Result<(), Box<dyn Error>> {
        let signature = self.key.sign(&self.tree.root()).to_bytes();
        Ok(self.file.write_all(STANDARD.encode(signature).as_bytes())?)
    }
}

/// The right edge of the tree of RFC 6962, the largest part first.
#[derive(Default)]
struct Tree {
    size: u64,
    edge: Vec<[u8; 32]>,
}

impl Tree {
    fn grow(&mut self, mut hash: [u8; 32]) {
        for _ in 0..self.size.trailing_ones() {
            hash = self.edge.pop().map_or(hash, |left| joined(left, hash));
        }
        self.edge.push(hash);
        self.size += 1;
    }

    fn root(&self) -> [u8; 32] {
        let parts = self.edge.iter().rev().copied();
        parts.reduce(|right, left| joined(left, right)).unwrap_or_default()
    }
}

fn joined(left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}
