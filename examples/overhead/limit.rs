//! The physical limit: hash, serialise, sign and write the same record in a bare loop; where
//! checkpoints vouch for the lines, a tree over them and one signature for many.

use crate::machine::{now, on_one_core};
use crate::subject::{Secured, arguments, name};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use rmcp::ServerHandler;
use rmcp::model::CallToolRequestParams;
use sec0::mcp::detached_context;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;

const RECORDS: u32 = 20_000;
const BATCH: u32 = 256;

/// A line of the log as a plain struct: what serde writes of it is the same bytes, `sig` aside.
#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the members of a record are what they are")]
struct Line {
    actor: String,
    check_kind: String,
    check_level: String,
    executed: bool,
    idempotency_key: Option<String>,
    input_sha256: Option<String>,
    key_id: String,
    latency_ms: u64,
    node_type: String,
    output_sha256: Option<String>,
    policy: Decided,
    policy_digest: String,
    prev_sha256: String,
    principal: String,
    principal_verified: bool,
    registry_frozen: bool,
    retries: u64,
    seq: u64,
    server: String,
    server_snapshot: String,
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
    retention: String,
}

/// Microseconds for one record on one core: the median of five rounds.
pub(crate) fn per_record() -> Result<f64, Box<dyn Error>> {
    let mut line = one_real_line()?;
    let mut rounds = Vec::new();
    for _ in 0..5 {
        rounds.push(on_one_core(|| round(&mut line))??);
    }
    rounds.sort_by(f64::total_cmp);
    rounds.get(2).copied().ok_or_else(|| "no rounds".into())
}

/// The same for a record that has no signature of its own: one round.
pub(crate) fn per_unsigned_record() -> Result<f64, Box<dyn Error>> {
    let mut line = one_real_line()?;
    on_one_core(|| unsigned_round(&mut line))?
}

fn one_real_line() -> Result<Line, Box<dyn Error>> {
    let secured = Secured::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = secured.owned(1);
        let params = CallToolRequestParams::new(name(0)).with_arguments(arguments(64));
        server.call_tool(params, detached_context()).await?;
        secured.layer.try_shutdown().await?;
        Ok::<_, Box<dyn Error>>(())
    })?;
    let day = std::fs::read_dir(secured.dir.path().join("audit"))?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_string_lossy().starts_with("audit-"))
        .ok_or("the layer wrote no record")?;
    Ok(serde_json::from_slice(&std::fs::read(day.path())?)?)
}

fn round(line: &mut Line) -> Result<f64, Box<dyn Error>> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut file = tempfile::tempfile()?;
    let (mut batch, mut unsigned) = (Vec::new(), Vec::new());
    let started = now();
    for seq in 0..RECORDS {
        line.seq = seq.into();
        unsigned.clear();
        serde_json::to_writer(&mut unsigned, line)?;
        let signature = STANDARD.encode(key.sign(&unsigned).to_bytes());
        let start = batch.len();
        batch.extend_from_slice(&unsigned);
        batch.pop();
        write!(batch, ",\"sig\":\"ed25519:{signature}\"}}")?;
        let digest = Sha256::digest(batch.get(start..).unwrap_or_default());
        line.prev_sha256.clear();
        digest.iter().try_for_each(|byte| write!(line.prev_sha256, "{byte:02x}"))?;
        batch.push(b'\n');
        if seq % BATCH == BATCH - 1 {
            file.write_all(&batch)?;
            batch.clear();
        }
    }
    file.write_all(&batch)?;
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(RECORDS))
}

/// Lines under one signature.
const UNDER_ONE: u32 = 1024;
const UNSIGNED_RECORDS: u32 = 100 * UNDER_ONE;

fn unsigned_round(line: &mut Line) -> Result<f64, Box<dyn Error>> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut file = tempfile::tempfile()?;
    let (mut batch, mut tree) = (Vec::new(), Tree::default());
    let started = now();
    for seq in 0..UNSIGNED_RECORDS {
        line.seq = seq.into();
        let start = batch.len();
        serde_json::to_writer(&mut batch, line)?;
        let written = batch.get(start..).unwrap_or_default();
        tree.grow(Sha256::new().chain_update([0]).chain_update(written).finalize().into());
        let digest = Sha256::digest(written);
        line.prev_sha256.clear();
        digest.iter().try_for_each(|byte| write!(line.prev_sha256, "{byte:02x}"))?;
        batch.push(b'\n');
        if seq % BATCH == BATCH - 1 {
            file.write_all(&batch)?;
            batch.clear();
        }
        if seq % UNDER_ONE == UNDER_ONE - 1 {
            let signature = key.sign(&tree.root()).to_bytes();
            file.write_all(STANDARD.encode(signature).as_bytes())?;
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(UNSIGNED_RECORDS))
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
