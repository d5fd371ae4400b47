//! `shunt user create`: makes a user.

use clap::Args;
use shuntyard_domain::access::Role;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{CreateUser, UserBody};

use super::password::{NewPasswordArgs, over_safe_way};
use super::{PlaceArgs, shown};
use crate::client::Client;
use crate::commands::change::done;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  shunt user create ann --role admin                      asks for the password
  shunt user create bob --role committer --org shop --password-stdin < password
  shunt user create carol --no-password                   then: shunt token create laptop --user carol";

/// Make a user, with a password that is asked for without echo
///
/// A user without a role may log in and do nothing. Further roles: `shunt user grant`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CreateArgs {
    /// Letters, digits, `.`, `_` and `-`
    name: Name,
    /// What the user may do: admin, committer, reviewer, shipper or observer; several times for several
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    password: NewPasswordArgs,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: CreateArgs) -> Result<u8, Failure> {
    over_safe_way(client)?;
    let password = args.password.resolve()?;
    let grants = args.roles.iter().map(|role| args.place.grant(*role)).collect();
    let made: UserBody = client.create("users", &CreateUser { name: args.name, password, grants }).await?;
    let may = if made.grants.is_empty() {
        format!("has no role yet: shunt user grant {} ROLE", made.name)
    } else {
        format!("is {}", shown(&made.grants))
    };
    done(&format!("user {} is made and {may}", made.name));
    Ok(0)
}
