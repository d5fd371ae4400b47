//! Which server to speak to, and as whom: flags, then the environment, then the login, then what the daemon left on this machine.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;
use shuntyard_domain::certificate_fingerprint::CertificateFingerprint;
use shuntyard_domain::runner::check_user;

use crate::failure::{Failure, Usage};
use crate::logins::Logins;
use crate::terminal::plain;
use crate::trust::Trust;

const DEFAULT_SERVER: &str = "http://127.0.0.1:8920";

/// The connection flags as they were written.
#[derive(Args, Clone, Debug)]
pub struct ConnectionArgs {
    /// Address of the dispatcher [default: that of `shunt login`, else the daemon's on this machine]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SHUNT_SERVER",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    pub server: Option<String>,

    /// File with the API token [env: SHUNT_TOKEN (the token itself), SHUNT_TOKEN_FILE] [default: that of `shunt login`,
    /// else the admin token that the daemon keeps on this machine]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,

    /// Certificates of authorities to trust besides the system's
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SHUNT_CA_FILE",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    pub ca_file: Option<PathBuf>,

    /// The server's certificate, as `shuntd fingerprint` prints it; no other is taken
    #[arg(
        long,
        global = true,
        value_name = "SHA256:…",
        env = "SHUNT_FINGERPRINT",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    pub fingerprint: Option<String>,

    /// Enterprise that is spoken for
    #[arg(long, global = true, value_name = "NAME", default_value = "default", help_heading = "Connection")]
    pub enterprise: String,
}

impl ConnectionArgs {
    /// The same for the server that a command has named itself, if it has.
    #[must_use]
    pub fn at(&self, server: Option<String>) -> Self {
        let server = server.or_else(|| self.server.clone());
        Self { server, ..self.clone() }
    }
}

/// The token to send, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Known(String),
    /// No token is sent; the sentence is shown when the server asks for one.
    Missing(String),
}

/// A checked connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Scheme, host, port and perhaps a path prefix; ends with a slash.
    pub server: Url,
    pub enterprise: String,
    pub token: Token,
    pub trust: Trust,
}

impl Connection {
    /// Checks the flags and finds server, token and whom to trust; nothing is sent.
    ///
    /// # Errors
    /// `Usage` for a bad address, enterprise or fingerprint, `ReadFile` for a file that was named and cannot be read.
    pub fn resolve(args: &ConnectionArgs) -> Result<Self, Failure> {
        check_user(&args.enterprise).map_err(|mut bad| {
            bad.what = "enterprise";
            Usage::BadName(bad)
        })?;
        let (logins, daemon) = (Logins::read()?, local_daemon());
        // An empty SHUNT_SERVER counts as not set.
        let named = args.server.as_deref().filter(|server| !server.is_empty());
        let server = match named.or(logins.current.as_deref()) {
            Some(named) => parse_server(named)?,
            None => daemon.as_ref().map_or_else(|| parse_server(DEFAULT_SERVER), |daemon| Ok(daemon.server.clone()))?,
        };
        let login = logins.servers.get(&shown(&server)).cloned().unwrap_or_default();
        let daemon = daemon.filter(|daemon| daemon.server == server);
        let token = match find_token(args.token_file.as_deref(), login.token.clone())? {
            Some(token) => Token::Known(token),
            None => daemons_token(&server, daemon.is_some()),
        };
        let kept = login.fingerprint.as_deref().map(parse_fingerprint).transpose()?;
        let given = args.fingerprint.as_deref().filter(|given| !given.is_empty()).map(parse_fingerprint).transpose()?;
        let ca_file = args.ca_file.clone().filter(|path| !path.as_os_str().is_empty()).or(login.ca_file);
        let authorities = ca_file.as_deref().map(Trust::read_authorities).transpose()?.unwrap_or_default();
        let own = daemon.and_then(|daemon| daemon.fingerprint);
        let pinned = given.or(kept).or(own.filter(|_| authorities.is_empty()));
        Ok(Self { server, enterprise: args.enterprise.clone(), token, trust: Trust { pinned, authorities } })
    }

    /// Tells whether bytes to the server can be read on the way: plain HTTP to another machine.
    #[must_use]
    pub fn is_clear_text(&self) -> bool {
        self.server.scheme() == "http" && !is_loopback(&self.server)
    }
}

/// Checks an address.
///
/// # Errors
/// `Usage::BadServer`
pub fn parse_server(text: &str) -> Result<Url, Usage> {
    let bad = |why: &str| Usage::BadServer { found: text.to_owned(), why: why.to_owned() };
    let mut url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("only http and https are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("a login in the address is not used, tokens are"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it has a query or a fragment"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Tells whether the server is this machine.
#[must_use]
pub fn is_loopback(server: &Url) -> bool {
    let Some(host) = server.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The address as people write it, and as `Logins` names it.
#[must_use]
pub fn shown(server: &Url) -> String {
    server.as_str().trim_end_matches('/').to_owned()
}

/// # Errors
/// `Usage::BadPin`
pub fn parse_fingerprint(text: &str) -> Result<CertificateFingerprint, Usage> {
    text.parse().map_err(|source| Usage::BadPin { found: plain(text), source })
}

/// The token that somebody has named, or that of the login.
fn find_token(flag: Option<&Path>, login: Option<String>) -> Result<Option<String>, Failure> {
    if let Some(path) = flag {
        return read_token(path).map(Some);
    }
    if let Some(token) = set_variable("SHUNT_TOKEN") {
        return Ok(Some(token.trim().to_owned()));
    }
    if let Some(path) = set_variable("SHUNT_TOKEN_FILE") {
        return read_token(Path::new(&path)).map(Some);
    }
    Ok(login)
}

/// The local daemon's token is for the local daemon: it is never offered to another machine.
fn daemons_token(server: &Url, is_its_own: bool) -> Token {
    if !is_loopback(server) && !is_its_own {
        return Token::Missing(format!(
            "no token is set: `shunt login {}`, or name one with --token-file, SHUNT_TOKEN_FILE or SHUNT_TOKEN",
            shown(server)
        ));
    }
    let Some(path) = daemon_directory().map(|directory| directory.join("admin.token")) else {
        return Token::Missing(
            "neither XDG_DATA_HOME nor HOME is set, so the daemon's token was not looked for".into(),
        );
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Token::Known(text.trim().to_owned()),
        Err(source) => Token::Missing(format!(
            "cannot read the daemon's token {}: {source}. Log in with `shunt login`, or name another with --token-file",
            path.display()
        )),
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(source) => Err(Failure::ReadFile { path: path.to_owned(), source }),
    }
}

/// Where `shuntd serve` keeps its files by default.
fn daemon_directory() -> Option<PathBuf> {
    let data = set_variable("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let data = data.or_else(|| set_variable("HOME").map(|home| Path::new(&home).join(".local/share")))?;
    Some(data.join("shuntyard"))
}

/// The daemon of this machine and user, as it says of itself.
struct LocalDaemon {
    server: Url,
    fingerprint: Option<CertificateFingerprint>,
}

/// Reads what a daemon has left: an address, and perhaps a fingerprint behind it. What cannot be read is not there.
fn local_daemon() -> Option<LocalDaemon> {
    let text = std::fs::read_to_string(daemon_directory()?.join("admin.server")).ok()?;
    let mut words = text.split_whitespace();
    let server = parse_server(words.next()?).ok()?;
    Some(LocalDaemon { server, fingerprint: words.next().and_then(|text| text.parse().ok()) })
}

/// An environment variable that is set to something; an empty one counts as not set.
fn set_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_addresses_are_checked_before_anything_is_sent() {
        for bad in ["", "localhost:8920", "ftp://h", "http://", "http://u:p@h/", "http://h/?a=b", "http://a b/"] {
            assert!(parse_server(bad).is_err(), "{bad:?}");
        }
        assert_eq!(parse_server("http://127.0.0.1:8920").unwrap().as_str(), "http://127.0.0.1:8920/");
        assert_eq!(parse_server("https://h.example/shunt").unwrap().as_str(), "https://h.example/shunt/");
    }

    #[test]
    fn only_loopback_addresses_count_as_this_machine() {
        let local = |text| is_loopback(&parse_server(text).unwrap());
        for server in ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1", "http://localhost:1"] {
            assert!(local(server), "{server}");
        }
        for server in
            ["http://10.0.0.1", "http://127.0.0.1.example.com", "http://[fe80::1]", "http://localhost.example"]
        {
            assert!(!local(server), "{server}");
        }
    }
}
