use super::{Folder, left_out, rows, text, tried};
use sec0::digest::Digest;
use sec0::tlog::{verify_consistency, verify_inclusion};
use serde_json::Value;

#[test]
fn merkle() {
    let Some(folder) = Folder::find("merkle") else { return };
    for path in folder.files("", "", ".jsonl") {
        let mut judged = 0;
        let mut other_kinds = 0;
        for row in rows(&path) {
            let case = &row["case"];
            let Some(is_accepted) = verdict(text(&row, "kind"), case) else {
                other_kinds += 1;
                continue;
            };
            let is_wanted = case["wantErr"] == Value::Bool(false);
            assert_eq!(is_accepted, is_wanted, "{}: {row}", path.display());
            judged += 1;
        }
        tried(&format!("{}: {judged} proofs have the verdict that is given", path.display()));
        if other_kinds > 0 {
            let what = "proofs over subtrees that begin within a log have nothing to check here";
            left_out(&format!("{}: {other_kinds} {what}", path.display()));
        }
    }
}

/// Whether the proof is accepted; `None` for what sec0 has no use for.
fn verdict(kind: &str, case: &Value) -> Option<bool> {
    match kind {
        "inclusion" => Some(inclusion(case, number(case, "leafIdx"), number(case, "treeSize"))),
        // A subtree is a tree of its own, where it lies as one.
        "subtreeinclusion" => {
            let [index, start, end] = ["leafIdx", "start", "end"].map(|name| number(case, name));
            let inside = is_subtree(start, end) && (start..end).contains(&index);
            Some(inside && inclusion(case, index - start, end - start))
        }
        "consistency" => Some(consistency(case, number(case, "size1"), number(case, "size2"))),
        "subtreeconsistency" if number(case, "start") == 0 => {
            let (end, size) = (number(case, "end"), number(case, "size"));
            Some(consistency(case, end, size))
        }
        _ => None,
    }
}

fn is_subtree(start: u64, end: u64) -> bool {
    start < end && start.is_multiple_of((end - start).next_power_of_two())
}

fn inclusion(case: &Value, index: u64, size: u64) -> bool {
    let read = || Some((digest(&case["leafHash"])?, proof(case)?, root(&case["root"])?));
    read().is_some_and(|(leaf, path, root)| {
        verify_inclusion(index, size, &leaf, &path, &root).is_ok()
    })
}

fn consistency(case: &Value, first: u64, second: u64) -> bool {
    let read = || Some((root(&case["root1"])?, root(&case["root2"])?, proof(case)?));
    read().is_some_and(|(one, two, proof)| {
        verify_consistency((first, &one), (second, &two), &proof).is_ok()
    })
}

fn number(case: &Value, name: &str) -> u64 {
    case[name].as_u64().unwrap_or_else(|| panic!("no number `{name}` in {case}"))
}

/// What is not 32 bytes is no digest, so the proof around it is refused where it is read.
fn digest(value: &Value) -> Option<Digest> {
    Digest::from_base64(value.as_str()?)
}

/// Some roots are words that are only ever compared; others stand for them.
fn root(value: &Value) -> Option<Digest> {
    digest(value).or_else(|| Some(Digest::of(value.as_str()?.as_bytes())))
}

fn proof(case: &Value) -> Option<Vec<Digest>> {
    case["proof"].as_array().map_or(Some(Vec::new()), |hashes| hashes.iter().map(digest).collect())
}
