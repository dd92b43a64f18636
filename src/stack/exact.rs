use crate::call::Arguments;
use crate::digest::Digest;
use serde_json::Value;

/// The digest of arguments together with every whole number that it has only as the nearest double;
/// `None` where there is none, and the digest tells all arguments apart.
pub(super) fn exact(digest: [u8; 32], arguments: &Arguments) -> Option<[u8; 32]> {
    const EXACT: u64 = 1 << 53;
    let mut bytes = Vec::new();
    let mut todo: Vec<_> = arguments.values().collect();
    while let Some(value) = todo.pop() {
        match value {
            Value::Number(number) => {
                let whole = number.as_u64().or_else(|| Some(number.as_i64()?.unsigned_abs()));
                if whole.is_some_and(|whole| whole > EXACT) {
                    bytes.extend_from_slice(number.to_string().as_bytes());
                    bytes.push(b',');
                }
            }
            Value::Array(items) => todo.extend(items),
            Value::Object(map) => todo.extend(map.values()),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }
    if bytes.is_empty() {
        return None;
    }
    bytes.extend_from_slice(&digest);
    Some(*Digest::of(&bytes).as_bytes())
}
