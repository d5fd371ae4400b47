//! Puts the document together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shuntyard_domain::access::Role;
use shuntyard_domain::wire::api::ErrorBody;

use super::operation::{Content, Operation, of};
use super::parameters;
use super::schemas::{Schemas, Shape, rename};
use crate::http::access::{Declared, Needs};
use crate::http::error::words::ErrorWord;

const ABOUT: &str = "Everything that `shunt` and the pages do goes through this API. It is Chef Automate Workflow's tree \
with keys and routes of ours beside; the same tree is served below `/workflow/api/v0/e/{enterprise}`.\n\n\
Every route but those that are marked as open needs a token: `Authorization: Bearer TOKEN`, or as Chef's clients send it. \
A key of a query or a body that a route does not know is refused. Times are RFC 3339 in UTC but for Chef's own keys. Lists \
that come in pages carry `Link: <…>; rel=\"next\"` behind a full page.\n\n\
Besides the errors that an operation names, any may be answered with `method_not_allowed` (405), `too_slow` (408), `raced` or `idempotency_key_in_use` (409), `gone` (410), `too_many_requests` (429), \
`internal_error` (500), `step_failed` or `runner_unreachable` (502), `too_many_connections` (503), `store_full` or `disk_full` (507).";

/// Builds the document of these operations; `routes` say what each of them asks for.
pub(super) fn build(operations: &[Operation], routes: &[Declared]) -> Value {
    let mut schemas = Schemas::new();
    let error = schemas.written(of::<ErrorBody>);
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut requests = Vec::new();
    for operation in operations {
        let body = operation.takes.map(|takes| content(takes, &mut schemas, Schemas::read));
        let method = operation.method.as_str().to_ascii_lowercase();
        let mut said = about(operation, route_of(operation, routes), &error, &mut schemas);
        if let Some(body) = body {
            said["requestBody"] = json!({"required": true, "content": body});
            requests.push((operation.whole_path(), method.clone()));
        }
        paths.entry(operation.whole_path()).or_default().insert(method, said);
    }
    let (components, other) = schemas.into_components();
    let mut paths = json!(paths);
    for (path, method) in requests {
        rename(&mut paths[&path][&method]["requestBody"], &other);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Shuntyard", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": groups(operations),
        "security": [{"bearer": []}, {"chef": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": refusals(operations, routes, &error),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "chef": {
                    "type": "apiKey", "in": "header", "name": "chef-delivery-token",
                    "description": "Chef's clients; as a cookie or in the query, too.",
                },
            },
        },
    })
}

/// How the operation's route is declared; a test makes sure that there is one.
fn route_of<'r>(operation: &Operation, routes: &'r [Declared]) -> &'r Declared {
    const NONE: &Declared = &Declared { method: "", path: String::new(), needs: Needs::Token };
    let same = |route: &&Declared| route.method == operation.method.as_str() && route.path == operation.path;
    routes.iter().find(same).unwrap_or(NONE)
}

fn words(roles: &[Role]) -> Vec<&'static str> {
    roles.iter().map(|role| role.as_str()).collect()
}

fn groups(operations: &[Operation]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    operations.iter().filter(|of| seen.insert(of.group)).map(|of| json!({"name": of.group})).collect()
}

/// All of an operation but the body of its request.
fn about(operation: &Operation, route: &Declared, error: &Value, schemas: &mut Schemas) -> Value {
    let mut said = json!({
        "operationId": operation.id,
        "tags": [operation.group],
        "summary": operation.summary,
        "parameters": parameters::of_operation(operation, schemas),
        "responses": responses(operation, route, error, schemas),
    });
    let who = match route.needs {
        Needs::Nothing => "Open: needs no token.".to_owned(),
        Needs::Token => "Any valid token will do.".to_owned(),
        Needs::Role(roles, _) => format!("Roles: {}.", words(roles).join(", ")),
    };
    said["description"] = operation.note.map_or_else(|| who.clone(), |note| format!("{note} {who}")).into();
    match route.needs {
        Needs::Nothing => said["security"] = json!([]),
        Needs::Token => (),
        Needs::Role(roles, _) => said["x-roles"] = words(roles).into(),
    }
    said
}

fn responses(operation: &Operation, route: &Declared, error: &Value, schemas: &mut Schemas) -> Map<String, Value> {
    let mut responses = Map::new();
    for (status, carried) in &operation.answers {
        let answer = responses.entry(status.to_string()).or_insert_with(|| json!({"description": success(*status)}));
        let Some(carried) = carried else { continue };
        let media = content(*carried, schemas, Schemas::written);
        match answer.get_mut("content").and_then(Value::as_object_mut) {
            Some(known) => known.extend(media.as_object().cloned().unwrap_or_default()),
            None => answer["content"] = media,
        }
    }
    for (status, words) in by_status(&operation.all_errors(route)) {
        let said = match words.as_slice() {
            [word] => json!({"$ref": format!("#/components/responses/{}", word.as_str())}),
            words => refusal(words, error),
        };
        responses.insert(status.to_string(), said);
    }
    responses
}

const fn success(status: u16) -> &'static str {
    match status {
        201 => "Made.",
        204 => "Done; there is no body.",
        206 => "A part of it.",
        _ => "Well.",
    }
}

/// Media types and what they hold.
fn content(content: Content, schemas: &mut Schemas, schema: fn(&mut Schemas, Shape) -> Value) -> Value {
    match content {
        Content::Json(shape) => json!({"application/json": {"schema": schema(schemas, shape)}}),
        Content::Either(first, second) => {
            let choices = [schema(schemas, first), schema(schemas, second)];
            json!({"application/json": {"schema": {"anyOf": choices}}})
        }
        Content::Bytes(media_type) => json!({media_type: {}}),
        Content::Events(events) => {
            let data: Map<String, Value> =
                events.iter().map(|(name, shape)| ((*name).to_owned(), schema(schemas, *shape))).collect();
            json!({"text/event-stream": {"x-events": data}})
        }
    }
}

fn by_status(errors: &[ErrorWord]) -> BTreeMap<u16, Vec<ErrorWord>> {
    let mut found: BTreeMap<u16, Vec<ErrorWord>> = BTreeMap::new();
    for error in errors {
        found.entry(error.status().as_u16()).or_default().push(*error);
    }
    found
}

/// An answer with one of these words.
fn refusal(words: &[ErrorWord], error: &Value) -> Value {
    let told: Vec<String> = words.iter().map(|word| format!("`{}`: {}.", word.as_str(), word.meaning())).collect();
    if words == [ErrorWord::Forbidden] {
        // As Chef answers.
        return json!({"description": told.join(" ")});
    }
    let known: Vec<&str> = words.iter().map(|word| word.as_str()).collect();
    let schema = json!({"allOf": [error, {"properties": {"error": {"enum": known}}}]});
    json!({"description": told.join(" "), "content": {"application/json": {"schema": schema}}})
}

/// Errors that any route may answer.
const GENERAL: [ErrorWord; 14] = [
    ErrorWord::InvalidRoute,
    ErrorWord::MethodNotAllowed,
    ErrorWord::TooSlow,
    ErrorWord::KeyInUse,
    ErrorWord::Gone,
    ErrorWord::TooManyRequests,
    ErrorWord::TooManyStreams,
    ErrorWord::Raced,
    ErrorWord::InternalError,
    ErrorWord::StepFailed,
    ErrorWord::RunnerUnreachable,
    ErrorWord::TooManyConnections,
    ErrorWord::StoreFull,
    ErrorWord::DiskFull,
];

/// Every error by its word. One that stands for a second status has the name of its first.
fn refusals(operations: &[Operation], routes: &[Declared], error: &Value) -> Map<String, Value> {
    let mut words: Vec<ErrorWord> =
        operations.iter().flat_map(|of| of.all_errors(route_of(of, routes))).chain(GENERAL).collect();
    words.sort_unstable();
    words.dedup();
    let mut named = Map::new();
    for word in words {
        named.entry(word.as_str()).or_insert_with(|| refusal(&[word], error));
    }
    named
}
