use super::{Folder, json, unhex};
use serde_json::Value;
use std::fs;

#[test]
fn jcs() {
    let Some(folder) = Folder::find("jcs") else { return };
    for path in folder.files("input", "", ".json") {
        let canonical = sec0::canonical::to_vec(&json(&path)).unwrap();
        if let Some(expected) = folder.beside(&path, "output", "json") {
            let expected = expected.trim_ascii_end();
            assert_eq!(canonical, expected, "{}", path.display());
        }
        if let Some(hex) = folder.beside(&path, "outhex", "txt") {
            assert_eq!(canonical, unhex(str::from_utf8(&hex).unwrap()), "{}", path.display());
        }
        let again: Value = serde_json::from_slice(&canonical).unwrap();
        assert_eq!(sec0::canonical::to_vec(&again).unwrap(), canonical, "{}", path.display());
    }
    for path in folder.files("", "es6_numbers", "") {
        for (index, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let (bits, expected) = line.split_once(',').unwrap();
            let number = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            let written = sec0::canonical::to_vec(&number).unwrap();
            assert_eq!(written, expected.as_bytes(), "{}:{}", path.display(), index + 1);
        }
    }
}
