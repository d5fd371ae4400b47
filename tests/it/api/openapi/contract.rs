//! The document that a server shows, and what its answers have to be by it.

use std::collections::BTreeSet;

use boon::{Compiler, Schemas};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::api::http::{Answer, request};

/// What the validator calls the document.
const DOCUMENT: &str = "http://127.0.0.1/openapi.json";
/// What a JSON pointer in the fragment of a URL cannot hold as it is.
const IN_FRAGMENTS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'~').remove(b'_').remove(b'-').remove(b'.');

/// A key as a part of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A documented operation.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: String,
    /// As the document writes it: `/api/v0/e/{enterprise}/jobs/{id}`.
    pub path: String,
    pub said: Value,
}

impl Operation {
    pub fn name(&self) -> &str {
        self.said["operationId"].as_str().expect("a name")
    }

    /// Whether this is the path of a request to it, and how many of its words are the document's own.
    fn matches(&self, path: &str) -> Option<usize> {
        let (mut mine, mut given) = (self.path.split('/'), path.split('/'));
        let mut fixed = 0;
        loop {
            match (mine.next(), given.next()) {
                (None, None) => return Some(fixed),
                // The rest of a path, slashes included.
                (Some("{path}"), Some(_)) => return Some(fixed),
                (Some(word), Some(other)) if word.starts_with('{') && !other.is_empty() => (),
                (Some(word), Some(other)) if word == other => fixed += 1,
                _ => return None,
            }
        }
    }

    pub fn statuses(&self) -> impl Iterator<Item = u16> {
        self.said["responses"].as_object().expect("answers").keys().map(|status| status.parse().expect("a status"))
    }
}

/// What was asked and answered so far.
pub struct Contract {
    document: Value,
    compiler: Compiler,
    schemas: Schemas,
    pub operations: Vec<Operation>,
    produced: BTreeSet<(String, u16)>,
}

impl Contract {
    /// Reads the document of a server.
    pub fn of(address: &str) -> Self {
        let document = request(address, "GET", "/api/openapi.json", None, None).json();
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, said) in methods.as_object().expect("methods") {
                let (method, path) = (method.to_uppercase(), path.clone());
                operations.push(Operation { method, path, said: said.clone() });
            }
        }
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(DOCUMENT, document.clone()).expect("a document");
        Self { document, compiler, schemas: Schemas::new(), operations, produced: BTreeSet::new() }
    }

    /// The operation that a request asks for; what is written out counts more than a word in braces.
    fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        let path = path.split('?').next().unwrap_or(path);
        let fits = |of: &&Operation| of.method == method;
        self.operations
            .iter()
            .filter(fits)
            .filter_map(|of| Some((of.matches(path)?, of)))
            .max_by_key(|(n, _)| *n)
            .map(|(_, of)| of)
    }

    /// Holds an answer to the document.
    ///
    /// # Errors
    /// What is otherwise than it says.
    pub fn check(&mut self, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
        let operation = self.find(method, path).ok_or("no such operation")?.clone();
        let (name, status) = (operation.name().to_owned(), answer.status);
        let at = format!("/paths/{}/{}/responses/{status}", escaped(&operation.path), method.to_lowercase());
        let at = self.resolved(at);
        let said = self.document.pointer(&at).ok_or_else(|| format!("{name} says nothing of {status}"))?;
        match (said["content"].as_object(), answer.body.is_empty()) {
            (None, true) => (),
            (None, false) => return Err(format!("{name} {status} has a body")),
            (Some(media), _) => {
                let given = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
                media.get(given).ok_or_else(|| format!("{name} {status} is `{given}`"))?;
                self.check_content(&format!("{at}/content/{}", escaped(given)), answer)
                    .map_err(|why| format!("{name} {status}: {why}"))?;
            }
        }
        self.produced.insert((name, status));
        Ok(())
    }

    /// Where an answer is described: itself, or where it refers to.
    fn resolved(&self, at: String) -> String {
        let said = self.document.pointer(&at).unwrap_or(&Value::Null);
        said["$ref"].as_str().map_or(at, |there| there.trim_start_matches('#').to_owned())
    }

    fn check_content(&mut self, at: &str, answer: &Answer) -> Result<(), String> {
        let media = self.document.pointer(at).cloned().unwrap_or_default();
        if let Some(events) = media["x-events"].as_object() {
            let text = String::from_utf8_lossy(&answer.body);
            let after = |key: &str| text.split_once(key).and_then(|(_, rest)| rest.lines().next()).map(str::trim);
            let name = after("event:").ok_or("no event")?;
            events.get(name).ok_or_else(|| format!("the event `{name}` is not documented"))?;
            let data = after("data:").and_then(|data| serde_json::from_str(data).ok()).ok_or("no data")?;
            return self.check_value(&format!("{at}/x-events/{name}"), &data);
        }
        if media.get("schema").is_none() {
            return Ok(());
        }
        let body = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        self.check_value(&format!("{at}/schema"), &body)
    }

    fn check_value(&mut self, at: &str, value: &Value) -> Result<(), String> {
        let place = format!("{DOCUMENT}#{}", utf8_percent_encode(at, IN_FRAGMENTS));
        let schema = self.compiler.compile(&place, &mut self.schemas).unwrap_or_else(|error| panic!("{at}: {error:#}"));
        self.schemas.validate(value, schema).map_err(|error| format!("{error:#}\nin {value}"))
    }

    /// What is documented and was never answered: `OPERATION STATUS`.
    pub fn never_produced(&self) -> Vec<String> {
        let pairs =
            self.operations.iter().flat_map(|of| of.statuses().map(move |status| (of.name().to_owned(), status)));
        pairs.filter(|pair| !self.produced.contains(pair)).map(|(name, status)| format!("{name} {status}")).collect()
    }
}
