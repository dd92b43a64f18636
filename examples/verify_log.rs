//! A log read back: verified, held against a checkpoint that was kept, one line proven without the
//! log, and a changed line named.
//!
//! `cargo run --example verify_log [-- --dir DIR]`
#![expect(clippy::print_stdout, reason = "what was found is the program's answer")]

use rmcp::model::{CallToolResult, ContentBlock, Tool};
use sec0::audit::{Stream, Verifier, prove, verify_dir};
use sec0::{MapRegistry, Policy, Sec0Options, Sec0SecurityLayer};
use serde_json::{Map, json};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let dir = dir_asked_for()?.unwrap_or_else(|| scratch.path().join("audit"));
    if !dir.join("checkpoint").exists() {
        write_log(&dir).await?;
    }
    let key = sec0::sign::key_file::read_public(&dir.join("keys/ed25519.pub"))?;

    let totals = verify_dir(&dir, &[key])?;
    let (records, size) = (totals.records, totals.checkpoint_size.unwrap_or_default());
    println!("holds    {records} records, {size} lines under {} checkpoints", totals.checkpoints);

    // A line that is proven needs no log any more: the proof has it, and the signed checkpoint.
    let seq = totals.first_seq.unwrap_or_default();
    let proven = prove(&dir, &Stream::default(), seq)?;
    let checkpoint = proven.proof.verify(&proven.line, &key, None)?;
    println!("proven   line {seq} of {}", checkpoint.origin());

    // What a checkpoint that was kept elsewhere is for: the log is gone, and that shows.
    let kept = fs::read(dir.join("checkpoint"))?;
    let keeper = Verifier::new(&[key])?.checkpoint("kept", &kept)?;
    keeper.verify_dir(&dir)?;
    let gone = keeper.verify_dir(&scratch.path().join("gone"));
    println!("refused  {}", gone.err().ok_or("a log that is gone cannot hold")?);

    // One word of one line, in a copy.
    let copy = scratch.path().join("changed");
    copy_log(&dir, &copy)?;
    change_a_line(&copy)?;
    let changed = verify_dir(&copy, &[key]);
    println!("refused  {}", changed.err().ok_or("a log that was changed cannot hold")?);
    Ok(())
}

async fn write_log(dir: &Path) -> Result<(), Box<dyn Error>> {
    let policy = Policy::from_yaml(
        "tenant: acme\n\
         default_retention: 30d\n\
         signing: {enabled: true}        # the key is made in the audit directory\n\
         tools: {allowlist: ['mcp://orders/read'], deny_if_unpinned_version: false}\n\
         enforcement: {deny_on: [tool_not_in_allowlist]}\n",
    )?;
    let sec0 = Sec0SecurityLayer::try_new(Sec0Options::new(policy).audit_dir(dir))?;
    let registry = MapRegistry::new("orders", "1.0.0")
        .tool(Tool::new("read", "", Map::new()), |_| async {
            CallToolResult::success(vec![ContentBlock::text("order 17: two of everything")])
        })
        .layer(sec0.clone());
    for id in 0..5 {
        registry.call("read", json!({ "id": id })).await?;
    }
    sec0.try_shutdown().await?;
    Ok(())
}

/// Makes the third call of the first file one that was denied.
fn change_a_line(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut days: Vec<_> = fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().is_ok_and(|path| path.extension() == Some("ndjson".as_ref())))
        .collect::<Result<_, _>>()?;
    days.sort();
    let day = days.first().ok_or("no day file")?;
    let mut lines: Vec<_> = fs::read_to_string(day)?.lines().map(str::to_owned).collect();
    let line = lines.get_mut(2).ok_or("the log has fewer than three lines")?;
    *line = line.replace("\"status\":\"ok\"", "\"status\":\"denied\"");
    Ok(fs::write(day, lines.join("\n") + "\n")?)
}

fn copy_log(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (entry, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            copy_log(&entry, &target)?;
        } else {
            fs::copy(entry, target)?;
        }
    }
    Ok(())
}

fn dir_asked_for() -> Result<Option<PathBuf>, Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next()) {
        (None, _) => Ok(None),
        (Some("--dir"), Some(dir)) => Ok(Some(dir.into())),
        _ => Err("usage: verify_log [--dir DIR]".into()),
    }
}
