//! `shunt token revoke`: makes an API token useless.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::wire::access::{TokenBody, TokenList};

use crate::client::Client;
use crate::commands::change::done;
use crate::failure::Failure;
use crate::terminal::plain;

/// Revoke an API token: your own, or anybody's as an admin
///
/// It counts from the next request on, and ends the streams that were opened with it.
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// Its prefix (`shyu_` or `shym_` and four characters), its name, or its id
    token: String,
}

/// # Errors
/// `Failure`, also when nothing or several tokens are called so.
pub async fn run(client: &Client, args: RevokeArgs) -> Result<u8, Failure> {
    let TokenList { tokens } = client.get("tokens").await?;
    let called =
        |token: &&TokenBody| token.state != "revoked" && [&token.prefix, &token.name, &token.id].contains(&&args.token);
    let found: Vec<&TokenBody> = tokens.iter().filter(called).collect();
    let [token] = found[..] else {
        let (name, found) = (plain(&args.token), found.len());
        let failure = if found == 0 { Failure::NoApiToken(name) } else { Failure::ApiTokensAlike { name, found } };
        return Err(failure);
    };
    let url = client.url(&format!("tokens/{}", token.id), &[]);
    client.answer(Method::DELETE, &url, None).await?;
    done(&format!("token {} ({}) is revoked", plain(&token.name), plain(&token.prefix)));
    Ok(0)
}
