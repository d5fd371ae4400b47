//! Asking the server to make something, once: also when the connection is cut before the answer is here.

use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderName};
use reqwest::{Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shuntyard_domain::wire::idempotency::{KEY_HEADER, UNDER_WAY};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Answer, Client, encode, parse};
use crate::client_error::ClientError;
use crate::terminal::note;

/// For how long a request that was cut is repeated: a restart of the server takes a second or two.
const REPEATED_FOR: Duration = Duration::from_secs(45);
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MOST: Duration = Duration::from_secs(4);
const ACCEPT_JSON: (HeaderName, &str) = (ACCEPT, "application/json");

/// What a repeated answer says of a secret.
#[derive(Deserialize)]
struct Repeated {
    #[serde(default)]
    secret_withheld: bool,
    name: Option<String>,
}

impl Client {
    /// Posts `body` to `path`, which makes something, and reads the answer as a `T`.
    ///
    /// # Errors
    /// As `create_answer`, also when the answer is not a `T`.
    pub async fn create<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let url = self.url(path, &[]);
        parse(&url, &self.create_answer(&url, encode(&url, body)?).await?.bytes)
    }

    /// Posts `json` with a fresh key. When the connection is cut it is sent again with the same key, for 45 s at most: the
    /// server makes it once.
    ///
    /// # Errors
    /// `ClientError`, also for every status outside 200–299; `SecretLost` when it was made, and the answer that held its
    /// secret did not arrive.
    pub async fn create_answer(&self, url: &Url, json: Vec<u8>) -> Result<Answer, ClientError> {
        let mut key = RequestKey::fresh();
        loop {
            match self.whole(Method::POST, url, Some(json.clone()), &[ACCEPT_JSON, key.header()]).await {
                Ok(answer) => return not_withheld(answer),
                Err(error) => key.again(error).await?,
            }
        }
    }

    /// As `create_answer`, for a POST of any kind: the answer is given as soon as its head is here.
    ///
    /// # Errors
    /// `ClientError`, also for every status outside 200–299.
    pub async fn post_once(&self, url: &Url, json: Option<Vec<u8>>) -> Result<Response, ClientError> {
        let mut key = RequestKey::fresh();
        loop {
            let headers = [(ACCEPT, "application/json, */*;q=0.5"), key.header()];
            match self.in_time(self.send(Method::POST, url, json.clone(), &headers)).await {
                Ok(response) => return Ok(response),
                Err(error) => key.again(error).await?,
            }
        }
    }
}

/// The key of one request, and how long it is sent again.
pub struct RequestKey {
    key: String,
    until: Option<Instant>,
    pause: Duration,
}

impl RequestKey {
    #[must_use]
    pub fn fresh() -> Self {
        Self { key: Uuid::new_v4().to_string(), until: None, pause: PAUSE_FIRST }
    }

    /// The header that carries it.
    #[must_use]
    pub fn header(&self) -> (HeaderName, &str) {
        (HeaderName::from_static(KEY_HEADER), &self.key)
    }

    /// Waits until the request is to be sent again.
    ///
    /// # Errors
    /// The same error, when that would not help.
    pub async fn again(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !is_worth_repeating(&error, self.until.is_some()) {
            return Err(error);
        }
        if self.until.is_none() {
            note(&format!("{error}; asking again with the same key"));
        }
        if Instant::now() + self.pause > *self.until.get_or_insert_with(|| Instant::now() + REPEATED_FOR) {
            return Err(error);
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MOST);
        Ok(())
    }
}

/// A server that was never there is told at once; one that has taken the request may be on its way back.
fn is_worth_repeating(error: &ClientError, again: bool) -> bool {
    match error {
        ClientError::Cut(_) | ClientError::TimedOut { .. } => true,
        ClientError::Refused(refusal) if refusal.body.error == UNDER_WAY => true,
        ClientError::Refused(refusal) => again && refusal.status == StatusCode::SERVICE_UNAVAILABLE,
        error => again && error.is_passing(),
    }
}

fn not_withheld(answer: Answer) -> Result<Answer, ClientError> {
    match serde_json::from_slice(&answer.bytes) {
        Ok(Repeated { secret_withheld: true, name }) => Err(ClientError::SecretLost { name: name.unwrap_or_default() }),
        _ => Ok(answer),
    }
}
