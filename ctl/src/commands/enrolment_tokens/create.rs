//! `shunt ctl create-token`: makes an enrolment token and shows it this once.

use clap::Args;
use shuntyard_domain::label::check_capability;
use shuntyard_domain::runner::{MAX_SLOTS, Scope, check_hostname, check_label, check_user};
use shuntyard_domain::wire::enrolment::{CreateEnrolmentToken, MAX_TTL_S, NewEnrolmentToken};

use crate::client::Client;
use crate::commands::jump_hosts::checked_name;
use crate::failure::{Failure, Usage};
use crate::run::request::parse_duration;
use crate::terminal::{note, plain, print};

/// Make a token by which one host enrols itself
///
/// The token goes to standard output, and is shown this once; the server keeps its SHA-256. It is good for one host and, unless
/// --ttl says otherwise, for an hour. What to type on the host goes to standard error.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// What the token is called in lists
    name: String,
    /// How long it is good for: 30m, 12h; up to 30 days
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    ttl: String,
    /// Network that the host must ask from
    #[arg(long, value_name = "CIDR")]
    cidr: Option<String>,
    /// Name that the runner gets; without it the host says how it is called
    #[arg(long = "name", value_name = "HOSTNAME")]
    hostname: Option<String>,
    /// Labels of the runner, that filters can ask for
    #[arg(long = "label", value_name = "A,B", value_delimiter = ',')]
    labels: Vec<String>,
    /// What the host can do, that filters can ask for
    #[arg(long = "capability", value_name = "A,B", value_delimiter = ',')]
    capabilities: Vec<String>,
    /// Organisation that alone is served; without it all are
    #[arg(long = "scope", value_name = "ORG")]
    org: Option<String>,
    /// Jump host through which the host is reached
    #[arg(long, value_name = "NAME")]
    jump: Option<String>,
    /// Jobs that may run at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SLOTS)))]
    slots: u32,
    /// The runner takes one job and is then removed
    #[arg(long)]
    one_off: bool,
    /// For a host that nobody can connect to: it opens a tunnel to the dispatcher, and is reached through that
    #[arg(long, conflicts_with = "jump")]
    dial_out: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: CreateArgs) -> Result<u8, Failure> {
    let body = resolve(args)?;
    if client.connection().is_clear_text() {
        return Err(Usage::ClearTextToken { server: client.connection().server.to_string() }.into());
    }
    let made: NewEnrolmentToken = client.create("enrolment-tokens", &body).await?;
    let server = client.connection().server.to_string();
    let url = server.trim_end_matches('/');
    note(&format!(
        "token {} is good for one host until {}. On the host, as root, or as the user whose jobs it shall run:\n  \
         curl -fsS {url}/enrol.sh | sh -s {url}\n\
         It asks for the token, or takes it from SHUNT_ENROL_TOKEN. The address must be one at which the host reaches the \
         dispatcher.",
        plain(&made.about.prefix),
        plain(&made.about.expires_at),
    ));
    if client.connection().trust.pinned.is_some() {
        note(
            "The server's certificate signs itself: bring tls.crt of its data directory to the host, and `export \
             CURL_CA_BUNDLE=tls.crt` there first. The address must be one of those that it was made for ([tls] names).",
        );
    }
    print(format!("{}\n", plain(&made.token)).as_bytes())?;
    Ok(0)
}

fn resolve(args: CreateArgs) -> Result<CreateEnrolmentToken, Failure> {
    if args.name.is_empty() || args.name.chars().count() > 100 || args.name.chars().any(char::is_control) {
        return Err(Usage::BadTokenName { found: plain(&args.name) }.into());
    }
    let ttl_s = parse_duration(&args.ttl)?;
    if ttl_s > MAX_TTL_S {
        return Err(Usage::TokenTooLong { found: plain(&args.ttl) }.into());
    }
    if let Some(hostname) = &args.hostname {
        check_hostname(hostname).map_err(Usage::BadName)?;
    }
    for label in &args.labels {
        check_label(label).map_err(Usage::BadName)?;
    }
    for capability in &args.capabilities {
        check_capability(capability).map_err(Usage::BadName)?;
    }
    if let Some(org) = &args.org {
        check_user(org).map_err(|mut bad| {
            bad.what = "organisation";
            Usage::BadName(bad)
        })?;
    }
    Ok(CreateEnrolmentToken {
        name: args.name,
        ttl_s,
        cidr: args.cidr,
        hostname: args.hostname,
        labels: args.labels.into_iter().collect(),
        capabilities: args.capabilities.into_iter().collect(),
        scope: args.org.map_or(Scope::Enterprise, Scope::Org),
        slots: args.slots,
        jump: args.jump.as_deref().map(checked_name).transpose()?,
        one_off: args.one_off,
        dial_out: args.dial_out,
    })
}
