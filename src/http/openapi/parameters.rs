//! What stands in paths and queries.

use schemars::json_schema;
use serde_json::{Value, json};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::pool::name::PoolName;
use shuntyard_domain::tenancy::Name;
use uuid::Uuid;

use super::operation::{Operation, of};
use super::schemas::{Schemas, Shape};

/// The parameters of an operation, those of its path first.
pub(super) fn of_operation(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let path = operation.whole_path();
    let words = path.split(['{', '}']).skip(1).step_by(2);
    let mut parameters: Vec<Value> = words.map(|word| path_word(word, operation, schemas)).collect();
    parameters.extend(operation.query.into_iter().flat_map(|query| query_keys(query, &path, schemas)));
    parameters.extend(operation.headers.iter().map(|(name, meaning)| {
        json!({"name": name, "in": "header", "required": false, "description": meaning, "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"}})
    }));
    parameters
}

fn path_word(word: &str, operation: &Operation, schemas: &mut Schemas) -> Value {
    let (shape, meaning): (Shape, &str) = match word {
        "enterprise" => (|_| json_schema!({"type": "string", "enum": ["default"]}), "The enterprise; there is one."),
        "org" => (of::<Name>, "An organisation."),
        "project" => (of::<Name>, "A project of it."),
        "pipeline" => (of::<Name>, "A pipeline of it."),
        "hostname" => (of::<String>, "A runner, by its host name."),
        "jump_host" => (of::<Name>, "A jump host, by its name."),
        "pool" => (of::<PoolName>, "A pool, by its name."),
        "stage" => (of::<Stage>, "A stage."),
        "delivery" => (of::<Uuid>, "A delivery."),
        "path" => (of::<String>, "The file's path; its slashes are not escaped."),
        "secret" => (|_| json_schema!({"type": "string"}), "The name of a secret, as of an environment variable."),
        "user" => (of::<String>, "A user."),
        "id" => (operation.id_shape.unwrap_or(of::<String>), "Which one."),
        _ => (of::<String>, ""),
    };
    json!({"name": word, "in": "path", "required": true, "description": meaning, "schema": schemas.read(shape)})
}

/// The keys of a struct that is read from a query; its schema is to be inlined.
fn query_keys(query: Shape, path: &str, schemas: &mut Schemas) -> Vec<Value> {
    let whole = schemas.read(query);
    let required = |name: &str| whole["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    let keys = whole["properties"].as_object().into_iter().flatten();
    // What the path says is not asked for again.
    let keys = keys.filter(|(name, _)| !path.contains(&format!("{{{name}}}")));
    keys.map(|(name, schema)| {
        let mut schema = schema.clone();
        let meaning = schema.as_object_mut().and_then(|keys| keys.remove("description")).unwrap_or_default();
        without_null(&mut schema);
        let mut key = json!({"name": name, "in": "query", "required": required(name), "schema": schema});
        if meaning.is_string() {
            key["description"] = meaning;
        }
        key
    })
    .collect()
}

/// A query has no word for null: a key is there or not.
fn without_null(schema: &mut Value) {
    if let Some(words) = schema.get_mut("type").and_then(Value::as_array_mut) {
        words.retain(|word| word != "null");
        if let [word] = words.as_slice() {
            schema["type"] = word.clone();
        }
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !word.is_null());
    }
    if let Some(parts) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        parts.retain(|part| part["type"] != "null");
        if let [part] = parts.as_slice() {
            *schema = part.clone();
        }
    }
}
