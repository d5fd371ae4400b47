//! `shunt token create`: makes an API token and shows it this once.

use clap::Args;
use shuntyard_domain::access::Role;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::access::{CreateToken, MAX_TOKEN_TTL_S, NewToken};

use crate::client::Client;
use crate::commands::user::{PlaceArgs, shown};
use crate::failure::{Failure, Usage};
use crate::run::request::parse_duration;
use crate::terminal::{note, plain, print};

const EXAMPLES: &str = "\
Examples:
  shunt token create laptop > ~/.shunt-token              your own; then: shunt --token-file ~/.shunt-token …
  shunt token create laptop --user carol                  of somebody else, as an admin
  shunt token create ci --machine --role committer --org shop --ttl 365d";

/// Make an API token, of a person or of a program
///
/// The token goes to standard output, and is shown this once; the server keeps its SHA-256. A person's may do what the person
/// may; a machine's has roles of its own, and nobody gives it what is not theirs to give.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CreateArgs {
    /// What the token is called in lists; a machine is called so beside what it does
    name: Name,
    /// Whose it is; without it, yours
    #[arg(long, value_name = "NAME", conflicts_with = "machine")]
    user: Option<Name>,
    /// It is of a program, with roles of its own
    #[arg(long, requires = "roles")]
    machine: bool,
    /// What a machine may do: admin, committer, reviewer, shipper or observer; several times for several
    #[arg(long = "role", value_name = "ROLE", requires = "machine")]
    roles: Vec<Role>,
    #[command(flatten)]
    place: PlaceArgs,
    /// How long it is good for: 12h, 30d; up to ten years
    #[arg(long, value_name = "DURATION", default_value = "90d")]
    ttl: String,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: CreateArgs) -> Result<u8, Failure> {
    let ttl_s = parse_duration(&args.ttl)?;
    if ttl_s > MAX_TOKEN_TTL_S {
        return Err(Usage::ApiTokenTooLong { found: plain(&args.ttl) }.into());
    }
    if client.connection().is_clear_text() {
        return Err(Usage::ClearTextToken { server: client.connection().server.to_string() }.into());
    }
    let grants = args.roles.iter().map(|role| args.place.grant(*role)).collect();
    let wanted = CreateToken { name: args.name, ttl_s, user: args.user, machine: args.machine, grants };
    let made: NewToken = client.create("tokens", &wanted).await?;
    let about = &made.about;
    let whose = match &about.user {
        Some(user) => format!("is {}'s", plain(user)),
        None => format!("is a machine's: {}", shown(&about.grants)),
    };
    note(&format!(
        "token {} {whose}, good until {}. Use it with --token-file FILE, or SHUNT_TOKEN",
        plain(&about.prefix),
        plain(about.expires_at.as_deref().unwrap_or("it is revoked")),
    ));
    print(format!("{}\n", plain(&made.token)).as_bytes())?;
    Ok(0)
}
