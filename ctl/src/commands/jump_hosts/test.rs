//! `shunt ctl jump-host test`: every hop, the login, the forwarding; shown as it goes.

use clap::Args;
use reqwest::Method;
use shuntyard_domain::wire::api::AcceptHostKey;

use super::{checked_name, path};
use crate::client::{Client, encode};
use crate::commands::runners::install::{confirm_host_key, is_fingerprint};
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::steps::{self, StepsEnd};
use crate::terminal::{plain, print};

const AGAIN: &str = "Run the test again";

/// Test a jump host: every hop before it, its login, whether it forwards
///
/// At the first test of one that was made with --print-key, its host key is confirmed and pinned.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Name of the jump host
    name: String,
    /// Fingerprint that it must show at the first test
    #[arg(long, value_name = "SHA256:…")]
    host_key: Option<String>,
    /// At the first test, accept the key that it shows
    #[arg(short, long)]
    yes: bool,
}

/// # Errors
/// `Failure`; a jump host that fails its Test is exit code 1, not a failure.
pub async fn run(client: &Client, args: TestArgs) -> Result<u8, Failure> {
    let name = checked_name(&args.name)?;
    if let Some(found) = args.host_key.as_ref().filter(|key| !is_fingerprint(key)) {
        return Err(Usage::BadFingerprint { found: plain(found) }.into());
    }
    let mut url = client.url(&format!("{}/health", path(&name)), &[]);
    let mut json = None;
    let mut first: Option<String> = None;
    loop {
        match steps::follow(client, Method::POST, &url, json, AGAIN).await? {
            StepsEnd::Finished { .. } => {
                print(format!("jump host {name} is ok\n").as_bytes())?;
                return Ok(0);
            }
            StepsEnd::HostKeyUnconfirmed { fingerprint, key_type } => {
                match first.take().or_else(|| args.host_key.clone().filter(|wanted| *wanted != fingerprint)) {
                    Some(first) => return Err(Failure::HostKeyDiffers { first, second: fingerprint }),
                    None if args.host_key.is_some() => {}
                    None => confirm_host_key(name.as_str(), &fingerprint, &key_type, args.yes)?,
                }
                url = client.url(&format!("{}/accept-host-key", path(&name)), &[]);
                json = Some(encode(&url, &AcceptHostKey { host_key: Some(fingerprint.clone()) })?);
                first = Some(fingerprint);
            }
            StepsEnd::Failed(failed) => {
                failed.report();
                return Ok(EXIT_ERROR);
            }
        }
    }
}
