//! Lists of jobs that are longer than one page of the API.

use std::collections::HashSet;
use std::time::SystemTime;

use reqwest::{Method, Url};
use serde_json::Value;

use crate::client::{Client, parse};
use crate::client_error::ClientError;

/// Jobs on one page of the API, at most.
const PAGE: u32 = 500;

/// Jobs as the server sent them, newest first.
#[derive(Debug)]
pub struct JobList {
    pub jobs: Vec<Value>,
    /// The server has others that were not asked for.
    pub more: bool,
    pub server_time: Option<SystemTime>,
}

/// Reads the newest `limit` jobs that `query` asks for, page by page.
///
/// # Errors
/// `ClientError`
pub async fn newest(client: &Client, query: &[(&str, String)], limit: u32) -> Result<JobList, ClientError> {
    // One more than is shown tells whether there are others.
    let page = limit.saturating_add(1).min(PAGE).to_string();
    let mut next: Option<Url> = Some(client.url("jobs", &[query, &[("limit", page)]].concat()));
    let mut list = JobList { jobs: Vec::new(), more: false, server_time: None };
    while let Some(url) = next.take().filter(|_| !list.more) {
        let answer = client.answer(Method::GET, &url, None).await?;
        let jobs: Vec<Value> = parse(&url, &answer.bytes)?;
        next = answer.next.filter(|_| !jobs.is_empty());
        list.server_time = answer.server_time;
        list.jobs.extend(jobs);
        list.more = list.jobs.len() > limit as usize;
    }
    list.jobs.truncate(limit as usize);
    Ok(list)
}

impl JobList {
    /// Puts `first` in front; what is behind the `limit` then goes.
    pub fn put_first(&mut self, first: Vec<Value>, limit: u32) {
        let known: HashSet<String> = first.iter().map(|job| job["id"].to_string()).collect();
        let others = std::mem::replace(&mut self.jobs, first);
        self.jobs.extend(others.into_iter().filter(|job| !known.contains(&job["id"].to_string())));
        self.jobs.truncate(limit as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_first_is_there_once_and_within_the_limit() {
        let job = |id: u32, state: &str| serde_json::json!({"id": id, "state": state});
        let jobs = vec![job(9, "queued"), job(8, "queued"), job(7, "queued")];
        let mut list = JobList { jobs, more: true, server_time: None };
        list.put_first(vec![job(8, "running"), job(1, "running")], 3);
        assert_eq!(list.jobs, [job(8, "running"), job(1, "running"), job(9, "queued")]);
    }
}
