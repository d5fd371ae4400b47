//! The API without `shunt`: quick to ask, and no fault of the test when nobody answers.

use serde_json::Value;

use crate::api::http::{Answer, try_request};
use crate::cli::house::House;

/// Where the dispatcher of a house listens; the same after each of its restarts.
#[derive(Clone)]
pub struct Api {
    address: String,
    token: String,
}

impl Api {
    pub fn of(house: &House) -> Self {
        Self { address: house.address().to_owned(), token: house.token() }
    }

    /// The answer, `None` when the dispatcher is away or was killed before it had answered.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let path = format!("/api/v0/e/default/{path}");
        let body = body.map(Value::to_string);
        try_request(&self.address, method, &path, Some(&self.token), body.as_deref().map(str::as_bytes)).ok()
    }

    /// What `GET` answers; `null` for anything but a whole 200.
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).filter(|answer| answer.status == 200).map_or(Value::Null, |answer| answer.json())
    }

    /// Queues a script for one runner, or any; the job's id when it was acknowledged.
    pub fn submit(&self, title: &str, runner: Option<&str>, script: &str) -> Option<String> {
        let filter = runner.map_or_else(|| serde_json::json!({}), |name| serde_json::json!({"hostname": [name]}));
        let body = serde_json::json!({"title": title, "script": script, "filter": filter});
        let answer = self.call("POST", "jobs", Some(&body))?;
        assert!(matches!(answer.status, 200..=299 | 503), "{answer:?}");
        answer.json()["id"].as_str().map(str::to_owned)
    }

    pub fn job(&self, id: &str) -> Value {
        self.get(&format!("jobs/{id}"))
    }

    /// Bytes of output that are stored.
    pub fn log_bytes(&self, id: &str) -> u64 {
        self.job(id)["log_bytes"].as_u64().unwrap_or_default()
    }

    pub fn log(&self, id: &str) -> Vec<u8> {
        self.call("GET", &format!("jobs/{id}/log"), None).expect("the log").body
    }

    /// Status, since when, and why.
    pub fn contact(&self, hostname: &str) -> Value {
        self.get(&format!("runners/{hostname}"))["contact"].clone()
    }
}
