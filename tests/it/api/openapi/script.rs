//! Requests as data (`fixtures/api/openapi.json`), with words that earlier answers have filled in.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::contract::Contract;
use crate::api::http::{Answer, send, send_to_event};
use crate::cli::house::{House, await_that};

/// One request and the status that must come back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Method and path; a path without a leading slash is the enterprise's. `${WORD}` is replaced here and in the others.
    request: String,
    json: Option<Value>,
    text: Option<String>,
    /// A body that the test has by this name.
    bytes: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A stream is read to its end: what it tells of has then ended, too.
    #[serde(default)]
    whole: bool,
    /// Without the admin's token.
    #[serde(default)]
    open: bool,
    status: u16,
    /// The word under `error`.
    error: Option<String>,
    /// Words for later steps, by where the answer has them.
    #[serde(default)]
    keep: BTreeMap<String, String>,
    /// It is asked until what the answer has there is this.
    until: Option<(String, Value)>,
}

impl Step {
    fn with_key(&self, key: Option<&str>) -> Self {
        let mut step = self.clone();
        step.headers.extend(key.map(|key| ("Idempotency-Key".to_owned(), key.to_owned())));
        step
    }
}

/// The steps of one part of the fixture, and what is known so far.
pub struct Script<'h> {
    pub house: &'h House,
    pub words: BTreeMap<String, String>,
    pub bytes: BTreeMap<&'static str, Vec<u8>>,
    pub faults: Vec<String>,
}

impl Script<'_> {
    pub fn know(&mut self, word: &str, value: impl ToString) {
        self.words.insert(word.to_owned(), value.to_string());
    }

    fn filled(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(&format!("${{{word}}}"), value))
    }

    /// Takes the steps of this part, one after the other; each answer is held to the document.
    pub fn play(&mut self, contract: &mut Contract, part: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/api/openapi.json");
        let text = std::fs::read_to_string(file).expect("the fixture");
        let mut parts: BTreeMap<String, Vec<Step>> = serde_json::from_str(&text).expect("steps");
        for (n, step) in parts.remove(part).unwrap_or_else(|| panic!("no part {part}")).iter().enumerate() {
            let makes = step.status == 201 && step.request.starts_with("POST ");
            // Whatever is made is asked for with a key, then once more, then something else is asked for with it.
            let key = makes.then(|| format!("{part}-{n}-{}", self.words.get("at").map_or(0, String::len)));
            let keyed = step.with_key(key.as_deref());
            self.take(contract, &keyed);
            if key.is_some() {
                self.take(contract, &Step { keep: BTreeMap::new(), ..keyed.clone() });
                let other = Some(serde_json::json!({"something": "else"}));
                let (status, error) = (422, Some("idempotency_key_reused".to_owned()));
                self.take(contract, &Step { json: other, status, error, keep: BTreeMap::new(), ..keyed });
            }
        }
    }

    fn take(&mut self, contract: &mut Contract, step: &Step) {
        let mut answer = self.ask(step);
        if let Some((at, wanted)) = &step.until {
            let reached = |answer: &Answer| answer.json().pointer(at) == Some(wanted);
            let mut last = String::new();
            let again = || {
                answer = self.ask(step);
                last = format!("{}", answer.json());
                reached(&answer)
            };
            await_that(&format!("{} has {wanted} at {at}", step.request), again, || self.house.log());
        }
        let request = self.filled(&step.request);
        self.judge(contract, &request, step, &answer);
        for (word, at) in &step.keep {
            let found = answer.json().pointer(at).cloned().unwrap_or_default();
            self.know(word, found.as_str().map_or_else(|| found.to_string(), str::to_owned));
        }
    }

    fn judge(&mut self, contract: &mut Contract, request: &str, step: &Step, answer: &Answer) {
        let (method, path) = parts_of(request);
        let body = || String::from_utf8_lossy(&answer.body).chars().take(300).collect::<String>();
        let other_word = step.error.as_ref().is_some_and(|word| answer.json()["error"] != word.as_str());
        if answer.status != step.status || other_word {
            self.faults.push(format!("{request}: {} instead of {}: {}", answer.status, step.status, body()));
        } else if let Err(why) = contract.check(method, &path, answer) {
            self.faults.push(format!("{request}: {why}"));
        }
    }

    fn ask(&self, step: &Step) -> Answer {
        let request = self.filled(&step.request);
        let (method, path) = parts_of(&request);
        // A number is not within quotation marks.
        let number = |text: String| text.replace("\"@port\"", &self.words["port"]);
        let json = step.json.as_ref().map(|json| number(self.filled(&json.to_string())).into_bytes());
        let text = step.text.as_ref().map(|text| self.filled(text).into_bytes());
        let named = step.bytes.as_ref().map(|name| self.bytes[name.as_str()].clone());
        let bearer = format!("Bearer {}", self.house.token());
        let given: Vec<_> = step.headers.iter().map(|(name, value)| (name, self.filled(value))).collect();
        let mut headers: Vec<(&str, &str)> =
            given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !step.open {
            headers.push(("Authorization", &bearer));
        }
        let ask = if step.whole { send } else { send_to_event };
        ask(self.house.address(), method, &path, &headers, json.or(text).or(named).as_deref())
    }
}

/// Method and whole path of `METHOD PATH`.
fn parts_of(request: &str) -> (&str, String) {
    let (method, path) = request.split_once(' ').expect("METHOD PATH");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v0/e/default/{path}") };
    (method, path)
}
