//! How the API is entered: plain or by TLS, and what `shunt` on this machine must know of it.

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use shuntyard_domain::certificate_fingerprint::CertificateFingerprint;
use tracing::info_span;

use crate::clock::Clock;
use crate::config::{Config, Transport};
use crate::http::Door;
use crate::shutdown::Tasks;
use crate::tls::{Certificate, SelfSigned, ServerTls, TlsError, TlsFiles, names_for};

/// Makes or reads the certificate, and has a task of `tasks` look after it.
///
/// # Errors
/// What is wrong with the certificate, or with the data directory.
pub(super) fn open(config: &Config, address: SocketAddr, clock: &Clock, tasks: &Tasks) -> anyhow::Result<Door> {
    let told = config.paths().admin_server;
    let trusted_proxies = config.server.trusted_proxies.clone().into();
    let Some((files, certificate)) = certificate(config, clock.now_ms()).context("see [tls]")? else {
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "the API is not encrypted ([tls] mode is off): it belongs behind a proxy that ends TLS");
        }
        tell(&told, address, None)?;
        return Ok(Door { tls: None, trusted_proxies });
    };
    tell(&told, address, Some(certificate.fingerprint))?;
    tracing::info!(fingerprint = %certificate.fingerprint, "the API speaks TLS");
    let tls = ServerTls::new(files, certificate, clock.now_ms());
    let door = Door { tls: Some(tls.acceptor()?), trusted_proxies };
    let clock = clock.clone();
    tasks.spawn(info_span!("certificate"), |stop| async move {
        let changed = |certificate: &Certificate| {
            if let Err(error) = tell(&told, address, Some(certificate.fingerprint)) {
                tracing::warn!(%error, "shunt on this machine will refuse the new certificate until the next start");
            }
        };
        tls.keep_fresh(clock, changed, stop).await;
    });
    Ok(door)
}

/// The certificate that the API shows, made when it is one of the daemon's own and not there yet; `None`: plain HTTP is spoken.
///
/// # Errors
/// `TlsError`
pub fn certificate(config: &Config, now_ms: i64) -> Result<Option<(TlsFiles, Certificate)>, TlsError> {
    let (files, certificate) = match config.transport() {
        Transport::PlainHttp => return Ok(None),
        Transport::Tls(files) => {
            let read = Certificate::read(&files, now_ms).map_err(TlsError::Faults)?;
            (files, read)
        }
        Transport::SelfSigned(files) => {
            let own = SelfSigned { files, names: names_for(config.server.listen.ip(), &config.tls.names) };
            let read = own.read_or_make(now_ms)?;
            (own.files, read)
        }
    };
    Ok(Some((files, certificate)))
}

/// Writes where `shunt` on this machine finds the API, and how it knows it: an address, and perhaps a fingerprint behind it.
fn tell(file: &Path, address: SocketAddr, fingerprint: Option<CertificateFingerprint>) -> anyhow::Result<()> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let at = SocketAddr::new(ip, address.port());
    let line = match fingerprint {
        Some(fingerprint) => format!("https://{at} {fingerprint}\n"),
        None => format!("http://{at}\n"),
    };
    let new = file.with_extension("new");
    let write = || {
        let _ = fs::remove_file(&new);
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?.write_all(line.as_bytes())?;
        fs::rename(&new, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}
