//! `shunt logout`: revokes the token and forgets it.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use crate::client::{Client, encode};
use crate::client_error::ClientError;
use crate::connection::{Connection, ConnectionArgs, Token, shown};
use crate::failure::{EXIT_ERROR, Failure};
use crate::logins::{Login, Logins};
use crate::terminal::note;

/// Log out: revoke the token of `shunt login` and forget it
///
/// A token that was given to `shunt login --token-stdin` is forgotten and goes on being good. The pinned certificate is
/// forgotten, too.
#[derive(Args, Debug)]
pub struct LogoutArgs {
    /// Address of the dispatcher [default: as for every command]
    #[arg(value_name = "SERVER")]
    address: Option<String>,
}

/// # Errors
/// `NotLoggedIn`, `Failure` when the file cannot be changed. A server that does not revoke is told of, and forgotten all the same.
pub async fn run(given: &ConnectionArgs, args: LogoutArgs) -> Result<u8, Failure> {
    let connection = Connection::resolve(&given.at(args.address))?;
    let server = shown(&connection.server);
    let Some(login) = Logins::read()?.servers.remove(&server) else { return Err(Failure::NotLoggedIn { server }) };
    let revoked = revoke(&connection, &login).await;
    Logins::change(|logins| {
        logins.servers.remove(&server);
        logins.current.take_if(|current| *current == server);
    })?;
    match revoked {
        Ok(()) => {
            note(&format!("logged out from {server}"));
            Ok(0)
        }
        Err(error) => {
            note(&format!("forgot the token of {server}, but could not revoke it: {error}"));
            Ok(EXIT_ERROR)
        }
    }
}

async fn revoke(connection: &Connection, login: &Login) -> Result<(), ClientError> {
    let (Some(user), Some(token)) = (&login.user, &login.token) else { return Ok(()) };
    let client = Client::new(Connection { token: Token::Known(token.clone()), ..connection.clone() })?;
    let url = client.url(&format!("users/{user}/revoke-token"), &[]);
    let body = encode(&url, &json!({"token": token}))?;
    match client.answer(Method::POST, &url, Some(body)).await {
        // It was expired or revoked already.
        Ok(_) | Err(ClientError::TokenDenied { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
