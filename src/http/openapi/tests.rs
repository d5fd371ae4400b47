//! The document against the code beside it.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;

use super::{document, operations, routes};
use crate::http::query::keys_of;

/// Every schema of the document that stands under a key of its own or in a list.
fn each(value: &Value, visit: &mut impl FnMut(&Value)) {
    visit(value);
    match value {
        Value::Object(keys) => keys.values().for_each(|value| each(value, visit)),
        Value::Array(values) => values.iter().for_each(|value| each(value, visit)),
        _ => {}
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let mut seen = 0;
    each(document(), &mut |value| {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return };
        let at = reference.strip_prefix('#').unwrap();
        assert!(document().pointer(at).is_some(), "{reference}");
        seen += 1;
    });
    assert!(seen > 100, "{seen}");
}

/// `UPDATE_OPENAPI=1 cargo test --lib openapi` writes it anew.
#[test]
fn the_document_in_docs_is_the_one_that_is_served() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let text = format!("{:#}\n", document());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(kept, now)| kept != now);
    assert!(kept == text, "docs/openapi.json is of another API, from {differs:?} on; UPDATE_OPENAPI=1 writes it anew");
}

#[test]
fn an_operation_has_a_name_of_its_own() {
    let all = operations::all();
    let names: BTreeSet<&str> = all.iter().map(|of| of.id).collect();
    assert_eq!(names.len(), all.len());
}

#[test]
fn every_route_is_documented_and_nothing_else_is() {
    let name = |method: &str, path: &str| format!("{method} {path}");
    let said: Vec<String> = operations::all().iter().map(|of| name(of.method.as_str(), of.path)).collect();
    let routed: BTreeSet<String> = routes().iter().map(|route| name(route.method, &route.path)).collect();
    let documented: BTreeSet<String> = said.iter().cloned().collect();
    assert_eq!(said.len(), documented.len(), "an operation stands there twice");
    let missing: Vec<_> = routed.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&routed).collect();
    let hint = "src/http/openapi/operations/ says what each route takes and answers";
    assert!(missing.is_empty() && gone.is_empty(), "not documented: {missing:?}; no route: {gone:?}; {hint}");
}

#[test]
fn the_document_says_which_roles_a_route_asks_for() {
    let said = &document()["paths"]["/api/v0/e/{enterprise}/changes/{id}/merge"]["post"];
    assert_eq!(said["x-roles"], serde_json::json!(["admin", "reviewer"]));
    assert_eq!(document()["paths"]["/healthz"]["get"]["security"], serde_json::json!([]));
}

#[test]
fn the_keys_of_a_query_are_those_that_its_route_reads() {
    for operation in operations::all().iter() {
        let path = operation.whole_path();
        let method = operation.method.as_str().to_lowercase();
        let said = document()["paths"][&path][&method]["parameters"].as_array().unwrap().clone();
        let said: BTreeSet<&str> =
            said.iter().filter(|key| key["in"] == "query").map(|key| key["name"].as_str().unwrap()).collect();
        let known = keys_of(&Method::from_bytes(operation.method.as_str().as_bytes()).unwrap(), operation.path);
        assert_eq!(said, known.iter().copied().collect(), "{}", operation.id);
    }
}
