//! Pretty JSON with keys sorted, coloured on demand.

use serde_json::Value;

use crate::terminal::{paint, style};

/// Returns `value` indented by two spaces, object keys in byte order, with a line feed at the end.
///
/// The order does not depend on how serde_json keeps its maps.
#[must_use]
pub fn pretty(value: &Value, colour: bool) -> String {
    let mut text = String::new();
    write(&mut text, value, 0, colour);
    text.push('\n');
    text
}

fn write(text: &mut String, value: &Value, depth: usize, colour: bool) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            text.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                separate(text, index, depth + 1);
                text.push_str(&paint(colour, style::CYAN, &Value::from(key.as_str()).to_string()));
                text.push_str(": ");
                write(text, value, depth + 1, colour);
            }
            new_line(text, depth);
            text.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(text, index, depth + 1);
                write(text, item, depth + 1, colour);
            }
            new_line(text, depth);
            text.push(']');
        }
        Value::String(_) => text.push_str(&paint(colour, style::GREEN, &value.to_string())),
        Value::Null => text.push_str(&paint(colour, style::DIM, "null")),
        Value::Bool(_) | Value::Number(_) => text.push_str(&paint(colour, style::YELLOW, &value.to_string())),
        Value::Object(_) => text.push_str("{}"),
        Value::Array(_) => text.push_str("[]"),
    }
}

fn separate(text: &mut String, index: usize, depth: usize) {
    if index > 0 {
        text.push(',');
    }
    new_line(text, depth);
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_depth_and_empty_values_stay_short() {
        let value = json!({"b": [1, {"z": null, "a": true}], "a": {}, "c": [], "B": "x\n\"y\""});
        let expected = "{\n  \"B\": \"x\\n\\\"y\\\"\",\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"a\": true,\n      \
                        \"z\": null\n    }\n  ],\n  \"c\": []\n}\n";
        assert_eq!(pretty(&value, false), expected);
    }

    #[test]
    fn colour_changes_nothing_but_the_escapes() {
        let value = json!({"id": 7, "name": "u1", "on": false, "none": null});
        let coloured = pretty(&value, true);
        assert!(coloured.contains("\x1b[32m\"u1\"\x1b[0m"));
        let mut stripped = coloured;
        for code in ["\x1b[0m", "\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[36m"] {
            stripped = stripped.replace(code, "");
        }
        assert_eq!(stripped, pretty(&value, false));
    }
}
