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
    let routes: BTreeSet<(String, String)> = all.iter().map(|of| (of.method.to_string(), of.path.to_owned())).collect();
    assert_eq!((names.len(), routes.len()), (all.len(), all.len()));
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
