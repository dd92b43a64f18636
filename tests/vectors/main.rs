//! Other people's test vectors: `SEC0_TESTDATA=<folder> cargo test --test vectors`.
//!
//! Each test knows one subfolder and takes its files by pattern. What is missing is named and left
//! out; what is not known is ignored. Without the variable everything is left out.

#![cfg(test)]

mod ed25519;
mod jcs;
mod json;
mod mcp;
mod merkle;
mod signed_note;
mod strings;
mod tlog_tiles;
mod tracecontext;
mod wire;
mod yaml;

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// One subfolder of the folder of vectors.
struct Folder(PathBuf);

impl Folder {
    /// The subfolder `name`, when it is there.
    fn find(name: &str) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "the vectors lie outside the project")]
        let Ok(root) = std::env::var("SEC0_TESTDATA") else {
            left_out(&format!("SEC0_TESTDATA is not set: the vectors in {name}/ are left out"));
            return None;
        };
        let folder = Path::new(&root).join(name);
        if folder.is_dir() {
            return Some(Self(folder));
        }
        left_out(&format!("{} is missing: its vectors are left out", folder.display()));
        None
    }

    /// The files `<under>/<start>*<end>`, sorted; `under` may be empty.
    fn files(&self, under: &str, start: &str, end: &str) -> Vec<PathBuf> {
        let folder = self.0.join(under);
        let mut files: Vec<PathBuf> = match fs::read_dir(&folder) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        };
        files.retain(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(start) && name.ends_with(end)
        });
        files.sort();
        if files.is_empty() {
            left_out(&format!("{}/{start}*{end} is missing: it is left out", folder.display()));
        }
        files
    }

    /// The file `<under>/<stem of path>.<extension>`, when it is there.
    fn beside(&self, path: &Path, under: &str, extension: &str) -> Option<Vec<u8>> {
        let name = Path::new(path.file_stem().unwrap()).with_extension(extension);
        let wanted = self.0.join(under).join(name);
        if !wanted.is_file() {
            left_out(&format!("{} is missing: it is left out", wanted.display()));
            return None;
        }
        Some(fs::read(wanted).unwrap())
    }
}

/// Says it past the test harness, which keeps the words of a test that passes to itself.
fn left_out(what: &str) {
    writeln!(std::io::stderr(), "{what}").unwrap();
}

/// Says what was tried.
fn tried(what: &str) {
    left_out(what);
}

/// The objects of a file that has one a line.
fn rows(path: &Path) -> Vec<Value> {
    let read = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    fs::read_to_string(path).unwrap().lines().map(read).collect()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no text `{name}` in {value}"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
