//! The certificate that is served now, and the look at its files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use shuntyard_domain::wire::time_text::rfc3339;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::{Certificate, TlsError, TlsFiles};
use crate::clock::Clock;

/// How often the files are looked at: two calls of stat. What has changed is read once it is the same in two looks, so that
/// a certificate is not read without its key.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// From here on each start and each new certificate tells when it ends.
const SOON_MS: i64 = 21 * 24 * 3600 * 1000;

/// TLS as it is served. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerTls {
    files: TlsFiles,
    served: Arc<Served>,
}

/// What a handshake is answered with; connections that are open keep what they began with.
#[derive(Debug)]
struct Served(RwLock<Certificate>);

impl Served {
    fn now(&self) -> Certificate {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now().key)
    }
}

/// What tells that a file is another one: its time of change, its inode and its length; `None`: there is none.
type Stamp = Option<(i64, i64, u64, u64)>;

impl ServerTls {
    #[must_use]
    pub fn new(files: TlsFiles, certificate: Certificate, now_ms: i64) -> Self {
        tell_of_end(&files, &certificate, now_ms);
        Self { files, served: Arc::new(Served(RwLock::new(certificate))) }
    }

    /// The certificate that new connections are shown.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        self.served.now()
    }

    /// What does the handshakes: TLS 1.2 and 1.3, HTTP/1.1.
    ///
    /// # Errors
    /// `TlsError::Setup`
    pub fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = versions.with_no_client_auth().with_cert_resolver(self.served.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Serves what is in the files, until `stop`. Files that are no good change nothing, and the log says why. `changed` is
    /// told of each other certificate.
    pub async fn keep_fresh(self, clock: Clock, changed: impl Fn(&Certificate), stop: CancellationToken) {
        let mut seen = self.stamps();
        let mut read = seen;
        let mut expired = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let now = self.stamps();
            let settled = now == seen;
            seen = now;
            if settled && now != read {
                read = now;
                expired = !self.read_again(clock.now_ms(), &changed) && expired;
            }
            let ends_at_ms = self.certificate().expires_at_ms;
            if !expired && ends_at_ms < clock.now_ms() {
                expired = true;
                let path = self.files.cert_file.display().to_string();
                tracing::error!(path, ended = rfc3339(ends_at_ms), "the API's certificate has expired");
            }
        }
    }

    /// True when other files are served now.
    fn read_again(&self, now_ms: i64, changed: impl Fn(&Certificate)) -> bool {
        match Certificate::read(&self.files, now_ms) {
            Ok(certificate) => {
                let fingerprint = certificate.fingerprint.to_string();
                tracing::info!(fingerprint, "the API's certificate was read again and is served from now on");
                tell_of_end(&self.files, &certificate, now_ms);
                changed(&certificate);
                *self.served.0.write().unwrap_or_else(PoisonError::into_inner) = certificate;
                true
            }
            Err(faults) => {
                let error = TlsError::Faults(faults);
                tracing::error!(%error, "the API's certificate has changed and is no good: the earlier one is served on");
                false
            }
        }
    }

    fn stamps(&self) -> (Stamp, Stamp) {
        (stamp(&self.files.cert_file), stamp(&self.files.key_file))
    }
}

fn stamp(path: &Path) -> Stamp {
    // Through links: what certbot renews is a link to another file.
    let about = fs::metadata(path).ok()?;
    Some((about.mtime(), about.mtime_nsec(), about.ino(), about.len()))
}

fn tell_of_end(files: &TlsFiles, certificate: &Certificate, now_ms: i64) {
    if certificate.expires_at_ms < now_ms.saturating_add(SOON_MS) {
        let (path, ends) = (files.cert_file.display().to_string(), rfc3339(certificate.expires_at_ms));
        tracing::warn!(path, ends, "the API's certificate ends soon");
    }
}
