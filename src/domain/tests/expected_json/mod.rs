//! Compares JSON with what a fixture says about it.

use serde_json::Value;

/// Tells where `found` lacks something of `expected`; objects may have more keys, all else must be equal.
pub fn difference(at: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected.iter().find_map(|(key, value)| {
            difference(&format!("{at}.{key}"), value, found.get(key).unwrap_or(&Value::String("no such key".into())))
        }),
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.find_map(|(nth, (expected, found))| difference(&format!("{at}[{nth}]"), expected, found))
        }
        _ => (expected != found).then(|| format!("{at}\n  expected {expected}\n  found    {found}")),
    }
}
