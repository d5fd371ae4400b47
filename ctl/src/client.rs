//! Requests to the server: the token in front, errors turned into sentences.

use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RANGE,
};
use reqwest::{Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shuntyard_domain::wire::api::ErrorBody;

use crate::client_error::{ClientError, Refusal, innermost};
use crate::connection::{Connection, Token, is_loopback};
use crate::terminal::plain;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For whole answers; streams have no limit of this kind.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
pub const EVENT_STREAM: &str = "text/event-stream";

/// One server, one enterprise, one token.
pub struct Client {
    http: reqwest::Client,
    connection: Connection,
}

/// A whole answer with a success status.
pub struct Answer {
    pub bytes: Vec<u8>,
    /// The server's clock, from the `Date` header.
    pub server_time: Option<SystemTime>,
}

impl Client {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// `ClientError::Setup` when https is asked for and this machine has no root certificates.
    pub fn new(connection: Connection) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .user_agent(concat!("shunt/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none());
        if connection.server.scheme() == "http" {
            // No TLS, so no root certificates: a machine without ca-certificates must do.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&connection.server) {
            builder = builder.no_proxy();
        }
        Ok(Self { http: builder.build().map_err(ClientError::Setup)?, connection })
    }

    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The address of `path` under the enterprise; segments and values are percent-encoded.
    #[must_use]
    pub fn url(&self, path: &str, query: &[(&str, String)]) -> Url {
        let mut url = self.connection.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v0", "e", &self.connection.enterprise]).extend(path.split('/'));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Reads `path` as a `T`.
    ///
    /// # Errors
    /// `ClientError`, also when the answer is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let url = self.url(path, &[]);
        parse(&url, &self.answer(Method::GET, &url, None).await?.bytes)
    }

    /// Posts `body` to `path` and reads the answer as a `T`.
    ///
    /// # Errors
    /// `ClientError`, also when the answer is not a `T`.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let url = self.url(path, &[]);
        let body = encode(&url, body)?;
        parse(&url, &self.answer(Method::POST, &url, Some(body)).await?.bytes)
    }

    /// Sends one request and reads its whole answer.
    ///
    /// # Errors
    /// `ClientError`, also for every status outside 200–299.
    pub async fn answer(&self, method: Method, url: &Url, json: Option<Vec<u8>>) -> Result<Answer, ClientError> {
        let exchange = async {
            let response = self.send(method, url, json, &[(ACCEPT, "application/json")]).await?;
            let server_time = date(response.headers());
            let bytes = response.bytes().await.map_err(|e| ClientError::Cut(innermost(&e)))?;
            Ok(Answer { bytes: bytes.into(), server_time })
        };
        tokio::time::timeout(ANSWER_LIMIT, exchange)
            .await
            .unwrap_or_else(|_| Err(self.unreachable(format!("no answer within {} s", ANSWER_LIMIT.as_secs()))))
    }

    /// Sends one request and returns the answer as soon as its head is here; `None` for an answer without a body.
    ///
    /// # Errors
    /// `ClientError`, also when the answer is not an event stream.
    pub async fn stream(
        &self,
        method: Method,
        url: &Url,
        json: Option<Vec<u8>>,
        last_event_id: Option<&str>,
    ) -> Result<Option<Response>, ClientError> {
        let mut headers = vec![(ACCEPT, EVENT_STREAM)];
        headers.extend(last_event_id.map(|id| (HeaderName::from_static("last-event-id"), id)));
        let response = self.send(method, url, json, &headers).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let found = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("no type at all");
        if found.starts_with(EVENT_STREAM) {
            return Ok(Some(response));
        }
        Err(ClientError::NotStream { path: url.path().into(), found: plain(found) })
    }

    /// Asks for `url` as raw bytes and returns the answer as soon as its head is here.
    ///
    /// # Errors
    /// `ClientError`, also for every status outside 200–299.
    pub async fn bytes(&self, url: &Url) -> Result<Response, ClientError> {
        self.send(Method::GET, url, None, &[(ACCEPT, "*/*")]).await
    }

    /// Asks for what is kept of `url` from `offset` on, as far as it goes without a gap; answers where that begins, too.
    /// `None`: there is no more.
    ///
    /// # Errors
    /// As `bytes`.
    pub async fn bytes_from(&self, url: &Url, offset: u64) -> Result<Option<(u64, Response)>, ClientError> {
        let range = format!("bytes={offset}-");
        let response = match self.send(Method::GET, url, None, &[(ACCEPT, "*/*"), (RANGE, &range)]).await {
            Err(ClientError::Refused(refusal)) if refusal.status == StatusCode::RANGE_NOT_SATISFIABLE => {
                return Ok(None);
            }
            answer => answer?,
        };
        let said = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let begins = said.strip_prefix("bytes ").and_then(|rest| rest.split_once('-')).map(|(first, _)| first.parse());
        Ok(Some((begins.and_then(Result::ok).unwrap_or(offset), response)))
    }

    /// Returns the next bytes of a streamed answer, `None` at its end.
    ///
    /// # Errors
    /// `ClientError::Cut`
    pub async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, ClientError> {
        response.chunk().await.map_err(|e| ClientError::Cut(innermost(&e)))
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        json: Option<Vec<u8>>,
        headers: &[(HeaderName, &str)],
    ) -> Result<Response, ClientError> {
        let mut request = self.http.request(method.clone(), url.clone());
        if let Some(json) = json {
            request = request.header(CONTENT_TYPE, "application/json").body(json);
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(value) = self.authorization()? {
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(|e| {
            if e.is_connect() || e.is_timeout() {
                self.unreachable(innermost(&e))
            } else {
                ClientError::Cut(innermost(&e))
            }
        })?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(&method, response).await) }
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, ClientError> {
        let Token::Known(token) = &self.connection.token else { return Ok(None) };
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| self.denied("it holds characters that no token has"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn unreachable(&self, why: String) -> ClientError {
        ClientError::Unreachable { server: self.server(), why }
    }

    fn denied(&self, why: &str) -> ClientError {
        ClientError::TokenDenied { server: self.server(), why: why.into() }
    }

    fn server(&self) -> String {
        self.connection.server.as_str().trim_end_matches('/').to_owned()
    }

    async fn refusal(&self, method: &Method, response: Response) -> ClientError {
        let (status, url) = (response.status(), response.url().clone());
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(e) => return ClientError::Cut(innermost(&e)),
        };
        let json: Option<Value> = serde_json::from_slice(&bytes).ok();
        let body = json.as_ref().and_then(|json| ErrorBody::deserialize(json).ok());
        match (status, json, body) {
            (StatusCode::UNAUTHORIZED, _, body) => match &self.connection.token {
                Token::Missing(why) => self.denied(why),
                Token::Known(_) => self.denied(match body {
                    Some(body) if body.error == "token_expired" => "it has expired",
                    _ => "it is unknown there. Name another with --token-file",
                }),
            },
            (StatusCode::FORBIDDEN, _, None) => {
                ClientError::Forbidden { method: method.to_string(), path: url.path().into() }
            }
            (_, Some(json), Some(body)) => {
                ClientError::Refused(Box::new(Refusal { status, path: url.path().into(), body, json }))
            }
            _ => not_json(&url, status, &bytes),
        }
    }
}

/// Turns a body into JSON bytes.
///
/// # Errors
/// `ClientError::UnknownShape`; our own bodies never fail.
pub fn encode(url: &Url, body: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(body).map_err(|source| ClientError::UnknownShape { path: url.path().into(), source })
}

/// Reads an answer as a `T`, telling "not JSON at all" from "JSON of another shape".
///
/// # Errors
/// `ClientError::NotJson`, `ClientError::UnknownShape`.
pub fn parse<T: DeserializeOwned>(url: &Url, bytes: &[u8]) -> Result<T, ClientError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| not_json(url, StatusCode::OK, bytes))?;
    T::deserialize(value).map_err(|source| ClientError::UnknownShape { path: url.path().into(), source })
}

fn not_json(url: &Url, status: StatusCode, bytes: &[u8]) -> ClientError {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let start: String = text.lines().next().unwrap_or_default().chars().take(60).collect();
    let start = if start.is_empty() { "empty".into() } else { format!("`{}`", plain(&start)) };
    ClientError::NotJson { url: url.to_string(), status, start }
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_built_under_the_enterprise_and_encoded() {
        let connection = |server: &str| Connection {
            server: Url::parse(server).unwrap(),
            enterprise: "default".into(),
            token: Token::Missing(String::new()),
        };
        let client = Client::new(connection("http://127.0.0.1:1/")).unwrap();
        assert_eq!(client.url("jobs/7/log", &[]).as_str(), "http://127.0.0.1:1/api/v0/e/default/jobs/7/log");
        assert_eq!(
            client.url("runners/a b", &[("state", "x&y".into())]).as_str(),
            "http://127.0.0.1:1/api/v0/e/default/runners/a%20b?state=x%26y"
        );
        let below = Client::new(connection("http://h/shunt/")).unwrap();
        assert_eq!(below.url("jobs", &[]).as_str(), "http://h/shunt/api/v0/e/default/jobs");
    }

    #[test]
    fn an_answer_that_is_not_json_is_told_from_one_of_another_shape() {
        let url = Url::parse("http://h/jobs").unwrap();
        let not_json = parse::<Vec<u8>>(&url, b"<html>\nx").unwrap_err().to_string();
        assert!(not_json.contains("not JSON (`<html>`)"), "{not_json}");
        assert!(matches!(parse::<Vec<u8>>(&url, b"{}"), Err(ClientError::UnknownShape { .. })));
    }
}
