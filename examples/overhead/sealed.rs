//! How fast a log is read back: a log of any size under checkpoints, and the time that it takes.

use sec0::audit::{Verifier, VerifyError};
use sec0::digest::Digest;
use sec0::tlog::{Checkpoint, Edge, Note, VerifierKey, leaf_hash, origin_of};
use sec0::{LocalDevSigner, Signer as _};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// The file of the only day.
const DAY: &str = "audit-2026-11-23.ndjson";

fn signer() -> LocalDevSigner {
    LocalDevSigner::from_seed([7; 32])
}

/// Writes a log of so many records of calls, signed by one checkpoint, or each by itself too.
pub(crate) fn write(dir: &Path, lines: u64, each_signed: bool) -> io::Result<()> {
    let signer = signer();
    let key_id = signer.public_key().key_id();
    let (mut edge, mut prev) = (Edge::new(), Digest::from_bytes([0; 32]));
    let mut file = BufWriter::new(File::create(dir.join(DAY))?);
    for seq in 0..lines {
        let head = format!(
            "{{\"actor\":\"acme\",\"check_kind\":\"static\",\"check_level\":\"middleware\",\
             \"executed\":true,\"idempotency_key\":null,\"input_sha256\":\"{prev}\",\
             \"key_id\":\"{key_id}\",\"latency_ms\":12,\"node_type\":\"middleware\",\"op\":\"read\",\
             \"op_basis\":\"annotations\",\"output_sha256\":\"{prev}\",\"policy\":{{\"decision\":\
             \"allow\",\"reason\":null,\"retention\":\"30d\"}},\"policy_digest\":\"{prev}\",\
             \"prev_sha256\":\"{prev}\",\"principal\":\"local:1000\",\"principal_verified\":true,\
             \"registry_frozen\":true,\"retries\":0,\"seq\":{seq},\"server\":\
             \"sec0-middleware@0.1.0\",\"server_snapshot\":\"{prev}\",\"side_effect\":false"
        );
        let tail = format!(
            ",\"span_id\":\"{seq:016x}\",\"status\":\"ok\",\"target_server\":\"demo@1.0.0\",\
             \"target_tool\":\"add@1.0\",\"target_tool_ref\":\"demo@1.0.0 add@1.0\",\"tenant\":\
             \"acme\",\"tool\":\"mcp.enforce@1.0\",\"tool_ref\":\"sec0-middleware@0.1.0 \
             mcp.enforce@1.0\",\"trace_id\":\"{seq:032x}\",\"ts\":\"2026-11-23T08:15:30.042Z\"}}"
        );
        let line = if each_signed {
            let sig = signer.sign_now(format!("{head}{tail}").as_bytes());
            format!("{head},\"sig\":\"{sig}\"{tail}")
        } else {
            head + &tail
        };
        edge.push(leaf_hash(line.as_bytes()));
        prev = Digest::of(line.as_bytes());
        writeln!(file, "{line}")?;
    }
    file.flush()?;
    let origin = origin_of("acme", None);
    let key = VerifierKey::new(&origin, signer.public_key()).map_err(io::Error::other)?;
    let text = Checkpoint::new(&origin, &edge, Some(prev)).map_err(io::Error::other)?.to_string();
    let signature = signer.sign_now(Note::to_sign(&text).map_err(io::Error::other)?);
    let note = Note::assemble(&text, &key, &signature).map_err(io::Error::other)?;
    std::fs::write(dir.join("checkpoint"), note.to_string())
}

/// Verifies the log in `dir`: its bytes, its records, and the time.
#[expect(clippy::disallowed_methods, reason = "a measurement is of real time")]
pub(crate) fn verify(
    dir: &Path,
    every_signature: bool,
) -> Result<(u64, u64, Duration), VerifyError> {
    let verifier = Verifier::new(&[signer().public_key()])?.every_signature(every_signature);
    let start = Instant::now();
    let totals = verifier.verify_dir(dir)?;
    Ok((totals.bytes, totals.records, start.elapsed()))
}
