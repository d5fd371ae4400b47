//! Requests to the server: the token in front, errors turned into sentences.

mod answer;
mod create;

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RANGE};
use reqwest::{Body, Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shuntyard_domain::wire::api::ErrorBody;

use crate::client_error::{ClientError, Refusal, innermost};
use crate::connection::{Connection, Token, is_loopback, shown};
use crate::terminal::plain;
use crate::trust::{Refused, Watchman};
use answer::{date, next_page, not_json, pause_of};

pub use answer::{Answer, parse, unknown_shape};
pub use create::RequestKey;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// For the pauses that a server asks for before one request is answered.
const PAUSES_LIMIT: Duration = Duration::from_secs(30);
/// For whole answers; streams have no limit of this kind.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
pub const EVENT_STREAM: &str = "text/event-stream";

/// One server, one enterprise, one token.
pub struct Client {
    http: reqwest::Client,
    connection: Connection,
    /// Who looks at the server's certificate; nobody over plain HTTP.
    watchman: Option<Watchman>,
    /// How long a whole answer, or the head of a stream, may take.
    answer_limit: Duration,
}

impl Client {
    /// Prepares a client; nothing is sent.
    ///
    /// # Errors
    /// `ClientError::Setup`, `ClientError::Tls`
    pub fn new(connection: Connection) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .user_agent(concat!("shunt/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none());
        let watchman = (connection.server.scheme() == "https").then(|| Watchman::new(&connection.trust));
        match &watchman {
            Some(watchman) => builder = builder.tls_backend_preconfigured(watchman.config()?),
            // No TLS, so no root certificates: a machine without ca-certificates must do.
            None => builder = builder.tls_certs_only([]),
        }
        if is_loopback(&connection.server) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(ClientError::Setup)?;
        Ok(Self { http, connection, watchman, answer_limit: ANSWER_LIMIT })
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

    /// As `get`, with a query.
    ///
    /// # Errors
    /// As `get`.
    pub async fn get_with<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, ClientError> {
        let url = self.url(path, query);
        parse(&url, &self.answer(Method::GET, &url, None).await?.bytes)
    }

    /// The address that the server has given; `None` when it is not the server's own: the token would go there.
    #[must_use]
    pub fn join(&self, href: &str) -> Option<Url> {
        let url = self.connection.server.join(href).ok()?;
        (url.origin() == self.connection.server.origin()).then_some(url)
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

    /// Puts raw bytes, which may be many, to `path` and reads the answer as a `T`.
    ///
    /// # Errors
    /// As `post`.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: Body) -> Result<T, ClientError> {
        let url = self.url(path, &[]);
        let request = self.http.put(url.clone()).header(CONTENT_TYPE, "application/octet-stream").body(body);
        let response = self.exchange(&Method::PUT, request).await?;
        let bytes = response.bytes().await.map_err(|e| ClientError::Cut(innermost(&e)))?;
        parse(&url, &bytes)
    }

    /// Sends one request and reads its whole answer.
    ///
    /// # Errors
    /// `ClientError`, also for every status outside 200–299.
    pub async fn answer(&self, method: Method, url: &Url, json: Option<Vec<u8>>) -> Result<Answer, ClientError> {
        self.whole(method, url, json, &[(ACCEPT, "application/json")]).await
    }

    async fn whole(
        &self,
        method: Method,
        url: &Url,
        json: Option<Vec<u8>>,
        headers: &[(HeaderName, &str)],
    ) -> Result<Answer, ClientError> {
        let exchange = async {
            let response = self.send(method, url, json, headers).await?;
            let (server_time, next) = (date(response.headers()), next_page(url, response.headers()));
            let bytes = response.bytes().await.map_err(|e| ClientError::Cut(innermost(&e)))?;
            Ok(Answer { bytes: bytes.into(), server_time, next })
        };
        self.in_time(exchange).await
    }

    /// Sends one request and returns the answer, of whatever type, as soon as its head is here.
    ///
    /// # Errors
    /// `ClientError`, also for every status outside 200–299.
    pub async fn any(&self, method: Method, url: &Url, json: Option<Vec<u8>>) -> Result<Response, ClientError> {
        self.in_time(self.send(method, url, json, &[(ACCEPT, "application/json, */*;q=0.5")])).await
    }

    /// Reads the rest of an answer.
    ///
    /// # Errors
    /// `ClientError::Cut`, `ClientError::TimedOut`
    pub async fn rest(&self, response: Response) -> Result<Vec<u8>, ClientError> {
        self.in_time(async { Ok(response.bytes().await.map_err(|e| ClientError::Cut(innermost(&e)))?.into()) }).await
    }

    async fn in_time<T>(&self, exchange: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        let timed_out = |_| Err(ClientError::TimedOut { server: self.server(), limit_s: self.answer_limit.as_secs() });
        tokio::time::timeout(self.answer_limit, exchange).await.unwrap_or_else(timed_out)
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
        mut headers: Vec<(HeaderName, &str)>,
    ) -> Result<Option<Response>, ClientError> {
        headers.push((ACCEPT, EVENT_STREAM));
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
        self.exchange(&method, request).await
    }

    /// Sends the request with the token; an answer without success is an error.
    async fn exchange(&self, method: &Method, mut request: RequestBuilder) -> Result<Response, ClientError> {
        if let Some(value) = self.authorization()? {
            request = request.header(AUTHORIZATION, value);
        }
        let mut waited = Duration::ZERO;
        let response = loop {
            let again = request.try_clone();
            let response = request.send().await.map_err(|e| {
                if e.is_connect() { self.not_connected(innermost(&e)) } else { ClientError::Cut(innermost(&e)) }
            })?;
            // A body that is streamed cannot be sent twice.
            let (Some(pause), Some(again)) = (pause_of(&response), again) else { break response };
            if waited + pause > PAUSES_LIMIT {
                break response;
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            request = again;
        };
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(method, response).await) }
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, ClientError> {
        let Token::Known(token) = &self.connection.token else { return Ok(None) };
        let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| self.denied("it holds characters that no token has"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Nobody answers, or somebody who is not known as the server.
    fn not_connected(&self, why: String) -> ClientError {
        let server = self.server();
        match (self.watchman.as_ref().and_then(Watchman::refused), self.connection.trust.pinned) {
            (Some(Refused { shown, .. }), Some(pinned)) => ClientError::OtherCertificate { server, pinned, shown },
            (Some(Refused { shown, why }), None) => ClientError::UnknownCertificate { server, shown, why },
            // What rustls calls the answer of somebody who speaks something else.
            (None, _) if why.contains("corrupt message") => {
                let why = "it does not speak TLS on that port; perhaps http:// is meant".to_owned();
                ClientError::Unreachable { server, why }
            }
            (None, _) => ClientError::Unreachable { server, why },
        }
    }

    fn denied(&self, why: &str) -> ClientError {
        ClientError::TokenDenied { server: self.server(), why: why.into() }
    }

    fn server(&self) -> String {
        shown(&self.connection.server)
    }

    async fn refusal(&self, method: &Method, response: Response) -> ClientError {
        let (status, url) = (response.status(), response.url().clone());
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(e) => return ClientError::Cut(innermost(&e)),
        };
        let json: Option<Value> = serde_json::from_slice(&bytes).ok();
        let body = json.as_ref().and_then(|json| ErrorBody::deserialize(json).ok());
        // A wrong password is another thing than a token that is not accepted.
        let of_token = body.as_ref().is_none_or(|body| body.error != "unauthorized");
        match (status, json, body) {
            (StatusCode::UNAUTHORIZED, _, body) if of_token => match &self.connection.token {
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
    serde_json::to_vec(body).map_err(|source| unknown_shape(url, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::Trust;

    #[test]
    fn addresses_are_built_under_the_enterprise_and_encoded() {
        let connection = |server: &str| Connection {
            server: Url::parse(server).unwrap(),
            enterprise: "default".into(),
            token: Token::Missing(String::new()),
            trust: Trust::default(),
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
    fn a_server_that_takes_the_request_and_does_not_answer_is_not_called_unreachable() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Url::parse(&format!("http://{}/", silent.local_addr().unwrap())).unwrap();
        let (token, trust) = (Token::Missing(String::new()), Trust::default());
        let connection = Connection { server, enterprise: "default".into(), token, trust };
        let client = Client { answer_limit: Duration::from_millis(50), ..Client::new(connection).unwrap() };
        let url = client.url("jobs", &[]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(client.answer(Method::GET, &url, None)).err().unwrap();
        assert!(matches!(error, ClientError::TimedOut { .. }) && error.is_passing(), "{error}");
        let error = runtime.block_on(client.any(Method::GET, &url, None)).err().unwrap();
        assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
    }
}
