//! `shunt user list` and `show`.

use clap::Args;
use serde_json::Value;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{UserBody, UserList};

use super::{path, shown};
use crate::client::Client;
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{plain, print, stdout_colour};

/// List the users and their roles
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// Show one user
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Name of the user
    name: Name,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server or standard output fails.
pub async fn list(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    if args.json {
        let users: Value = client.get("users").await?;
        print(pretty(&users, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let UserList { users } = client.get("users").await?;
    let row = |user: &UserBody| {
        vec![
            user.name.to_string(),
            shown(&user.grants),
            state(user).to_owned(),
            password(user).to_owned(),
            user.created_at.clone(),
            user.created_by.clone(),
        ]
    };
    let header = ["NAME", "ROLES", "STATE", "PASSWORD", "CREATED", "BY"];
    print(table::render(&header, users.iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

/// # Errors
/// As `list`.
pub async fn run(client: &Client, args: ShowArgs) -> Result<u8, Failure> {
    if args.json {
        let user: Value = client.get(&path(&args.name)).await?;
        print(pretty(&user, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let user: UserBody = client.get(&path(&args.name)).await?;
    let roles = shown(&user.grants);
    let since = |at: &Option<String>| at.as_ref().map(|at| format!(", since {}", plain(at))).unwrap_or_default();
    print(
        format!(
            "{}\nroles     {}\nstate     {}{}\npassword  {}{}\ncreated   {} by {}\n",
            user.name,
            if roles.is_empty() { "-" } else { &roles },
            state(&user),
            since(&user.disabled_at),
            password(&user),
            since(&user.password_set_at),
            plain(&user.created_at),
            plain(&user.created_by),
        )
        .as_bytes(),
    )?;
    Ok(0)
}

fn state(user: &UserBody) -> &'static str {
    if user.disabled { "disabled" } else { "enabled" }
}

fn password(user: &UserBody) -> &'static str {
    if user.has_password { "set" } else { "none" }
}
