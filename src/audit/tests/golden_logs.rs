//! The logs under `docs/spec/golden`, which other verifiers are tested against.

use super::by_hand::{By, ByHand, note};
use super::*;
use crate::digest::Digest;
use crate::tlog::{Edge, Proof, leaf_hash, origin_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const DAY_1: &str = "audit-2026-11-23.ndjson";
const DAY_2: &str = "audit-2026-11-24.ndjson";

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec/golden")
}

/// The logs being made, and what is to be said of them.
struct Golden {
    dir: tempfile::TempDir,
    verdicts: Vec<Value>,
}

impl Golden {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn holds(&mut self, name: &str, lines: u64, size: u64) {
        self.verdicts.push(json!({ "log": name, "holds": true, "lines": lines, "size": size }));
    }

    fn fails(&mut self, name: &str, first_bad: &str) {
        self.verdicts.push(json!({ "log": name, "holds": false, "first_bad": first_bad }));
    }

    /// A copy of a log, changed.
    fn broken(&mut self, name: &str, of: &str, first_bad: &str, change: impl FnOnce(&Path)) {
        let name = format!("broken/{name}");
        for (file, bytes) in files(&self.path(of)) {
            let to = self.path(&name).join(file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
        change(&self.path(&name));
        self.fails(&name, first_bad);
    }
}

/// All files below `dir`, by their paths from there.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

fn edit(dir: &Path, file: &str, change: impl FnOnce(&mut Vec<String>)) {
    let text = fs::read_to_string(dir.join(file)).unwrap();
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    change(&mut lines);
    fs::write(dir.join(file), lines.concat()).unwrap();
}

fn replace(dir: &Path, line: usize, from: &str, to: &str) {
    edit(dir, DAY_1, |lines| {
        assert!(lines[line].contains(from), "{}", lines[line]);
        lines[line] = lines[line].replacen(from, to, 1);
    });
}

/// Three lines on one day, two on the next; the first line of each day is a call.
fn two_days(log: &mut ByHand) {
    log.call(0, MORNING).event(MORNING + 1, &json!({ "event": "reload" }));
    log.event(
        MORNING + 2,
        &json!({ "event": "recovery", "recovered": true, "revived_outcomes": 1, "revived_unknown": 0 }),
    );
    log.call(1, MORNING + DAY).event(MORNING + DAY, &json!({ "event": "reload" }));
    log.checkpoint();
}

fn make() -> Golden {
    let mut golden = Golden { dir: tempfile::tempdir().unwrap(), verdicts: Vec::new() };
    whole(&mut golden);
    broken(&mut golden);
    kept_and_proofs(&mut golden);
    let keys = TestSigner::new().public_key().to_base64() + "\n";
    fs::write(golden.path("key.pub"), keys).unwrap();
    let rows: Vec<_> = golden.verdicts.iter().map(Value::to_string).collect();
    fs::write(golden.path("verdicts.jsonl"), rows.join("\n") + "\n").unwrap();
    golden
}

fn whole(golden: &mut Golden) {
    for (name, by) in [("record", By::Record), ("checkpoint", By::Checkpoint)] {
        two_days(&mut ByHand::new(&golden.path(name), by));
        golden.holds(name, 5, 5);
        let changed = format!("{name}-key-change");
        let mut log = ByHand::new(&golden.path(&changed), by);
        log.event(MORNING, &json!({ "event": "reload" })).change_key(MORNING, 8);
        log.call(1, MORNING).call(2, MORNING + DAY).checkpoint();
        golden.holds(&changed, 4, 4);
    }
    two_days(&mut ByHand::new(&golden.path("older-gone"), By::Checkpoint));
    fs::remove_file(golden.path("older-gone").join(DAY_1)).unwrap();
    golden.holds("older-gone", 2, 5);
    let mut log = ByHand::new(&golden.path("uncovered"), By::Record);
    two_days(&mut log);
    log.event(MORNING + DAY, &json!({ "event": "reload" }));
    golden.holds("uncovered", 6, 5);
    ByHand::new(&golden.path("empty"), By::Record);
    golden.holds("empty", 0, 0);
    let writer = Stream::of_writer("w-1").unwrap();
    two_days(&mut ByHand::of_writer(&golden.path("writer"), By::Record, writer));
    golden.holds("writer", 5, 5);
    let mut log = ByHand::new(&golden.path("rewritten"), By::Record);
    for _ in 0..5 {
        log.event(MORNING, &json!({ "event": "reload" }));
    }
    log.checkpoint();
    golden.holds("rewritten", 5, 5);
}

fn broken(golden: &mut Golden) {
    let at = |file: &str, line: u64| format!("{file}:{line}: ");
    let edited = ("\"executed\":true", "\"executed\":false");
    for (of, line) in [("record", 1), ("checkpoint", 2)] {
        golden.broken(&format!("{of}-changed"), of, &at(DAY_1, line), |dir| {
            replace(dir, 0, edited.0, edited.1);
        });
        golden.broken(&format!("{of}-chained-anew"), of, &at(DAY_1, 1), |dir| {
            replace(dir, 0, edited.0, edited.1);
            edit(dir, DAY_1, |lines| {
                for at in 1..lines.len() {
                    let prev = Digest::of(lines[at - 1].trim_end().as_bytes()).to_string();
                    let old = json(&lines[at])["prev_sha256"].as_str().unwrap().to_owned();
                    lines[at] = lines[at].replace(&old, &prev);
                }
            });
        });
        golden.broken(&format!("{of}-removed"), of, &at(DAY_1, 2), |dir| {
            edit(dir, DAY_1, |lines| drop(lines.remove(1)));
        });
        golden.broken(&format!("{of}-cut"), of, "checkpoint: ", |dir| {
            edit(dir, DAY_2, |lines| drop(lines.pop()));
        });
        golden.broken(&format!("{of}-torn"), of, &at(DAY_2, 2), |dir| {
            edit(dir, DAY_2, |lines| {
                lines[1].pop();
            });
        });
        golden.broken(&format!("{of}-spaces"), of, &at(DAY_1, 3), |dir| {
            replace(dir, 2, "\"seq\":", "\"seq\": ");
        });
        golden.broken(&format!("{of}-no-checkpoint"), of, "checkpoint: ", |dir| {
            fs::remove_file(dir.join("checkpoint")).unwrap();
        });
        golden.broken(&format!("{of}-no-day-checkpoint"), of, "checkpoints/2026-11-23: ", |dir| {
            fs::remove_file(dir.join("checkpoints/2026-11-23")).unwrap();
        });
        golden.broken(&format!("{of}-wrong-seam"), of, "checkpoints/2026-11-23: ", |dir| {
            fs::copy(dir.join("checkpoint"), dir.join("checkpoints/2026-11-23")).unwrap();
        });
    }
    other_checkpoints(golden);
    other_keys(golden);
}

fn other_checkpoints(golden: &mut Golden) {
    let at = |file: &str, line: u64| format!("{file}:{line}: ");
    golden.broken("older-gone-and-its-checkpoint", "older-gone", &at(DAY_2, 1), |dir| {
        fs::remove_file(dir.join("checkpoints/2026-11-23")).unwrap();
    });
    golden.broken("emptied-day", "record", &at(DAY_2, 1), |dir| {
        fs::write(dir.join(DAY_1), "").unwrap();
    });
    golden.broken("other-origin", "record", "checkpoint: ", |dir| {
        let foreign = foreign(dir, &TestSigner::new(), "acne");
        fs::write(dir.join("checkpoint"), foreign).unwrap();
    });
    golden.broken("other-key", "record", "checkpoint: ", |dir| {
        let foreign = foreign(dir, &TestSigner::from_seed(9), "acme");
        fs::write(dir.join("checkpoint"), foreign).unwrap();
    });
    let mut log = ByHand::new(&golden.path("broken/not-covered"), By::Checkpoint);
    two_days(&mut log);
    log.event(MORNING + DAY, &json!({ "event": "reload" }));
    golden.fails("broken/not-covered", &at(DAY_2, 3));
}

fn other_keys(golden: &mut Golden) {
    let at = |file: &str, line: u64| format!("{file}:{line}: ");
    golden.broken("key-change-forged", "checkpoint-key-change", &at(DAY_1, 2), |dir| {
        edit(dir, DAY_1, |lines| {
            let sig = json(&lines[1])["sig"].as_str().unwrap().to_owned();
            lines[1] = lines[1].replace(&sig, &Signature::from_bytes([9; 64]).to_string());
        });
    });
    let mut log = ByHand::new(&golden.path("broken/old-key-goes-on"), By::Record);
    log.event(MORNING, &json!({ "event": "reload" })).change_key(MORNING, 8);
    log.take_back(&TestSigner::new());
    log.event(MORNING, &json!({ "event": "reload" })).checkpoint();
    golden.fails("broken/old-key-goes-on", &at(DAY_1, 3));
}

/// A checkpoint of the lines in `dir` under another name, or by another key.
fn foreign(dir: &Path, signer: &TestSigner, tenant: &str) -> String {
    let (mut edge, mut last) = (Edge::new(), None);
    for file in [DAY_1, DAY_2] {
        for line in fs::read_to_string(dir.join(file)).unwrap().lines() {
            edge.push(leaf_hash(line.as_bytes()));
            last = Some(Digest::of(line.as_bytes()));
        }
    }
    note(signer, &origin_of(tenant, None), &edge, last)
}

fn kept_and_proofs(golden: &mut Golden) {
    fs::create_dir_all(golden.path("kept")).unwrap();
    fs::create_dir_all(golden.path("proofs")).unwrap();
    for of in ["record", "checkpoint"] {
        let kept = format!("kept/{of}");
        fs::copy(golden.path(of).join("checkpoint"), golden.path(&kept)).unwrap();
        golden
            .verdicts
            .push(json!({ "log": of, "kept": kept, "holds": true, "lines": 5, "size": 5 }));
        for (log, bad) in [("empty", "kept: "), ("rewritten", "audit-2026-11-23.ndjson:1: ")] {
            golden
                .verdicts
                .push(json!({ "log": log, "kept": kept, "holds": false, "first_bad": bad }));
        }
        for seq in [1, 4] {
            let proof = prove(&golden.path(of), &Stream::default(), seq).unwrap().proof.to_string();
            let name = format!("proofs/{of}-{seq}.tlog-proof");
            fs::write(golden.path(&name), &proof).unwrap();
            golden.verdicts.push(json!({ "proof": name, "holds": true, "seq": seq }));
            let name = format!("proofs/{of}-{seq}-moved.tlog-proof");
            let moved = proof.replace(&format!("\nindex {seq}\n"), "\nindex 0\n");
            fs::write(golden.path(&name), moved).unwrap();
            golden.verdicts.push(json!({ "proof": name, "holds": false }));
        }
    }
}

#[test]
fn the_golden_logs_are_what_this_code_makes() {
    let golden = make();
    let made = files(golden.dir.path());
    if std::env::var_os("SEC0_WRITE_GOLDEN").is_some() {
        let is_ours = home().ends_with("docs/spec/golden");
        if is_ours && home().exists() {
            fs::remove_dir_all(home()).unwrap();
        }
        for (name, bytes) in &made {
            let to = home().join(name);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
    }
    let lying = files(&home());
    assert_eq!(lying.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>());
    for (name, bytes) in made {
        assert!(lying[&name] == bytes, "{} is another one", name.display());
    }
}

#[test]
fn each_golden_log_gets_its_verdict() {
    let verdicts = fs::read_to_string(home().join("verdicts.jsonl")).unwrap();
    let mut seen = 0;
    for row in verdicts.lines().map(json) {
        seen += 1;
        if let Some(name) = row["proof"].as_str() {
            let proof = Proof::parse(&fs::read(home().join(name)).unwrap()).unwrap();
            let line = proof.extra().unwrap();
            let held = proof.verify(line, &TestSigner::new().public_key(), None);
            assert_eq!(held.is_ok(), row["holds"] == true, "{row}: {held:?}");
            continue;
        }
        for every in [false, true] {
            let mut verifier = verifier().every_signature(every);
            if let Some(kept) = row["kept"].as_str() {
                let bytes = fs::read(home().join(kept)).unwrap();
                verifier = verifier.checkpoint("kept", &bytes).unwrap();
            }
            match verifier.verify_dir(&home().join(row["log"].as_str().unwrap())) {
                Ok(totals) => {
                    assert_eq!(row["holds"], true, "{row}");
                    let found = (totals.records + totals.events, totals.checkpoint_size);
                    assert_eq!(found, (row["lines"].as_u64().unwrap(), row["size"].as_u64()));
                }
                Err(error) => {
                    let start = row["first_bad"].as_str().unwrap_or("nothing is bad");
                    assert!(error.to_string().starts_with(start), "{row}: {error}");
                }
            }
        }
    }
    assert!(seen > 30, "{seen} are not all there are");
}
