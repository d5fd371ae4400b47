//! `shunt whoami`: which server is spoken to, and as whom.

use clap::Args;
use reqwest::Method;
use serde_json::json;
use shuntyard_domain::wire::access::UserBody;

use crate::client::Client;
use crate::commands::user::shown as shown_grants;
use crate::connection::{Connection, ConnectionArgs, shown};
use crate::failure::Failure;
use crate::logins::Logins;
use crate::pretty_json::pretty;
use crate::terminal::{plain, print, stdout_colour};

/// Show which dispatcher is spoken to, as whom, and until when
#[derive(Args, Debug)]
pub struct WhoamiArgs {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server cannot be reached or does not take the token.
pub async fn run(given: &ConnectionArgs, args: WhoamiArgs) -> Result<u8, Failure> {
    let connection = Connection::resolve(given)?;
    let server = shown(&connection.server);
    let login = Logins::read()?.servers.remove(&server).unwrap_or_default();
    let pinned = connection.trust.pinned.map(|pinned| pinned.to_string());
    let client = Client::new(connection)?;
    let roles = match &login.user {
        Some(user) => Some(shown_grants(&client.get::<UserBody>(&format!("users/{user}")).await?.grants)),
        None => {
            // Whose token it is nobody has said; every role may ask this, so it is good when it is answered.
            client.answer(Method::GET, &client.url("orgs", &[]), None).await?;
            None
        }
    };
    let told = [
        ("server", Some(server)),
        ("user", login.user),
        ("roles", roles),
        ("expires_at", login.expires_at),
        ("certificate", pinned),
    ];
    if args.json {
        let object: serde_json::Map<String, _> =
            told.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        print(pretty(&object.into(), stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let line = |(name, value): (&str, Option<String>)| value.map(|value| format!("{name:<12} {}\n", plain(&value)));
    let lines: String = told.into_iter().filter_map(line).collect();
    print(lines.as_bytes())?;
    Ok(0)
}
