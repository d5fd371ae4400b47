//! `shunt ctl revoke-token`: makes an enrolment token useless.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::wire::enrolment::EnrolmentTokenBody;

use crate::client::Client;
use crate::failure::Failure;
use crate::terminal::{plain, print};

/// Revoke an enrolment token that was not used
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// Its prefix (`shye_` and four characters), its name, or its id
    token: String,
}

/// # Errors
/// `Failure`, also when nothing or several tokens are called so.
pub async fn run(client: &Client, args: RevokeArgs) -> Result<u8, Failure> {
    let tokens: Vec<EnrolmentTokenBody> = client.get("enrolment-tokens").await?;
    let wanted = args.token.as_str();
    let called = |token: &&EnrolmentTokenBody| {
        matches!(token.state.as_str(), "good" | "expired")
            && [&token.prefix, &token.name, &token.id].contains(&&args.token)
    };
    let found: Vec<&EnrolmentTokenBody> = tokens.iter().filter(called).collect();
    let [token] = found[..] else {
        let (name, found) = (plain(wanted), found.len());
        let failure = if found == 0 { Failure::NoEnrolmentToken(name) } else { Failure::TokensAlike { name, found } };
        return Err(failure);
    };
    let url = client.url(&format!("enrolment-tokens/{}", token.id), &[]);
    client.answer(Method::DELETE, &url, None).await?;
    print(format!("token {} ({}) is revoked\n", plain(&token.name), plain(&token.prefix)).as_bytes())?;
    Ok(0)
}
