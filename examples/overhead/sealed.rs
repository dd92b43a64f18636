//! How fast a log is read back: a log of any size under checkpoints, and the time that it takes.

use crate::machine::now;
use sec0::audit::Verifier;
use sec0::digest::Digest;
use sec0::sign;
use sec0::tlog::{Checkpoint, Edge, Note, VerifierKey, leaf_hash, origin_of};
use sec0::{LocalDevSigner, Signer as _};
use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

/// The file of the only day.
const DAY: &str = "audit-2026-11-23.ndjson";

fn signer() -> LocalDevSigner {
    LocalDevSigner::from_seed([7; 32])
}

/// Writes a log of so many records of calls, signed by one checkpoint, or each by itself too.
fn write(dir: &Path, lines: u64, each_signed: bool) -> io::Result<()> {
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

/// A log that checkpoints vouch for, against a loop that reads it and hashes each line twice, as
/// chain and tree do.
pub(crate) fn vouched() -> Result<String, Box<dyn Error>> {
    row(100_000, false, |dir| {
        let file = BufReader::with_capacity(256 * 1024, File::open(dir.join(DAY))?);
        for line in file.split(b'\n') {
            let line = line?;
            std::hint::black_box((leaf_hash(&line), Digest::of(&line)));
        }
        Ok(())
    })
}

/// Every signature checked too, against a loop that does nothing else.
pub(crate) fn every_signature() -> Result<String, Box<dyn Error>> {
    const LINES: u64 = 10_000;
    let signer = signer();
    let message = [b'x'; 1200];
    let signature = signer.sign_now(&message);
    let verifier = sign::Verifier::new(&signer.public_key())?;
    row(LINES, true, |_| (0..LINES).try_for_each(|_| Ok(verifier.verify(&message, &signature)?)))
}

/// Rounds of the log and the loop in turn: the medians.
fn row(
    lines: u64,
    each_signed: bool,
    bare: impl Fn(&Path) -> Result<(), Box<dyn Error>>,
) -> Result<String, Box<dyn Error>> {
    const ROUNDS: usize = 5;
    let home = tempfile::tempdir()?;
    write(home.path(), lines, each_signed)?;
    let verifier = Verifier::new(&[signer().public_key()])?.every_signature(each_signed);
    let (mut ratios, mut walls, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let started = now();
        bare(home.path())?;
        let limit = started.elapsed().as_secs_f64();
        let started = now();
        bytes = verifier.verify_dir(home.path())?.bytes;
        let wall = started.elapsed().as_secs_f64();
        ratios.push(wall / limit);
        walls.push(wall);
    }
    ratios.sort_by(f64::total_cmp);
    walls.sort_by(f64::total_cmp);
    let wall = walls.get(ROUNDS / 2).ok_or("no rounds")?;
    let ratio = ratios.get(ROUNDS / 2).ok_or("no rounds")?;
    let each = |count: u64| u32::try_from(count).map(f64::from);
    Ok(format!(
        "calls_per_s={:.0} p50_us=- p99_us=- cpu_us={:.2} vs_bare=- vs_limit={ratio:.2} \
         mb_per_s={:.0}",
        each(lines)? / wall,
        wall * 1e6 / each(lines)?,
        each(bytes)? / wall / 1e6
    ))
}
