//! The document as one page of HTML: no scripts, nothing from elsewhere.

use maud::{DOCTYPE, Markup, html};
use serde_json::{Map, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Renders the whole document.
pub(super) fn render(document: &Value) -> String {
    let (title, version) = (text(&document["info"]["title"]), text(&document["info"]["version"]));
    let tags: Vec<&str> = entries(&document["tags"]).map(|tag| text(&tag["name"])).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "API of " (title) }
                link rel="stylesheet" href="/api/docs/style.css";
            }
            body {
                header {
                    h1 { "API of " (title) " " (version) }
                    @for paragraph in text(&document["info"]["description"]).split("\n\n") { p { (prose(paragraph)) } }
                    p { "For programs: " a href="/api/openapi.json" { "openapi.json" } "." }
                }
                nav aria-label="Contents" { ul {
                    @for tag in &tags { li { a href=(format!("#{}", anchor(tag))) { (tag) } } }
                    li { a href="#errors" { "errors" } }
                    li { a href="#schemas" { "schemas" } }
                } }
                main {
                    @for tag in &tags { (group(tag, document)) }
                    h2 id="errors" { "errors" }
                    (answers(&document["components"]["responses"], document))
                    h2 id="schemas" { "schemas" }
                    @for (name, schema) in keys(&document["components"]["schemas"]) { (component(name, schema)) }
                }
            }
        }
    };
    page.into_string()
}

fn group(tag: &str, document: &Value) -> Markup {
    html! {
        h2 id=(anchor(tag)) { (tag) }
        @for (path, methods) in keys(&document["paths"]) {
            @for method in METHODS {
                @let operation = &methods[method];
                @if operation["tags"][0] == tag { (one(path, method, operation, document)) }
            }
        }
    }
}

fn one(path: &str, method: &str, operation: &Value, document: &Value) -> Markup {
    let id = text(&operation["operationId"]);
    html! {
        article id=(id) {
            h3 { span.method { (method.to_uppercase()) } " " code { (path) } }
            p { (prose(text(&operation["summary"]))) " " (prose(text(&operation["description"]))) }
            @if entries(&operation["parameters"]).next().is_some() {
                table {
                    thead { tr { th { "parameter" } th { "in" } th { "type" } th { "" } } }
                    tbody { @for key in entries(&operation["parameters"]) { tr {
                        td { code { (text(&key["name"])) } }
                        td { (text(&key["in"])) }
                        td { (shape(&key["schema"])) }
                        td { (prose(text(&key["description"]))) }
                    } } }
                }
            }
            @for (media, body) in keys(&operation["requestBody"]["content"]) {
                p { "Takes " code { (media) } (of(&body["schema"])) }
            }
            (answers(&operation["responses"], document))
        }
    }
}

/// Statuses, or words, with what they carry.
fn answers(responses: &Value, document: &Value) -> Markup {
    html! { dl {
        @for (status, answer) in keys(responses) {
            @let named = answer["$ref"].as_str().and_then(|at| document.pointer(at.trim_start_matches('#')));
            @let answer = named.unwrap_or(answer);
            dt { code { (status) } }
            dd {
                (prose(text(&answer["description"])))
                @for (media, body) in keys(&answer["content"]) {
                    // That errors are `ErrorBody` is said once.
                    @if body["schema"]["allOf"].is_null() {
                        " " code { (media) } (of(&body["schema"]))
                        @for (event, data) in keys(&body["x-events"]) { " " code { (event) } (of(data)) }
                    }
                }
            }
        }
    } }
}

fn component(name: &str, schema: &Value) -> Markup {
    html! {
        article id=(format!("schema-{name}")) {
            h3 { (name) }
            p { (prose(text(&schema["description"]))) }
            (inside(schema))
        }
    }
}

/// Keys, words or alternatives of a schema.
fn inside(schema: &Value) -> Markup {
    let required = |name: &str| entries(&schema["required"]).any(|word| word == name);
    html! {
        @if keys(&schema["properties"]).next().is_some() {
            table {
                thead { tr { th { "key" } th { "type" } th { "" } } }
                tbody { @for (name, key) in keys(&schema["properties"]) { tr {
                    td { code { (name) } @if !required(name) { " (optional)" } }
                    td { (shape(key)) }
                    td { (prose(text(&key["description"]))) }
                } } }
            }
        } @else if schema["oneOf"].is_null() && schema["anyOf"].is_null() {
            p { (shape(schema)) }
        }
        @for part in ["oneOf", "anyOf", "allOf"] {
            @if entries(&schema[part]).next().is_some() {
                ul { @for choice in entries(&schema[part]) { li {
                    (prose(text(&choice["description"]))) " "
                    @if choice["properties"].is_null() { (shape(choice)) } @else { (inside(choice)) }
                } } }
            }
        }
    }
}

/// `: TYPE`, unless nothing is known.
fn of(schema: &Value) -> Markup {
    html! { @if !schema.is_null() { ": " (shape(schema)) } }
}

/// A type in a few words.
fn shape(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()) {
        return html! { a href=(format!("#schema-{name}")) { (name) } };
    }
    for part in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[part].as_array() {
            return html! { @for (n, choice) in choices.iter().enumerate() { @if n > 0 { " or " } (shape(choice)) } };
        }
    }
    if !schema["const"].is_null() {
        return html! { code { (schema["const"]) } };
    }
    if let Some(words) = schema["enum"].as_array() {
        return html! { @for (n, word) in words.iter().enumerate() { @if n > 0 { ", " } code { (text(word)) } } };
    }
    let types = match &schema["type"] {
        Value::Array(words) => words.iter().map(text).collect::<Vec<_>>().join(" or "),
        word => text(word).to_owned(),
    };
    html! {
        @if types.is_empty() { "anything" } @else { (types) }
        @if !schema["format"].is_null() { " (" (text(&schema["format"])) ")" }
        @for (word, bound) in [("from", "minimum"), ("to", "maximum")] {
            @if !schema[bound].is_null() { " " (word) " " (schema[bound]) }
        }
        @if !schema["pattern"].is_null() { " " code { (text(&schema["pattern"])) } }
        @if !schema["items"].is_null() { " of " (shape(&schema["items"])) }
        @if schema["additionalProperties"].is_object() { " of " (shape(&schema["additionalProperties"])) }
    }
}

/// Text with `words` between backticks set apart.
fn prose(text: &str) -> Markup {
    html! { @for (n, part) in text.split('`').enumerate() { @if n % 2 == 1 { code { (part) } } @else { (part) } } }
}

fn anchor(tag: &str) -> String {
    tag.replace(' ', "-")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn entries(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn keys(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE).iter()
}
