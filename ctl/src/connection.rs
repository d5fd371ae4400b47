//! Which server to speak to, and as whom: flags, then the environment, then what the daemon left on this machine.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest::Url;
use shuntyard_domain::runner::check_user;

use crate::failure::{Failure, Usage};

const DEFAULT_SERVER: &str = "http://127.0.0.1:8920";

/// The connection flags as they were written.
#[derive(Args, Debug)]
pub struct ConnectionArgs {
    /// Address of the dispatcher
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SHUNT_SERVER",
        hide_env_values = true,
        default_value = DEFAULT_SERVER,
        help_heading = "Connection"
    )]
    pub server: String,

    /// File with the API token [env: SHUNT_TOKEN (the token itself), SHUNT_TOKEN_FILE] [default: the admin token that
    /// the daemon keeps on this machine]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Connection")]
    pub token_file: Option<PathBuf>,

    /// Enterprise that is spoken for
    #[arg(long, global = true, value_name = "NAME", default_value = "default", help_heading = "Connection")]
    pub enterprise: String,
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
}

impl Connection {
    /// Checks the flags and finds the token; nothing is sent.
    ///
    /// # Errors
    /// `Usage` for a bad address or enterprise, `ReadFile` for a token file that was named and cannot be read.
    pub fn resolve(args: &ConnectionArgs) -> Result<Self, Failure> {
        // An empty SHUNT_SERVER counts as not set.
        let server = parse_server(if args.server.is_empty() { DEFAULT_SERVER } else { &args.server })?;
        check_user(&args.enterprise).map_err(|mut bad| {
            bad.what = "enterprise";
            Usage::BadName(bad)
        })?;
        let token = find_token(args.token_file.as_deref(), &server)?;
        Ok(Self { server, enterprise: args.enterprise.clone(), token })
    }

    /// Tells whether bytes to the server can be read on the way: plain HTTP to another machine.
    #[must_use]
    pub fn is_clear_text(&self) -> bool {
        self.server.scheme() == "http" && !is_loopback(&self.server)
    }
}

fn parse_server(text: &str) -> Result<Url, Usage> {
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

fn find_token(flag: Option<&Path>, server: &Url) -> Result<Token, Failure> {
    if let Some(path) = flag {
        return read_token(path);
    }
    if let Some(token) = set_variable("SHUNT_TOKEN") {
        return Ok(Token::Known(token.trim().to_owned()));
    }
    if let Some(path) = set_variable("SHUNT_TOKEN_FILE") {
        return read_token(Path::new(&path));
    }
    // The local daemon's token is for the local daemon: it is never offered to another machine.
    if !is_loopback(server) {
        return Ok(Token::Missing(
            "no token is set: name one with --token-file, SHUNT_TOKEN_FILE or SHUNT_TOKEN".into(),
        ));
    }
    let Some(path) = daemon_token_path() else {
        return Ok(Token::Missing(
            "neither XDG_DATA_HOME nor HOME is set, so the daemon's token was not looked for".into(),
        ));
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Token::Known(text.trim().to_owned())),
        Err(source) => Ok(Token::Missing(format!(
            "cannot read the daemon's token {}: {source}. Name another with --token-file",
            path.display()
        ))),
    }
}

fn read_token(path: &Path) -> Result<Token, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Token::Known(text.trim().to_owned())),
        Err(source) => Err(Failure::ReadFile { path: path.to_owned(), source }),
    }
}

/// Where `shuntd serve` writes its admin token by default.
fn daemon_token_path() -> Option<PathBuf> {
    let data = set_variable("XDG_DATA_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
    let data = data.or_else(|| set_variable("HOME").map(|home| Path::new(&home).join(".local/share")))?;
    Some(data.join("shuntyard/admin.token"))
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
