//! `shunt ctl dial-out`: where hosts that nobody can connect to dial, and which runner's host does.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::wire::api::RunnerBody;
use shuntyard_domain::wire::dial_out::{DialOutEndpointBody, SetDialOut};

use crate::client::{Client, encode, parse};
use crate::commands::runners::checked_hostname;
use crate::failure::{Failure, Usage};
use crate::pretty_json::pretty;
use crate::terminal::{note, plain, print, stdout_colour};

const EXAMPLES: &str = "\
Examples:
  shunt ctl dial-out                              where hosts dial, and the key that they find there
  ssh-keygen -q -t ed25519 -N '' -f key           on the host: its key
  shunt ctl dial-out build-1 --key-file key.pub   let it open build-1's tunnel; prints how
  shunt ctl dial-out build-1 --stop               connect to build-1 directly again";

/// Reach a runner through a tunnel that its host opens, or show where hosts dial
///
/// For a host that is enrolled already and can no longer be connected to. A new one: `create-token --dial-out`. Without a name:
/// the dispatcher's endpoint, with the key that hosts pin.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DialOutArgs {
    /// Name of the runner
    hostname: Option<String>,
    /// Public key with which the host opens the tunnel; it replaces an earlier one
    #[arg(long, value_name = "FILE", requires = "hostname")]
    key_file: Option<PathBuf>,
    /// Connect to the runner directly again; its key opens no tunnel any more
    #[arg(long, requires = "hostname", conflicts_with = "key_file")]
    stop: bool,
    /// Print the server's JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`
pub async fn run(client: &Client, args: DialOutArgs) -> Result<u8, Failure> {
    let Some(hostname) = &args.hostname else { return show(client, args.json).await };
    let hostname = checked_hostname(hostname)?;
    let url = client.url(&format!("runners/{hostname}/dial-out"), &[]);
    if args.stop {
        let answer = client.answer(Method::DELETE, &url, None).await?.bytes;
        return told(&parse(&url, &answer)?, args.json, &format!("runner {hostname} is connected to directly"));
    }
    let Some(file) = args.key_file else { return Err(Usage::NoDialOutKey.into()) };
    let endpoint: DialOutEndpointBody = client.get("dial-out").await?;
    let public_key = fs::read_to_string(&file).map_err(|source| Failure::ReadFile { path: file, source })?;
    let body = encode(&url, &SetDialOut { public_key: public_key.trim().to_owned() })?;
    let answer = client.answer(Method::PUT, &url, Some(body)).await?.bytes;
    let runner: RunnerBody = parse(&url, &answer)?;
    let code = told(&parse(&url, &answer)?, args.json, &format!("runner {hostname} waits for its host to dial out"))?;
    if !args.json {
        note(&format!(
            "On the host, in the directory with its private key `key`:\n  echo '{}' >known_hosts\n  {}",
            plain(&endpoint.known_hosts_line()),
            plain(&endpoint.command_line(runner.port)),
        ));
    }
    Ok(code)
}

async fn show(client: &Client, json: bool) -> Result<u8, Failure> {
    let endpoint: DialOutEndpointBody = client.get("dial-out").await?;
    let known = [
        ("dial", format!("{}@{} port {}", endpoint.user, endpoint.host, endpoint.port)),
        ("listens at", endpoint.listen.clone()),
        ("fingerprint", endpoint.fingerprint.clone()),
        ("host key", endpoint.host_key.clone()),
        ("known_hosts", endpoint.known_hosts_line()),
    ];
    let lines: String = known.iter().map(|(key, value)| format!("{key:<12} {}\n", plain(value))).collect();
    let value = serde_json::to_value(&endpoint).unwrap_or_default();
    told(&value, json, lines.trim_end())
}

fn told(value: &Value, json: bool, sentence: &str) -> Result<u8, Failure> {
    let text = if json { pretty(value, stdout_colour()) } else { format!("{sentence}\n") };
    print(text.as_bytes())?;
    Ok(0)
}
