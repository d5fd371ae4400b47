//! A certificate and its key, read from files and checked before anybody sees them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use shuntyard_domain::certificate_fingerprint::CertificateFingerprint;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use super::{TlsFault, TlsFiles};

/// What can be served.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub fingerprint: CertificateFingerprint,
    /// Unix milliseconds.
    pub expires_at_ms: i64,
    pub(super) key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// Every fault of both, not the first.
    pub fn read(files: &TlsFiles, now_ms: i64) -> Result<Self, Vec<TlsFault>> {
        let mut faults = Vec::new();
        let chain = read_chain(&files.cert_file, now_ms, &mut faults);
        let key = read_key(&files.key_file, &mut faults);
        let key = key.and_then(|key| {
            let loaded = aws_lc_rs::default_provider().key_provider.load_private_key(key);
            let bad = |reason: String| TlsFault::BadKey { path: files.key_file.clone(), reason };
            loaded.map_err(|error| faults.push(bad(error.to_string()))).ok()
        });
        let (Some((chain, expires_at_ms)), Some(key)) = (chain, key) else { return Err(faults) };
        let key = CertifiedKey::new(chain, key);
        if key.keys_match().is_err() {
            faults.push(TlsFault::KeyDiffers { cert: files.cert_file.clone(), key: files.key_file.clone() });
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let der = key.cert.first().map(AsRef::as_ref).unwrap_or_default();
        Ok(Self { fingerprint: fingerprint_of(der), expires_at_ms, key: Arc::new(key) })
    }
}

/// The fingerprint of a certificate in DER form.
fn fingerprint_of(der: &[u8]) -> CertificateFingerprint {
    CertificateFingerprint::of_sha256(Sha256::digest(der).into())
}

/// The certificates of the file in their order, and when the first one expires.
fn read_chain(path: &Path, now_ms: i64, faults: &mut Vec<TlsFault>) -> Option<(Vec<CertificateDer<'static>>, i64)> {
    let pem = fs::read(path).map_err(|source| faults.push(TlsFault::Read { path: path.to_owned(), source })).ok()?;
    let bad = |reason: String| TlsFault::BadCertificate { path: path.to_owned(), reason };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| faults.push(bad(error.to_string()))).ok()?;
    let Some(first) = chain.first() else {
        faults.push(TlsFault::NoCertificate(path.to_owned()));
        return None;
    };
    let parsed = parse_x509_certificate(first).map_err(|error| faults.push(bad(error.to_string()))).ok()?.1;
    let validity = parsed.validity();
    let ms = |seconds: i64| seconds.saturating_mul(1000);
    let (from_ms, until_ms) = (ms(validity.not_before.timestamp()), ms(validity.not_after.timestamp()));
    if until_ms < now_ms {
        faults.push(TlsFault::Expired { path: path.to_owned(), at_ms: until_ms });
    } else if from_ms > now_ms {
        faults.push(TlsFault::NotYet { path: path.to_owned(), at_ms: from_ms });
    }
    Some((chain, until_ms))
}

/// The group may read it: Debian gives keys to the group `ssl-cert`.
fn read_key(path: &Path, faults: &mut Vec<TlsFault>) -> Option<PrivateKeyDer<'static>> {
    let cannot = |source| TlsFault::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map(|about| about.permissions().mode() & 0o777);
    let mode = mode.map_err(|source| faults.push(cannot(source))).ok()?;
    if mode & 0o007 != 0 {
        faults.push(TlsFault::KeyOpenToAll { path: path.to_owned(), mode });
    }
    let pem = fs::read(path).map_err(|source| faults.push(cannot(source))).ok()?;
    let pem = Zeroizing::new(pem);
    let key = PrivateKeyDer::from_pem_slice(&pem);
    // The reason might quote the text.
    key.map_err(|_| faults.push(TlsFault::NoKey(path.to_owned()))).ok()
}
