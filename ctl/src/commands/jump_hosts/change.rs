//! `shunt ctl jump-host change`: where a jump host is, and what lies before it.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::runner::{check_hostname, check_user};
use shuntyard_domain::wire::jump_host::{JumpHostBody, PatchJumpHost};

use super::{checked_name, path};
use crate::client::{Client, encode, parse};
use crate::failure::{Failure, Usage};
use crate::terminal::{note, plain, print};

/// Change where a jump host is, and what lies before it
///
/// What it carries is connected anew; jobs go on meanwhile. Another address or port is another host: its key is then to be
/// confirmed with `shunt ctl jump-host test`.
#[derive(Args, Debug)]
#[group(id = "what", required = true, multiple = true, args = ["address", "port", "user", "jump", "direct"])]
pub struct ChangeArgs {
    /// Name of the jump host
    name: String,
    /// Where to connect
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// Port of sshd
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Account that forwards; our key must stand in its authorized_keys
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Jump host before it
    #[arg(long, value_name = "NAME")]
    jump: Option<String>,
    /// No jump host before it
    #[arg(long, conflicts_with = "jump")]
    direct: bool,
}

/// # Errors
/// `Failure` when the server refuses; nothing is changed then.
pub async fn run(client: &Client, args: ChangeArgs) -> Result<u8, Failure> {
    let name = checked_name(&args.name)?;
    if let Some(address) = &args.address {
        check_hostname(address).map_err(Usage::BadName)?;
    }
    if let Some(user) = &args.user {
        check_user(user).map_err(Usage::BadName)?;
    }
    let jump = args.jump.as_deref().map(checked_name).transpose()?.map(|name| name.to_string());
    let jump = if args.direct { Some(String::new()) } else { jump };
    let url = client.url(&path(&name), &[]);
    let body = PatchJumpHost { address: args.address, port: args.port, user: args.user, jump };
    let json = encode(&url, &body)?;
    let host: JumpHostBody = parse(&url, &client.answer(Method::PATCH, &url, Some(json)).await?.bytes)?;
    if host.state == "unconfirmed" {
        note(&format!("its host key is to be confirmed: shunt ctl jump-host test {name}"));
    }
    let way = host.jump.as_ref().map_or_else(|| "directly".to_owned(), |jump| format!("through {jump}"));
    print((plain(&format!("{name}: {}:{} as {}, {way}", host.address, host.port, host.user)) + "\n").as_bytes())?;
    Ok(0)
}
