//! Where the database is: a SQLite file or a PostgreSQL server that may be spoken to.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::error::StoreError;

/// A checked database address. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    Sqlite(PathBuf),
    /// A libpq URI; kept as given.
    Postgres(String),
}

/// The sslmode words that never fall back to plain text.
const ENCRYPTED: [&str; 3] = ["require", "verify-ca", "verify-full"];

/// Added to a PostgreSQL URL unless it says otherwise: a dead server is noticed in about 20 s, not in 15 minutes.
#[cfg(feature = "postgres")]
const PATIENCE: [(&str, &str); 5] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "2"),
    ("tcp_user_timeout", "20000"),
];

impl StoreUrl {
    /// Reads `sqlite:PATH`, `PATH`, or a libpq URI `postgres://USER@HOST/DATABASE?sslmode=…`.
    ///
    /// # Errors
    /// `BadUrl` for an unknown scheme or an in-memory database, `Plaintext` for a PostgreSQL server on
    /// another machine whose URL does not ask for TLS, `PostgresNotBuilt` without that feature.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if let Some(rest) = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")) {
            check_hosts(text, rest)?;
            return if cfg!(feature = "postgres") {
                Ok(Self::Postgres(text.to_owned()))
            } else {
                Err(StoreError::PostgresNotBuilt)
            };
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:")).unwrap_or(text);
        if path.is_empty() || path.contains(":memory:") || path.starts_with("file:") || path.contains('\0') {
            return Err(bad(text, "a path of a file is expected"));
        }
        if path.contains("://") {
            return Err(bad(text, "the schemes are sqlite: and postgres://"));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }

    /// The URI for libpq, with time limits where it names none.
    #[cfg(feature = "postgres")]
    pub(super) fn with_patience(uri: &str) -> String {
        let given: Vec<String> = parameters(uri).map(|(name, _)| name).collect();
        let mut uri = uri.to_owned();
        for (name, value) in PATIENCE.iter().filter(|(name, _)| !given.iter().any(|g| g == name)) {
            uri.push(if uri.contains('?') { '&' } else { '?' });
            uri.push_str(&format!("{name}={value}"));
        }
        uri
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(uri) => f.write_str(&shown(uri)),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

fn bad(text: &str, why: impl Into<String>) -> StoreError {
    StoreError::BadUrl { shown: shown(text), why: why.into() }
}

/// The URL without credentials and parameters, either of which may hold a password.
fn shown(text: &str) -> String {
    let text = text.split('?').next().unwrap_or_default();
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, hosts))) => format!("{scheme}://…@{hosts}"),
        _ => text.to_owned(),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn parameters(uri: &str) -> impl Iterator<Item = (String, String)> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value)))
}

/// Refuses a server elsewhere that might be spoken to in plain text; splits the URI as libpq does.
fn check_hosts(text: &str, rest: &str) -> Result<(), StoreError> {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority.split_once('@').map_or(authority, |(_, hosts)| hosts);
    let mut hosts: Vec<String> = hosts.split(',').map(|host| decoded(without_port(host))).collect();
    let mut encrypted = false;
    for (name, value) in parameters(rest) {
        match name.as_str() {
            // libpq lets each of these replace the host.
            "host" | "hostaddr" => hosts.extend(value.split(',').map(str::to_owned)),
            "service" => return Err(bad(text, "name the host instead of a service")),
            "sslmode" => encrypted = ENCRYPTED.contains(&value.as_str()),
            _ => {}
        }
    }
    hosts.retain(|host| !host.is_empty());
    if hosts.is_empty() {
        return Err(bad(text, "name the host; for a socket add ?host=/run/postgresql"));
    }
    match hosts.into_iter().find(|host| !encrypted && !is_this_machine(host)) {
        Some(host) => Err(StoreError::Plaintext { host }),
        None => Ok(()),
    }
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(ip6) => ip6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Loopback, or the directory of a unix socket.
fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.starts_with(['/', '@']) || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_sqlite_database() {
        for text in ["sqlite:/var/lib/s.db", "sqlite:///var/lib/s.db", "/var/lib/s.db"] {
            assert_eq!(StoreUrl::parse(text).unwrap(), StoreUrl::Sqlite("/var/lib/s.db".into()), "{text}");
        }
        for text in ["", "sqlite:", "sqlite::memory:", ":memory:", "file:x?mode=memory", "mysql://h/d"] {
            assert!(matches!(StoreUrl::parse(text), Err(StoreError::BadUrl { .. })), "{text}");
        }
    }

    #[test]
    fn a_server_elsewhere_needs_tls() {
        for uri in [
            "postgres://u:p@db.example.com/s",
            "postgres://db.example.com/s?sslmode=prefer",
            "postgres://db.example.com/s?sslmode=require&sslmode=disable",
            "postgres://localhost,db.example.com/s",
            "postgres://localhost/s?host=db.example.com",
            "postgres://localhost/s?hostaddr=192.0.2.1",
            "postgres://localhost/s?%68ost=db.example.com",
            "postgres://u@localhost@db.example.com/s",
            "postgres://[2001:db8::1]:5432/s",
            "postgres://localhost.example.com",
            "postgres://127.0.0.1.example.com/s",
        ] {
            assert!(matches!(StoreUrl::parse(uri), Err(StoreError::Plaintext { .. })), "{uri}");
        }
        for uri in ["postgres:///s", "postgres://u@/s", "postgres://localhost/s?service=x"] {
            assert!(matches!(StoreUrl::parse(uri), Err(StoreError::BadUrl { .. })), "{uri}");
        }
    }

    #[test]
    fn a_server_here_or_with_tls_is_accepted() {
        for uri in [
            "postgres://localhost/s",
            "postgresql://u:p@127.0.0.1:5433/s",
            "postgres://[::1]:5432/s?sslmode=disable",
            "postgres:///s?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/s",
            "postgres://u:p@db.example.com/s?sslmode=require",
            "postgres://a.example.com,b.example.com:5433/s?sslmode=verify-full",
        ] {
            match StoreUrl::parse(uri) {
                Ok(StoreUrl::Postgres(_)) if cfg!(feature = "postgres") => {}
                Err(StoreError::PostgresNotBuilt) if !cfg!(feature = "postgres") => {}
                other => panic!("{uri}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for uri in ["postgres://u:secret@h/s?sslmode=require", "postgres://u@h/s?password=secret&sslmode=require"] {
            assert!(!format!("{:?} {}", StoreUrl::Postgres(uri.into()), shown(uri)).contains("secret"));
        }
    }
}
