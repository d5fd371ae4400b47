//! Lists that are longer than one page of the API.

use std::collections::HashSet;
use std::time::SystemTime;

use reqwest::{Method, Url};
use serde_json::Value;

use crate::client::{Client, parse};
use crate::client_error::ClientError;

/// Objects on one page of the API, at most.
const PAGE: u32 = 500;

/// Objects as the server sent them, newest first.
#[derive(Debug)]
pub struct Listed {
    pub items: Vec<Value>,
    /// The server has others that were not asked for.
    pub more: bool,
    pub server_time: Option<SystemTime>,
}

/// Reads the newest `limit` objects of a list that `query` asks for, page by page.
///
/// # Errors
/// `ClientError`
pub async fn newest(client: &Client, list: &str, query: &[(&str, String)], limit: u32) -> Result<Listed, ClientError> {
    // One more than is shown tells whether there are others.
    let page = limit.saturating_add(1).min(PAGE).to_string();
    let mut next: Option<Url> = Some(client.url(list, &[query, &[("limit", page)]].concat()));
    let mut list = Listed { items: Vec::new(), more: false, server_time: None };
    while let Some(url) = next.take().filter(|_| !list.more) {
        let answer = client.answer(Method::GET, &url, None).await?;
        let items: Vec<Value> = parse(&url, &answer.bytes)?;
        next = answer.next.filter(|_| !items.is_empty());
        list.server_time = answer.server_time;
        list.items.extend(items);
        list.more = list.items.len() > limit as usize;
    }
    list.items.truncate(limit as usize);
    Ok(list)
}

impl Listed {
    /// Puts `first` in front; what is behind the `limit` then goes.
    pub fn put_first(&mut self, first: Vec<Value>, limit: u32) {
        let known: HashSet<String> = first.iter().map(|job| job["id"].to_string()).collect();
        let others = std::mem::replace(&mut self.items, first);
        self.items.extend(others.into_iter().filter(|job| !known.contains(&job["id"].to_string())));
        self.items.truncate(limit as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_first_is_there_once_and_within_the_limit() {
        let job = |id: u32, state: &str| serde_json::json!({"id": id, "state": state});
        let jobs = vec![job(9, "queued"), job(8, "queued"), job(7, "queued")];
        let mut list = Listed { items: jobs, more: true, server_time: None };
        list.put_first(vec![job(8, "running"), job(1, "running")], 3);
        assert_eq!(list.items, [job(8, "running"), job(1, "running"), job(9, "queued")]);
    }
}
