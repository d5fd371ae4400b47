//! Whether a server is who it should be: by the authorities that this machine trusts, or by a certificate that somebody has pinned.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use sha2::{Digest as _, Sha256};
use shuntyard_domain::certificate_fingerprint::CertificateFingerprint;

use crate::client_error::ClientError;
use crate::failure::{Failure, Usage};

/// Whom to take for the server.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Its certificate and no other, whoever has signed it; names and times in it do not count.
    pub pinned: Option<CertificateFingerprint>,
    /// Certificates of authorities that are trusted besides the system's.
    pub authorities: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Reads certificates in PEM form.
    ///
    /// # Errors
    /// `ReadFile`, or `Usage::NoCertificates` when it holds none.
    pub fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
        let pem = std::fs::read(path).map_err(|source| Failure::ReadFile { path: path.to_owned(), source })?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let found = found.ok().filter(|found| !found.is_empty());
        found.ok_or_else(|| Usage::NoCertificates { path: path.to_owned() }.into())
    }
}

/// A certificate that was shown and not taken.
#[derive(Clone, Debug)]
pub struct Refused {
    pub shown: CertificateFingerprint,
    /// Why the authorities do not vouch for it; nothing when another one is pinned.
    pub why: String,
}

/// Looks at the certificate of each connection, and remembers the last one that it has refused.
#[derive(Clone, Debug)]
pub struct Watchman(Arc<Eyes>);

#[derive(Debug)]
struct Eyes {
    pinned: Option<CertificateFingerprint>,
    /// `None`: this machine trusts nobody, as it has no certificates of authorities.
    system: Option<Verifier>,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<Refused>>,
}

impl Watchman {
    #[must_use]
    pub fn new(trust: &Trust) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let system = || Verifier::new_with_extra_roots(trust.authorities.clone(), provider.clone()).ok();
        let system = if trust.pinned.is_some() { None } else { system() };
        Self(Arc::new(Eyes { pinned: trust.pinned, system, provider, refused: Mutex::default() }))
    }

    /// What a client connects with.
    ///
    /// # Errors
    /// `ClientError::Tls` when rustls cannot be set up.
    pub fn config(&self) -> Result<ClientConfig, ClientError> {
        let versions =
            ClientConfig::builder_with_provider(self.0.provider.clone()).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(builder.dangerous().with_custom_certificate_verifier(self.0.clone()).with_no_client_auth())
    }

    /// The certificate that was refused since the last question.
    #[must_use]
    pub fn refused(&self) -> Option<Refused> {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Eyes {
    fn refuse(&self, shown: CertificateFingerprint, why: String, error: Error) -> Error {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Refused { shown, why });
        error
    }
}

impl ServerCertVerifier for Eyes {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = CertificateFingerprint::of_sha256(Sha256::digest(end_entity).into());
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        match (self.pinned, &self.system) {
            (Some(pinned), _) if pinned == shown => Ok(ServerCertVerified::assertion()),
            (Some(_), _) => Err(self.refuse(shown, String::new(), unknown())),
            (None, None) => {
                let why = "this machine has no certificates of authorities; the package ca-certificates brings them";
                Err(self.refuse(shown, why.to_owned(), unknown()))
            }
            (None, Some(system)) => system
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map_err(|error| self.refuse(shown, reason(&error), error)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// In the words of people, as far as they have some for it.
fn reason(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "no authority that this machine trusts has signed it".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "it has expired".to_owned()
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "it is made for another name".to_owned(),
        error => error.to_string(),
    }
}
