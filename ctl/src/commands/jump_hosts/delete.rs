//! `shunt ctl jump-host delete`: removes the record and the key of a jump host.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::wire::jump_host::JumpHostBody;

use super::{checked_name, path};
use crate::client::Client;
use crate::failure::{Failure, Usage};
use crate::terminal::{can_ask, confirm, note, plain, print};

/// Remove a jump host that nothing is reached through
///
/// Its private key is destroyed. The line in authorized_keys stays on the host, which our key may not change; nothing opens it
/// any more.
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Name of the jump host
    name: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// # Errors
/// `Failure` while runners or other jump hosts are reached through it.
pub async fn run(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let name = checked_name(&args.name)?;
    let host: JumpHostBody = client.get(&path(&name)).await?;
    if !args.yes {
        if !can_ask() {
            return Err(Usage::ConfirmationNeeded.into());
        }
        if !confirm(&format!("Remove jump host {name} and its key?"))? {
            return Err(Failure::Declined);
        }
    }
    client.answer(Method::DELETE, &client.url(&path(&name), &[]), None).await?;
    let left = format!(
        "left on the host: the line ending in shuntyard_jump@{name} in ~{}/.ssh/authorized_keys on {}; no key opens it any more",
        host.user, host.address
    );
    note(&plain(&left));
    print(format!("jump host {name} is removed\n").as_bytes())?;
    Ok(0)
}
