//! What can go wrong with a call; each is a sentence for a person. URLs are named by scheme, host and port only.

use std::path::PathBuf;
use std::time::Duration;

use super::guard::RefusedAddress;

/// A call got no answer. `at` is `https://HOST` or `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("cannot resolve the name of {at}: {reason}")]
    Resolve { at: String, reason: String },
    /// Nothing was sent.
    #[error("{at} is not called: {refused}")]
    Refused { at: String, refused: RefusedAddress },
    #[error("cannot reach {at}: {reason}")]
    Connect { at: String, reason: String },
    /// Nothing was sent beyond the handshake.
    #[error("no trusted TLS connection to {at}: {reason}")]
    Tls { at: String, reason: String },
    /// The receiver may have got the message.
    #[error("the exchange with {at} broke off: {reason}")]
    Exchange { at: String, reason: String },
    /// The receiver may have got the message.
    #[error("{at} did not answer within {} s", limit.as_secs_f32())]
    Deadline { at: String, limit: Duration },
    /// The message id is ours and always good; the variant keeps a mistake from becoming a panic.
    #[error("the call to {at} cannot be written: {reason}")]
    Request { at: String, reason: String },
}

impl CallError {
    /// True when the same call may succeed later without anybody changing anything.
    #[must_use]
    pub const fn may_pass_later(&self) -> bool {
        match self {
            Self::Resolve { .. } | Self::Connect { .. } | Self::Exchange { .. } | Self::Deadline { .. } => true,
            Self::Refused { .. } | Self::Tls { .. } | Self::Request { .. } => false,
        }
    }
}

/// The settings of calls out cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    #[error("cannot read the certificates {} ([outgoing] ca_file)", path.display())]
    ReadCaFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} holds no certificate in PEM form ([outgoing] ca_file)", path.display())]
    NoCertificate { path: PathBuf },
    #[error("the HTTPS client cannot be made: {0}")]
    Client(String),
}
