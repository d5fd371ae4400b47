//! JSON Schemas of the wire types, as the server reads them and as it writes them.
//!
//! The two may differ: a key that may be left out of a request is always there in an answer. A type whose two schemas are
//! the same is one component; the schema of a request that is another one is called `…Input`.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// How a type says its schema; named types become components.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

const AT: &str = "#/components/schemas/";

/// Collects the schemas of a document.
pub(super) struct Schemas {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        let (read, written) = (settings().for_deserialize(), settings().for_serialize());
        Self { read: read.into_generator(), written: written.into_generator() }
    }

    /// What a request holds.
    pub(super) fn read(&mut self, shape: Shape) -> Value {
        finished(shape(&mut self.read))
    }

    /// What an answer holds.
    pub(super) fn written(&mut self, shape: Shape) -> Value {
        finished(shape(&mut self.written))
    }

    /// The components, and the names of those that are another one in requests.
    pub(super) fn into_components(mut self) -> (Map<String, Value>, BTreeSet<String>) {
        let read = self.read.take_definitions(true);
        let mut components = self.written.take_definitions(true);
        components.values_mut().for_each(finish);
        let read: Map<String, Value> = read.into_iter().map(|(name, schema)| (name, with_times(schema))).collect();
        let other = differing(&read, &components);
        for (name, mut schema) in read {
            rename(&mut schema, &other);
            let name = if other.contains(&name) { input(&name) } else { name };
            components.insert(name, schema);
        }
        (components, other)
    }
}

fn finished(schema: Schema) -> Value {
    with_times(schema.to_value())
}

fn with_times(mut schema: Value) -> Value {
    finish(&mut schema);
    schema
}

/// The names whose schemas in requests and in answers differ, also by what they refer to.
fn differing(read: &Map<String, Value>, written: &Map<String, Value>) -> BTreeSet<String> {
    let both = || read.iter().filter_map(|(name, schema)| Some((name, schema, written.get(name)?)));
    let mut other: BTreeSet<String> = both().filter(|(_, a, b)| a != b).map(|(name, ..)| name.clone()).collect();
    loop {
        let leads = |schema: &Value| other.iter().any(|name| refers_to(schema, name));
        let more: Vec<String> =
            both().filter(|(name, a, _)| !other.contains(*name) && leads(a)).map(|(name, ..)| name.clone()).collect();
        if more.is_empty() {
            return other;
        }
        other.extend(more);
    }
}

fn refers_to(schema: &Value, name: &str) -> bool {
    match schema {
        Value::Object(keys) => keys.iter().any(|(key, value)| {
            (key == "$ref" && value.as_str().and_then(|at| at.strip_prefix(AT)) == Some(name)) || refers_to(value, name)
        }),
        Value::Array(values) => values.iter().any(|value| refers_to(value, name)),
        _ => false,
    }
}

fn input(name: &str) -> String {
    format!("{name}Input")
}

/// Lets references to any of `names` lead to what requests hold.
pub(super) fn rename(schema: &mut Value, names: &BTreeSet<String>) {
    match schema {
        Value::Object(keys) => {
            for (key, value) in keys {
                match value.as_str().filter(|_| key == "$ref").and_then(|at| at.strip_prefix(AT)) {
                    Some(name) if names.contains(name) => *value = format!("{AT}{}", input(name)).into(),
                    _ => rename(value, names),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, names)),
        _ => {}
    }
}

/// Says of every time that it is one: keys of ours that end in `_at`, and `at` and `since`, are RFC 3339. Chef's
/// `submit_at` is not.
fn finish(schema: &mut Value) {
    let Ok(schema) = <&mut Schema>::try_from(schema) else { return };
    RecursiveTransform(|schema: &mut Schema| {
        let Some(keys) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
        for (name, value) in keys {
            let is_time = name == "at" || name == "since" || (name.ends_with("_at") && name != "submit_at");
            let Some(value) = value.as_object_mut().filter(|_| is_time) else { continue };
            let is_text = match value.get("type") {
                Some(Value::String(word)) => word == "string",
                Some(Value::Array(words)) => words.iter().any(|word| word == "string"),
                _ => false,
            };
            if is_text {
                value.insert("format".into(), "date-time".into());
            }
        }
    })
    .transform(schema);
}
