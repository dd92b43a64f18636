//! An operator takes its value or says what is wrong with it, and reads every argument in bounded
//! time; a glob matches exactly what its definition does.
//!
//! Input: an operator (one byte), and lines: its value as JSON or as it stands, and arguments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sec0::policy::{Glob, OpName, Operator, Reading};
use serde_json::Value;

fuzz_target!(|input: (u8, &str)| {
    let (op, text) = input;
    let op = OpName::ALL[usize::from(op) % OpName::ALL.len()];
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line));
    let value = read(first);
    match Operator::read(op, Some(&value)) {
        Ok(operator) => {
            let nothing = operator.holds_value(None);
            assert_ne!(nothing, Reading::Unreadable);
            assert!(nothing == Reading::Unmet || op == OpName::Exists);
            for line in lines.clone() {
                let argument = read(line);
                let reading = operator.holds_value(Some(&argument));
                assert_eq!(reading, operator.holds_value(Some(&argument)));
                opposite(op, &value, &argument, reading);
            }
        }
        Err(fault) => {
            assert!(fault.len() < 1024, "{fault}");
            assert!(!fault.chars().any(char::is_control), "{fault:?}");
        }
    }
    if let Ok(glob) = Glob::parse(first) {
        for line in lines.filter(|line| line.len() < 256) {
            assert_eq!(glob.matches(line), defined(first, line), "{first:?} {line:?}");
        }
    }
});

/// `ne` is what `eq` is not, and so on; what the one cannot read the other cannot.
fn opposite(op: OpName, value: &Value, argument: &Value, reading: Reading) {
    let other = match op {
        OpName::Eq => OpName::Ne,
        OpName::In => OpName::NotIn,
        OpName::Gt => OpName::Le,
        OpName::Ge => OpName::Lt,
        OpName::LenGt => OpName::LenLe,
        _ => return,
    };
    let other = Operator::read(other, Some(value)).expect("the same value suits it");
    let expected = match reading {
        Reading::Met => Reading::Unmet,
        Reading::Unmet => Reading::Met,
        Reading::Unreadable => Reading::Unreadable,
    };
    assert_eq!(other.holds_value(Some(argument)), expected);
}

/// The definition of a glob: which beginnings of the pattern fit which beginnings of the text.
fn defined(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        let mut next = vec![false; text.len() + 1];
        match letter {
            '*' => {
                let mut any = false;
                for (next, fits) in next.iter_mut().zip(&fits) {
                    any |= fits;
                    *next = any;
                }
            }
            letter => {
                let literal = if letter == '\\' { letters.next() } else { Some(letter) };
                for (at, found) in text.iter().enumerate() {
                    let is = letter == '?' || literal == Some(*found);
                    next[at + 1] = fits[at] && is;
                }
            }
        }
        fits = next;
    }
    fits[text.len()]
}
