//! What is wrong with a certificate or its key.

use std::io;
use std::path::{Path, PathBuf};

use shuntyard_domain::wire::time_text::rfc3339;

/// One thing that keeps a certificate from being served.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    #[error("cannot read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} holds no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    #[error("the certificate in {} cannot be read: {reason}", path.display())]
    BadCertificate { path: PathBuf, reason: String },
    #[error("the certificate in {} has expired on {}", path.display(), rfc3339(*at_ms))]
    Expired { path: PathBuf, at_ms: i64 },
    #[error("the certificate in {} is good only from {} on", path.display(), rfc3339(*at_ms))]
    NotYet { path: PathBuf, at_ms: i64 },
    #[error("{} holds no private key in PEM form without a passphrase", .0.display())]
    NoKey(PathBuf),
    #[error("the private key in {} cannot be used: {reason}", path.display())]
    BadKey { path: PathBuf, reason: String },
    #[error("everybody may read the private key {} (mode {mode:04o})", path.display())]
    KeyOpenToAll { path: PathBuf, mode: u32 },
    #[error("the private key {} does not belong to the certificate {}", key.display(), cert.display())]
    KeyDiffers { cert: PathBuf, key: PathBuf },
}

impl TlsFault {
    /// The file in which it is to be mended.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Read { path, .. }
            | Self::NoCertificate(path)
            | Self::BadCertificate { path, .. }
            | Self::Expired { path, .. }
            | Self::NotYet { path, .. }
            | Self::NoKey(path)
            | Self::BadKey { path, .. }
            | Self::KeyOpenToAll { path, .. }
            | Self::KeyDiffers { key: path, .. } => path,
        }
    }

    /// What would be good there.
    #[must_use]
    pub const fn allowed(&self) -> &'static str {
        match self {
            Self::Read { .. } => "a file that the daemon's account can read",
            Self::NoCertificate(_) | Self::BadCertificate { .. } => {
                "PEM: the server's certificate first, then those that lead to its authority"
            }
            Self::Expired { .. } | Self::NotYet { .. } => "a certificate that is valid now",
            Self::NoKey(_) | Self::BadKey { .. } => {
                "a private key in PEM form, PKCS#8, SEC1 or PKCS#1, without a passphrase"
            }
            Self::KeyOpenToAll { .. } => "a file that only its owner and its group may read (chmod o-rwx)",
            Self::KeyDiffers { .. } => "the key that the certificate was made for",
        }
    }
}

/// TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the certificate cannot be served:{}", lines(.0))]
    Faults(Vec<TlsFault>),
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] tokio_rustls::rustls::Error),
}

fn lines(faults: &[TlsFault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}; allowed: {}", fault.allowed())).collect()
}
