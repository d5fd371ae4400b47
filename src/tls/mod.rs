//! TLS of the API: its certificate and key, made or read, checked, and read again when their files change.
//!
//! The only code in the daemon that names rustls and rcgen.

mod certificate;
mod fault;
mod self_signed;
mod served;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use certificate::Certificate;
pub use fault::{TlsError, TlsFault};
pub use self_signed::{SelfSigned, names_for};
pub use served::ServerTls;
pub use tokio_rustls::TlsAcceptor;

/// A connection behind its handshake.
pub type TlsStream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

/// A certificate with its chain, and the private key that belongs to it; both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

impl TlsFiles {
    /// Finds everything that keeps the two from being served; nothing when they are good.
    #[must_use]
    pub fn faults(&self, now_ms: i64) -> Vec<TlsFault> {
        Certificate::read(self, now_ms).err().unwrap_or_default()
    }
}
