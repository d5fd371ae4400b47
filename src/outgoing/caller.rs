//! One call: a signed POST, bounded in time and in what is kept of the answer.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Client, ClientBuilder, Response, redirect};
use shuntyard_domain::cidr::Cidr;
use tokio::time::{Instant, timeout_at};

use super::destination::{BadDestination, Destination};
use super::error::{CallError, CallerError};
use super::guard::{Guard, RefusedAddress};
use super::resolver::GuardedResolver;
use super::signature::{SigningSecret, signature};

/// For name, TCP and TLS together, when the call itself may take longer.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection waits for the next call to the same receiver.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// What the configuration says about calls out.
#[derive(Clone, Debug, Default)]
pub struct CallerSettings {
    /// Allows `http://` beside `https://`.
    pub allow_http: bool,
    /// Networks that may be called although they are not public.
    pub allow_networks: Vec<Cidr>,
    /// Certificates in PEM form that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Makes calls out. Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    guard: Guard,
    allow_http: bool,
}

/// One message to a receiver.
pub struct Call<'a> {
    pub to: &'a Destination,
    pub secret: &'a SigningSecret,
    /// The same in every try, so that a receiver can tell a repetition: letters, digits, `_`, `-`.
    pub message_id: &'a str,
    pub now_ms: i64,
    /// JSON.
    pub body: Vec<u8>,
    /// For everything, from the name to the last byte of the answer.
    pub limit: Duration,
    /// How much of the answer's body is kept.
    pub answer_bytes: usize,
}

/// What the receiver has answered, whatever its status says.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The first `answer_bytes` of it.
    pub body: Vec<u8>,
    /// False when the body was longer, or did not come to its end in time.
    pub whole: bool,
}

impl Answer {
    /// True for 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl fmt::Debug for Answer {
    /// Without the body: it is the receiver's, and may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, body, whole } = self;
        write!(f, "Answer({status}, {} bytes{})", body.len(), if *whole { "" } else { ", cut" })
    }
}

impl Caller {
    /// Reads the certificates and makes the client.
    ///
    /// A system without certificates is not an error: only calls over https fail then, and say so.
    ///
    /// # Errors
    /// `CallerError` when `ca_file` cannot be used.
    pub fn new(settings: &CallerSettings) -> Result<Self, CallerError> {
        let guard = Guard::new(settings.allow_networks.clone());
        let own = settings.ca_file.as_deref().map(certificates).transpose()?.unwrap_or_default();
        let made = client(&guard).tls_certs_merge(own.clone()).build();
        let client = match made {
            Ok(client) => client,
            // Without roots of its own and of ours reqwest makes no client.
            Err(_) if own.is_empty() => {
                tracing::warn!("the system has no certificates to trust: calls out over https will fail");
                client(&guard).tls_certs_only([]).build().map_err(|error| CallerError::Client(deepest(&error)))?
            }
            Err(error) => return Err(CallerError::Client(deepest(&error))),
        };
        Ok(Self { client, guard, allow_http: settings.allow_http })
    }

    /// Checks a URL as far as it can be without a resolver; names are checked at each call.
    ///
    /// # Errors
    /// `BadDestination`
    pub fn destination(&self, url: &str) -> Result<Destination, BadDestination> {
        Destination::parse(url, self.allow_http, &self.guard)
    }

    /// Sends one signed message and waits for the answer. A redirect is an answer; it is not followed.
    ///
    /// # Errors
    /// One variant of `CallError` per failed operation; at most `limit` passes.
    pub async fn post(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let Call { to, secret, message_id, now_ms, body, limit, answer_bytes } = call;
        let until = Instant::now() + limit;
        let timestamp_s = now_ms.div_euclid(1000);
        let signed = signature(secret, message_id, timestamp_s, &body);
        let request = self
            .client
            .post(to.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message_id)
            .header("webhook-timestamp", timestamp_s.to_string())
            .header("webhook-signature", signed)
            .body(body);
        let late = |limit| CallError::Deadline { at: to.at(), limit };
        match timeout_at(until, request.send()).await {
            Ok(Ok(response)) => Ok(read(response, until, answer_bytes).await),
            Ok(Err(error)) if error.is_timeout() && error.is_connect() => Err(late(limit.min(CONNECT_LIMIT))),
            Ok(Err(error)) => Err(what_failed(to, &error)),
            Err(_) => Err(late(limit)),
        }
    }
}

fn client(guard: &Guard) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("shuntyard/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(GuardedResolver { guard: guard.clone() })
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_LIMIT)
        .pool_idle_timeout(IDLE_LIMIT)
        .pool_max_idle_per_host(2)
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, CallerError> {
    let pem = fs::read(path).map_err(|source| CallerError::ReadCaFile { path: path.to_owned(), source })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(CallerError::NoCertificate { path: path.to_owned() }),
    }
}

/// Reads the body as far as it is wanted. The status counts, so trouble from here on only makes the body short.
async fn read(mut response: Response, until: Instant, answer_bytes: usize) -> Answer {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let whole = loop {
        match timeout_at(until, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = answer_bytes - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    break false;
                }
            }
            Ok(Ok(None)) => break true,
            Ok(Err(_)) | Err(_) => break false,
        }
    };
    Answer { status, body, whole }
}

/// Says which operation failed, without the URL.
fn what_failed(to: &Destination, error: &reqwest::Error) -> CallError {
    let (at, reason) = (to.at(), deepest(error));
    if let Some(refused) = chain(error).find_map(|cause| cause.downcast_ref::<RefusedAddress>()) {
        return CallError::Refused { at, refused: refused.clone() };
    }
    if error.is_builder() {
        return CallError::Request { at, reason };
    }
    if error.is_dns() {
        return CallError::Resolve { at, reason };
    }
    if !error.is_connect() {
        return CallError::Exchange { at, reason };
    }
    // rustls tells of bad certificates and of foreign protocols as invalid data.
    let is_tls = |cause: &io::Error| cause.kind() == io::ErrorKind::InvalidData;
    if chain(error).any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_tls)) {
        return CallError::Tls { at, reason };
    }
    CallError::Connect { at, reason }
}

/// The error and its causes; also what an I/O error wraps, which it does not tell as its source.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => (*error).source(),
        }
    })
}

/// The innermost cause: the outer ones repeat it, and name the URL.
fn deepest(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
