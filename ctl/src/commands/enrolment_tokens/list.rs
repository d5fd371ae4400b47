//! `shunt ctl list-tokens`: the enrolment tokens as a table.

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::wire::enrolment::EnrolmentTokenBody;

use super::scope;
use crate::client::{Client, parse};
use crate::failure::Failure;
use crate::pretty_json::pretty;
use crate::table;
use crate::terminal::{print, stdout_colour};

const HEADER: [&str; 13] = [
    "NAME",
    "PREFIX",
    "STATE",
    "EXPIRES",
    "HOSTNAME",
    "CIDR",
    "LABELS",
    "ORG",
    "SLOTS",
    "ONE-OFF",
    "JUMP",
    "DIALS-OUT",
    "RUNNER",
];

/// List enrolment tokens, used ones too, newest first
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure` when the server or standard output fails.
pub async fn run(client: &Client, args: ListArgs) -> Result<u8, Failure> {
    let url = client.url("enrolment-tokens", &[]);
    let answer = client.answer(Method::GET, &url, None).await?;
    if args.json {
        let value: Value = parse(&url, &answer.bytes)?;
        print(pretty(&value, stdout_colour()).as_bytes())?;
        return Ok(0);
    }
    let tokens: Vec<EnrolmentTokenBody> = parse(&url, &answer.bytes)?;
    print(table::render(&HEADER, tokens.iter().map(row).collect()).as_bytes())?;
    Ok(0)
}

fn row(token: &EnrolmentTokenBody) -> Vec<String> {
    let mark = |set: bool| if set { "yes".to_owned() } else { String::new() };
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        token.name.clone(),
        token.prefix.clone(),
        token.state.clone(),
        token.expires_at.clone(),
        or_empty(&token.hostname),
        or_empty(&token.cidr),
        token.labels.iter().cloned().collect::<Vec<_>>().join(","),
        scope(&token.scope),
        token.slots.to_string(),
        mark(token.one_off),
        token.jump.as_ref().map(ToString::to_string).unwrap_or_default(),
        mark(token.dial_out),
        or_empty(&token.runner),
    ]
}
