//! What can go wrong between this program and the server, in sentences that say what to do.

use std::error::Error;
use std::fmt;
use std::io;

use reqwest::StatusCode;
use serde_json::Value;
use shuntyard_domain::certificate_fingerprint::CertificateFingerprint;
use shuntyard_domain::wire::api::ErrorBody;

use crate::terminal::plain;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach {server}: {why}. Start it with `shuntd serve`, or name another with --server")]
    Unreachable { server: String, why: String },
    #[error("{server} took the request and did not answer within {limit_s} s; it may still do what was asked")]
    TimedOut { server: String, limit_s: u64 },
    #[error(
        "{server} shows a certificate that is not trusted here: {why}. It is {shown}: compare it with what `shuntd fingerprint` \
         prints there, then `shunt login {server}` pins it; or name its authority with --ca-file"
    )]
    UnknownCertificate { server: String, shown: CertificateFingerprint, why: String },
    #[error(
        "{server} shows another certificate than the one that was pinned, and nothing was sent.\n  pinned  {pinned}\n  shown   {shown}\n\
         If `shuntd fingerprint` prints the shown one there, it was changed on purpose: `shunt login {server}` pins it. Else \
         somebody stands between you and the server"
    )]
    OtherCertificate { server: String, pinned: CertificateFingerprint, shown: CertificateFingerprint },
    #[error("cannot set up https: {0}")]
    Tls(String),
    #[error("{server} does not accept the token: {why}")]
    TokenDenied { server: String, why: String },
    #[error("the token's role is not allowed to {method} {path}")]
    Forbidden { method: String, path: String },
    #[error("{0}")]
    Refused(Box<Refusal>),
    #[error(
        "{url} answered {status} with something that is not JSON ({start}). Is it a Shuntyard server? See --server"
    )]
    NotJson { url: String, status: StatusCode, start: String },
    #[error("the answer of {path} is not what this version understands: {source}")]
    UnknownShape { path: String, source: serde_json::Error },
    #[error("{path} did not answer with an event stream, but with {found}")]
    NotStream { path: String, found: String },
    #[error("an event of {path} is not what this version understands: {source}")]
    UnknownEvent { path: String, source: serde_json::Error },
    #[error("{path}: {source}")]
    EventTooLarge { path: String, source: crate::sse::EventTooLarge },
    #[error("job {job}: the server sent output that leaves a gap: {source}")]
    Gap { job: String, source: shuntyard_domain::output::Gap },
    #[error("the connection was cut before the answer was complete: {0}")]
    Cut(String),
    #[error(
        "`{}` was made, but the answer with its secret was cut off, and a secret is told once: remove it and make another",
        plain(name)
    )]
    SecretLost { name: String },
    #[error("cannot set up the client: {}", innermost(.0))]
    Setup(#[source] reqwest::Error),
}

/// An error answer with a body.
#[derive(Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub path: String,
    pub body: ErrorBody,
    /// The body as it came.
    pub json: Value,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorBody { error, message, path, allowed, faults, request_id } = &self.body;
        if message.is_empty() {
            // Chef's answers have a word only.
            write!(f, "the server answered {} to {}", plain(error), self.path)?;
        } else {
            f.write_str(&plain(message.trim_end_matches('.')))?;
        }
        if let Some(path) = path {
            write!(f, ", at {}", plain(path))?;
        }
        if !allowed.is_empty() {
            write!(f, "; allowed: {}", plain(&allowed.join(", ")))?;
        }
        write!(f, " ({} {}", self.status.as_u16(), plain(error))?;
        if !request_id.is_empty() {
            write!(f, ", request {}", plain(request_id))?;
        }
        f.write_str(")")?;
        // The first one is in the sentence.
        faults.iter().skip(1).try_for_each(|fault| write!(f, "\n  {}", plain(&fault.to_string())))
    }
}

impl ClientError {
    /// Tells whether asking again later may help: the server was away or overloaded, not unwilling.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Cut(_) => true,
            Self::Refused(refusal) => {
                refusal.status.is_server_error() || refusal.status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::NotJson { status, .. } => status.is_server_error(),
            Self::TokenDenied { .. }
            | Self::Forbidden { .. }
            | Self::UnknownShape { .. }
            | Self::NotStream { .. }
            | Self::UnknownEvent { .. }
            | Self::EventTooLarge { .. }
            | Self::Gap { .. }
            | Self::SecretLost { .. }
            | Self::UnknownCertificate { .. }
            | Self::OtherCertificate { .. }
            | Self::Tls(_)
            | Self::Setup(_) => false,
        }
    }
}

/// Returns the innermost reason of a failed request, in the words of people.
#[must_use]
pub fn innermost(error: &reqwest::Error) -> String {
    let mut deepest: &(dyn Error + 'static) = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if let Some(io) = deepest.downcast_ref::<io::Error>() {
        return match io.kind() {
            io::ErrorKind::ConnectionRefused => "connection refused".into(),
            io::ErrorKind::ConnectionReset => "connection reset".into(),
            _ => io.to_string(),
        };
    }
    if error.is_timeout() { "no answer in time".into() } else { deepest.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        let body: ErrorBody = serde_json::from_str(json).unwrap();
        Refusal { status: StatusCode::BAD_REQUEST, path: "/x".into(), body, json: Value::Null }.to_string()
    }

    #[test]
    fn a_refusal_reads_as_the_servers_sentence_with_path_and_allowed_values() {
        assert_eq!(
            refused(
                r#"{"error":"bad_request","message":"Unknown phase.","path":"$.phase","allowed":["unit","lint"],"request_id":"r1"}"#
            ),
            "Unknown phase, at $.phase; allowed: unit, lint (400 bad_request, request r1)"
        );
        assert_eq!(refused(r#"{"error":"bad_request"}"#), "the server answered bad_request to /x (400 bad_request)");
    }
}
