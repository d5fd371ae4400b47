//! `shunt user grant|revoke-grant|disable|enable|delete`.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::access::Role;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{PatchUser, UserBody};

use super::{PlaceArgs, path, shown};
use crate::client::{Client, encode, parse};
use crate::commands::change::done;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  shunt user grant ann admin                              in the whole enterprise
  shunt user grant bob committer --org shop               in all projects of shop
  shunt user grant bob shipper --org shop --project web   in one project";

/// A user's role somewhere.
///
/// A role for a place holds in all that lies in it; an admin may do all that the others may.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, long_about = None)]
pub struct GrantArgs {
    /// Name of the user
    name: Name,
    /// admin, committer, reviewer, shipper or observer
    role: Role,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Keep a user out: no login, no token of theirs works any more
///
/// It counts from the next request on, and ends their open streams. Jobs that they have started go on. `enable` undoes it.
#[derive(Args, Debug)]
pub struct DisableArgs {
    /// Name of the user
    name: Name,
}

/// Let a disabled user in again, with the password and tokens as they were
#[derive(Args, Debug)]
pub struct EnableArgs {
    /// Name of the user
    name: Name,
}

/// Delete a user with all roles and tokens
#[derive(Args, Debug)]
pub struct DeleteArgs {
    /// Name of the user
    name: Name,
}

/// # Errors
/// `Failure`, as all below.
pub async fn grant(client: &Client, args: GrantArgs) -> Result<u8, Failure> {
    let grant = vec![args.place.grant(args.role)];
    let user = patch(client, &args.name, PatchUser { grant, ..PatchUser::default() }).await?;
    done(&format!("user {} is {}", user.name, shown(&user.grants)));
    Ok(0)
}

pub async fn revoke(client: &Client, args: GrantArgs) -> Result<u8, Failure> {
    let revoke = vec![args.place.grant(args.role)];
    let user = patch(client, &args.name, PatchUser { revoke, ..PatchUser::default() }).await?;
    let left =
        if user.grants.is_empty() { "has no role any more".to_owned() } else { format!("is {}", shown(&user.grants)) };
    done(&format!("user {} {left}", user.name));
    Ok(0)
}

pub async fn disable(client: &Client, args: DisableArgs) -> Result<u8, Failure> {
    patch(client, &args.name, PatchUser { disabled: Some(true), ..PatchUser::default() }).await?;
    done(&format!("user {} is disabled", args.name));
    Ok(0)
}

pub async fn enable(client: &Client, args: EnableArgs) -> Result<u8, Failure> {
    patch(client, &args.name, PatchUser { disabled: Some(false), ..PatchUser::default() }).await?;
    done(&format!("user {} is enabled", args.name));
    Ok(0)
}

pub async fn delete(client: &Client, args: DeleteArgs) -> Result<u8, Failure> {
    let url = client.url(&path(&args.name), &[]);
    client.answer(Method::DELETE, &url, None).await?;
    done(&format!("user {} is deleted", args.name));
    Ok(0)
}

async fn patch(client: &Client, name: &Name, patch: PatchUser) -> Result<UserBody, Failure> {
    let url = client.url(&path(name), &[]);
    let answer = client.answer(Method::PATCH, &url, Some(encode(&url, &patch)?)).await?;
    Ok(parse(&url, &answer.bytes)?)
}
