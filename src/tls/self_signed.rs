//! The certificate that the daemon makes for itself when nobody has given it one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};

use super::{Certificate, TlsError, TlsFiles};

/// Long, as nothing is gained by a change: clients know it by its fingerprint.
const FIRST_YEAR: i32 = 2025;
const LAST_YEAR: i32 = 2075;

/// The files of the certificate that signs itself.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    pub files: TlsFiles,
    /// Host names and addresses that it is made for.
    pub names: Vec<String>,
}

impl SelfSigned {
    /// Reads the certificate, or makes it when there is none; the key's mode is 0600.
    ///
    /// # Errors
    /// `TlsError`; a certificate that is there and no good is never replaced, as clients have pinned it.
    pub fn read_or_make(&self, now_ms: i64) -> Result<Certificate, TlsError> {
        let TlsFiles { cert_file, key_file } = &self.files;
        if !cert_file.exists() {
            let (cert, key) = make(&self.names)?;
            // The certificate last: as long as it is not there, both are made anew.
            write(key_file, &key).map_err(|source| TlsError::Write { path: key_file.clone(), source })?;
            write(cert_file, &cert).map_err(|source| TlsError::Write { path: cert_file.clone(), source })?;
            tracing::info!(path = %cert_file.display(), names = self.names.join(","), "made a certificate that signs itself");
        }
        Certificate::read(&self.files, now_ms).map_err(TlsError::Faults)
    }
}

/// Certificate and key, both PEM.
fn make(names: &[String]) -> Result<(String, String), rcgen::Error> {
    let mut wanted = CertificateParams::new(names.to_vec())?;
    wanted.not_before = date_time_ymd(FIRST_YEAR, 1, 1);
    wanted.not_after = date_time_ymd(LAST_YEAR, 1, 1);
    wanted
        .distinguished_name
        .push(DnType::CommonName, format!("Shuntyard on {}", names.first().map_or("", String::as_str)));
    // So that `--cacert` of other programs takes it as it is: an authority would not be taken as a server.
    wanted.is_ca = IsCa::ExplicitNoCa;
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    Ok((wanted.self_signed(&key)?.pem(), key.serialize_pem()))
}

/// The names for a daemon that listens on `listen`: this machine's, those that were given, the address when it is one, and
/// those of loopback.
#[must_use]
pub fn names_for(listen: IpAddr, given: &[String]) -> Vec<String> {
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let hostname = Some(hostname).filter(|name| shuntyard_domain::runner::check_hostname(name).is_ok());
    let mut names: Vec<String> = hostname.into_iter().collect();
    let own = (!listen.is_unspecified()).then(|| listen.to_string());
    for name in given.iter().cloned().chain(own).chain(["localhost", "127.0.0.1", "::1"].map(str::to_owned)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// By temporary name: a file that was written half is not found at the next start.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    made.write_all(text.as_bytes())?;
    made.sync_all()?;
    fs::rename(&new, file)
}
