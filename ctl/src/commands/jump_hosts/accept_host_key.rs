//! `shunt ctl jump-host accept-host-key`: the way out of quarantine.

use clap::Args;
use shuntyard_domain::wire::jump_host::JumpHostBody;

use super::{checked_name, path};
use crate::client::Client;
use crate::commands::runners::accept_host_key::accept;
use crate::commands::runners::install::is_fingerprint;
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::terminal::{note, plain};

/// Accept the new host key of a quarantined jump host
///
/// As `shunt ctl accept-host-key` does for a runner: the new fingerprint is typed, as you read it on the host itself. Runners
/// behind it are connected again afterwards.
#[derive(Args, Debug)]
pub struct AcceptArgs {
    /// Name of the jump host
    name: String,
    /// Fingerprint that the host must show; nothing is asked then
    #[arg(long, value_name = "SHA256:…")]
    host_key: Option<String>,
}

/// # Errors
/// `Failure`; a step that fails is exit code 1, not a failure.
pub async fn run(client: &Client, args: AcceptArgs) -> Result<u8, Failure> {
    let name = checked_name(&args.name)?;
    if let Some(found) = args.host_key.as_ref().filter(|key| !is_fingerprint(key)) {
        return Err(Usage::BadFingerprint { found: plain(found) }.into());
    }
    let host: JumpHostBody = client.get(&path(&name)).await?;
    if host.state != "quarantined" {
        let next = if host.state == "unconfirmed" { "; `shunt ctl jump-host test` confirms its first one" } else { "" };
        note(&format!("error: jump host {name} is {}: there is no key to accept{next}", plain(&host.state)));
        return Ok(EXIT_ERROR);
    }
    accept(client, &path(&name), &format!("jump host {name}"), &host.host_keys, args.host_key).await
}
