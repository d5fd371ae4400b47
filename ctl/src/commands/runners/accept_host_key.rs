//! `shunt ctl accept-host-key`: the way out of quarantine for a runner whose host has a new key.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::wire::api::{AcceptHostKey, RunnerBody};

use crate::client::{Client, encode};
use crate::commands::runners::checked_hostname;
use crate::commands::runners::install::is_fingerprint;
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::steps::{self, StepsEnd};
use crate::terminal::{ask_line, can_ask, note, plain, print};

/// Accept the new host key of a quarantined runner
///
/// Shows the pinned keys and the key that the host shows now, and wants the new fingerprint typed, as you read it on the
/// host itself (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`). The dispatcher pins it only when the host shows exactly
/// that key and passes a Test. Who did it and when is kept: `shunt api get runners/HOSTNAME/events`.
#[derive(Args, Debug)]
pub struct AcceptArgs {
    /// Name of the runner
    hostname: String,
    /// Fingerprint that the host must show; nothing is asked then
    #[arg(long, value_name = "SHA256:…")]
    host_key: Option<String>,
}

/// # Errors
/// `Failure`; a step that fails is exit code 1, not a failure.
pub async fn run(client: &Client, args: AcceptArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?;
    if let Some(found) = args.host_key.as_ref().filter(|key| !is_fingerprint(key)) {
        return Err(Usage::BadFingerprint { found: plain(found) }.into());
    }
    let runner: RunnerBody = client.get(&format!("runners/{hostname}")).await?;
    if runner.state != RunnerState::Quarantined {
        note(&format!("error: runner {hostname} is {}: there is no key to accept", runner.state));
        return Ok(EXIT_ERROR);
    }
    let path = format!("runners/{hostname}");
    accept(client, &path, &format!("runner {hostname}"), &runner.host_keys, args.host_key).await
}

/// Has the new host key of what has this path confirmed; `what` is what people call it.
///
/// # Errors
/// As `run`.
pub async fn accept(
    client: &Client,
    path: &str,
    what: &str,
    pinned: &[String],
    host_key: Option<String>,
) -> Result<u8, Failure> {
    for key in pinned {
        note(&format!("pinned:    {}", plain(key)));
    }
    let mut body = AcceptHostKey { host_key };
    let url = client.url(&format!("{path}/accept-host-key"), &[]);
    loop {
        let json = Some(encode(&url, &body)?);
        match steps::follow(client, Method::POST, &url, json, "Run the command again: that is safe").await? {
            StepsEnd::Finished { .. } => {
                print(format!("{what} has left its quarantine\n").as_bytes())?;
                return Ok(0);
            }
            StepsEnd::HostKeyUnconfirmed { fingerprint, key_type } => {
                note(&format!("shows now: {fingerprint} ({key_type})"));
                body.host_key = Some(typed(fingerprint, key_type)?);
            }
            StepsEnd::Failed(failed) => {
                failed.report();
                return Ok(EXIT_ERROR);
            }
        }
    }
}

/// Has the fingerprint typed; nothing else than what the host shows goes on.
fn typed(fingerprint: String, key_type: String) -> Result<String, Failure> {
    if !can_ask() {
        return Err(Usage::HostKeyUntyped { fingerprint, key_type }.into());
    }
    let answer = ask_line("Type the new fingerprint, as you read it on the host (empty: leave everything as it is):")?;
    if answer == fingerprint { Ok(answer) } else { Err(Failure::HostKeyDeclined) }
}
