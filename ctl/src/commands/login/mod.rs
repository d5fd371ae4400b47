//! `shunt login`: gets a token by a password, pins the server's certificate, and keeps both for later commands.

mod certificate;
pub mod logout;
pub mod whoami;

use std::time::{Duration, SystemTime};

use clap::Args;
use reqwest::{Method, StatusCode};
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{GetToken, GotToken};

use crate::client::{Client, encode, parse};
use crate::client_error::ClientError;
use crate::connection::{Connection, ConnectionArgs, Token, shown};
use crate::failure::{Failure, Usage};
use crate::logins::{Login, Logins};
use crate::terminal::{ask_line, ask_secret, can_ask, note};

const EXAMPLES: &str = "\
Examples:
  shunt login https://shunt.example.com:8920
  shunt login https://10.0.0.5:8920 --user ci --password-stdin --fingerprint SHA256:… < password
  shunt login https://10.0.0.5:8920 --token-stdin < token";

/// Log in at a dispatcher: later commands speak to it, with the token that this one gets
///
/// Asks for name and password. A server that has made its certificate itself shows its fingerprint, once: compare it with what
/// `shuntd fingerprint` prints there. Address, fingerprint and token are kept in ~/.config/shuntyard/logins.json, which you alone
/// can read; of several servers the one that was logged in to last is spoken to, and --server names another.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct LoginArgs {
    /// Address of the dispatcher, https://HOST[:PORT] [default: as for every command]
    #[arg(value_name = "SERVER")]
    address: Option<String>,
    /// Name of the user [default: asked for]
    #[arg(long, value_name = "NAME")]
    user: Option<Name>,
    /// Read the password from the first line of standard input
    #[arg(long, conflicts_with = "token_stdin")]
    password_stdin: bool,
    /// Read a token that there is already from the first line of standard input, instead of getting one by a password
    #[arg(long, conflicts_with = "user")]
    token_stdin: bool,
}

/// # Errors
/// `Failure`; nothing is kept then.
pub async fn run(given: &ConnectionArgs, args: LoginArgs) -> Result<u8, Failure> {
    let mut connection = Connection::resolve(&given.at(args.address.clone()))?;
    if connection.is_clear_text() {
        return Err(Usage::ClearText { server: connection.server.to_string() }.into());
    }
    let by_flag = given.fingerprint.as_deref().is_some_and(|flag| !flag.is_empty());
    certificate::confirm(&mut connection, by_flag).await?;
    let mut login =
        if args.token_stdin { with_token(&connection).await? } else { with_password(&connection, &args).await? };
    login.fingerprint = connection.trust.pinned.map(|pinned| pinned.to_string());
    login.enterprise = Some(connection.enterprise.clone());
    if let Some(path) = given.ca_file.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        login.ca_file = Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    }
    let server = shown(&connection.server);
    let as_whom = login.user.as_ref().map(|user| format!(" as {user}")).unwrap_or_default();
    let until = login.expires_at.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
    Logins::change(|logins| {
        logins.current = Some(server.clone());
        // A file of authorities that was named once holds until another one is.
        let earlier = logins.servers.remove(&server).and_then(|earlier| earlier.ca_file);
        login.ca_file = login.ca_file.take().or(earlier);
        logins.servers.insert(server.clone(), login);
    })?;
    note(&format!("logged in at {server}{as_whom}{until}"));
    Ok(0)
}

/// Gets a token by name and password.
async fn with_password(connection: &Connection, args: &LoginArgs) -> Result<Login, Failure> {
    let user = user_name(args)?;
    let password = if args.password_stdin {
        first_line(Usage::EmptyPassword)?
    } else {
        ask_secret("password", "--password-stdin")?
    };
    // Whoever logs in sends no token that they may have.
    let client = Client::new(Connection { token: Token::Missing(String::new()), ..connection.clone() })?;
    let url = client.url(&format!("users/{user}/get-token"), &[]);
    let body = encode(&url, &GetToken { username: user.to_string(), password })?;
    let answer = client.answer(Method::POST, &url, Some(body)).await.map_err(|error| match error {
        ClientError::TokenDenied { server, .. } => Failure::LoginDenied { server },
        ClientError::Refused(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
            Failure::LoginDenied { server: shown(&connection.server) }
        }
        error => error.into(),
    })?;
    let got: GotToken = parse(&url, &answer.bytes)?;
    let expires_at = answer.server_time.and_then(|now| time_text(now, got.ttl.into()));
    Ok(Login { user: Some(user.to_string()), token: Some(got.token), expires_at, ..Login::default() })
}

/// Takes a token that there is, once the server has accepted it.
async fn with_token(connection: &Connection) -> Result<Login, Failure> {
    let token = first_line(Usage::EmptyToken)?;
    let client = Client::new(Connection { token: Token::Known(token.clone()), ..connection.clone() })?;
    client.answer(Method::GET, &client.url("orgs", &[]), None).await?;
    Ok(Login { token: Some(token), ..Login::default() })
}

fn user_name(args: &LoginArgs) -> Result<Name, Failure> {
    if let Some(user) = &args.user {
        return Ok(user.clone());
    }
    if args.password_stdin || !can_ask() {
        return Err(Usage::NoUser.into());
    }
    Ok(ask_line("user:")?.parse().map_err(Usage::BadName)?)
}

fn first_line(if_empty: Usage) -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(Failure::ReadInput)?;
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() { Err(if_empty.into()) } else { Ok(line) }
}

/// So many seconds behind the server's own time, to the second.
fn time_text(now: SystemTime, ttl_s: u64) -> Option<String> {
    let at = now.checked_add(Duration::from_secs(ttl_s))?;
    Some(humantime::format_rfc3339_seconds(at).to_string())
}
