//! `shunt ctl install-runner`: the dispatcher does the bootstrap; this shows its steps and asks what must be asked.

use std::collections::BTreeSet;

use clap::Args;
use reqwest::Method;
use serde::Serialize;
use shuntyard_domain::label::{check_capability, check_label};
use shuntyard_domain::runner::{MAX_SLOTS, check_hostname, check_user};
use shuntyard_domain::wire::api::{InstallRunner, RunnerBody, default_ssh_port};

use crate::client::{Client, encode};
use crate::commands::jump_hosts::checked_name;
use crate::commands::runners::credential::{Credential, CredentialArgs};
use crate::commands::runners::{checked_hostname, scope};
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::steps::{self, FailedStep, StepsEnd};
use crate::terminal::{ask_secret, can_ask, confirm, note, plain, print};

/// Enrol a host: it needs sshd, a POSIX shell and a login
///
/// The dispatcher connects to the host, confirms its key, reads its facts, makes a key pair for this runner, installs
/// the wrapper and tests the connection. A failure undoes what was done. Running it again is safe: it refreshes facts
/// and key.
#[derive(Args, Debug)]
pub struct InstallArgs {
    /// Name of the runner; also where to connect, unless --address is given
    #[arg(value_name = "FQDN")]
    hostname: String,
    /// Login that does the bootstrap
    username: String,
    #[command(flatten)]
    credential: CredentialArgs,
    /// Port of sshd
    #[arg(short, long, default_value_t = default_ssh_port(), value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Where to connect, when it is not the runner's name
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
    /// Jump host through which it is reached, now and later; --address is then as that host sees it
    #[arg(long, value_name = "NAME")]
    jump: Option<String>,
    /// Fingerprint that the host must show
    #[arg(long, value_name = "SHA256:…")]
    host_key: Option<String>,
    /// Accept the key that the host shows
    #[arg(short, long)]
    yes: bool,
    /// Run jobs as the login user; do nothing with root's rights
    #[arg(long)]
    no_sudo: bool,
    /// Labels that filters can ask for
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    labels: Option<Vec<String>>,
    /// What the host can do, that filters can ask for
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    capabilities: Option<Vec<String>>,
    /// The one organisation that it serves; else all do
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Jobs that may run at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SLOTS)))]
    slots: Option<u32>,
    /// Take one job, then remove the runner from host and inventory
    #[arg(long)]
    one_off: bool,
}

/// # Errors
/// `Failure`; a step that fails is exit code 1, not a failure.
pub async fn run(client: &Client, args: InstallArgs) -> Result<u8, Failure> {
    let hostname = checked_hostname(&args.hostname)?.to_owned();
    let accept_shown = args.yes;
    let mut body = resolve(args)?;
    let end = bootstrap(client, &format!("runners/{hostname}"), &hostname, &mut body, accept_shown).await?;
    match end {
        Some((runner, left_behind)) => finished(&hostname, runner.as_deref(), &left_behind),
        None => Ok(EXIT_ERROR),
    }
}

/// What a bootstrap ended with: the runner, and what is left behind on the host.
pub type Enrolled = (Option<Box<RunnerBody>>, Vec<String>);

/// A request for a bootstrap, which may have to be sent again with what a person has said.
pub trait Bootstrap: Serialize {
    fn host_key(&mut self) -> &mut Option<String>;
    fn passphrase(&mut self) -> &mut Option<String>;
}

impl Bootstrap for InstallRunner {
    fn host_key(&mut self) -> &mut Option<String> {
        &mut self.host_key
    }

    fn passphrase(&mut self) -> &mut Option<String> {
        &mut self.passphrase
    }
}

/// Does one bootstrap of what has this path, shows its steps and asks what must be asked; `None` when a step failed, which is told.
///
/// # Errors
/// `Failure`
pub async fn bootstrap(
    client: &Client,
    path: &str,
    name: &str,
    body: &mut impl Bootstrap,
    accept_shown: bool,
) -> Result<Option<Enrolled>, Failure> {
    if client.connection().is_clear_text() {
        return Err(Usage::ClearText { server: client.connection().server.to_string() }.into());
    }
    let url = client.url(&format!("{path}/install"), &[]);
    let mut asked_passphrase = false;
    loop {
        let json = Some(encode(&url, body)?);
        match steps::follow(client, Method::POST, &url, json, "Run the command again: that is safe").await? {
            StepsEnd::Finished { runner, left_behind } => return Ok(Some((runner, left_behind))),
            StepsEnd::HostKeyUnconfirmed { fingerprint, key_type } => {
                if let Some(first) = body.host_key().take() {
                    return Err(Failure::HostKeyDiffers { first, second: fingerprint });
                }
                confirm_host_key(name, &fingerprint, &key_type, accept_shown)?;
                *body.host_key() = Some(fingerprint);
            }
            StepsEnd::Failed(failed) if needs_passphrase(&failed) && can_ask() && !asked_passphrase => {
                asked_passphrase = true;
                *body.passphrase() = Some(ask_secret("passphrase of the key", "a key without one")?);
            }
            StepsEnd::Failed(failed) => {
                failed.report();
                return Ok(None);
            }
        }
    }
}

/// Checks every flag; the credential is read last, so that nobody types a password for nothing.
fn resolve(args: InstallArgs) -> Result<InstallRunner, Failure> {
    check_user(&args.username).map_err(Usage::BadName)?;
    if let Some(address) = &args.address {
        check_hostname(address).map_err(Usage::BadName)?;
    }
    for label in args.labels.iter().flatten() {
        check_label(label).map_err(Usage::BadName)?;
    }
    for capability in args.capabilities.iter().flatten() {
        check_capability(capability).map_err(Usage::BadName)?;
    }
    let jump = args.jump.as_deref().map(checked_name).transpose()?.map(|name| name.to_string());
    let scope = args.org.as_deref().map(scope::org).transpose()?;
    if let Some(found) = args.host_key.as_ref().filter(|key| !is_fingerprint(key)) {
        return Err(Usage::BadFingerprint { found: plain(found) }.into());
    }
    let (password, private_key) = match args.credential.resolve()? {
        Credential::Password(password) => (Some(password), None),
        Credential::PrivateKey(key) => (None, Some(key)),
    };
    Ok(InstallRunner {
        address: args.address,
        port: args.port,
        user: args.username,
        password,
        private_key,
        passphrase: None,
        host_key: args.host_key,
        no_sudo: args.no_sudo,
        labels: args.labels.map(|labels| labels.into_iter().collect::<BTreeSet<_>>()),
        capabilities: args.capabilities.map(|words| words.into_iter().collect::<BTreeSet<_>>()),
        slots: args.slots,
        one_off: args.one_off,
        scope,
        jump,
    })
}

/// `SHA256:` and 43 characters of unpadded base64, as `ssh-keygen -l` prints it.
pub fn is_fingerprint(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    text.strip_prefix("SHA256:").is_some_and(|hash| hash.len() == 43 && hash.chars().all(letters))
}

/// The server answers a locked key with the failed step `credential`.
fn needs_passphrase(failed: &FailedStep) -> bool {
    failed.step == "credential" && failed.why.contains("passphrase")
}

/// Asks whether the key that a host shows is its own.
///
/// # Errors
/// `Failure::HostKeyDeclined`, or `Usage::HostKeyUnconfirmed` without a terminal.
pub fn confirm_host_key(hostname: &str, fingerprint: &str, key_type: &str, accept_shown: bool) -> Result<(), Failure> {
    if accept_shown {
        note(&format!("accepting the key that {hostname} shows: {key_type} {fingerprint}"));
        return Ok(());
    }
    if !can_ask() {
        let (fingerprint, key_type) = (fingerprint.to_owned(), key_type.to_owned());
        return Err(Usage::HostKeyUnconfirmed { fingerprint, key_type }.into());
    }
    note(&format!("{hostname} shows this host key:\n  {key_type} {fingerprint}"));
    if confirm("Trust this key?")? { Ok(()) } else { Err(Failure::HostKeyDeclined) }
}

fn finished(hostname: &str, runner: Option<&RunnerBody>, left_behind: &[String]) -> Result<u8, Failure> {
    for line in left_behind {
        note(&format!("left behind: {}", plain(line)));
    }
    let facts = runner.map_or_else(String::new, |r| {
        let slots = if r.slots == 1 { "1 slot".to_owned() } else { format!("{} slots", r.slots) };
        plain(&format!(" ({} {}, {}, {slots})", r.platform, r.platform_version, r.facts.arch))
    });
    print(format!("runner {hostname} is enrolled{facts}\n").as_bytes())?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_that_the_server_takes() {
        #[derive(clap::Parser)]
        struct Words {
            #[command(flatten)]
            install: InstallArgs,
        }
        let slots = |n: u32| {
            let words = ["shunt", "h1", "deploy", "-y", "--password-stdin", "--slots", &n.to_string()];
            <Words as clap::Parser>::try_parse_from(words).map(|words| words.install.slots)
        };
        assert_eq!(slots(MAX_SLOTS).unwrap(), Some(MAX_SLOTS));
        assert!(slots(MAX_SLOTS + 1).is_err() && slots(0).is_err());
    }

    #[test]
    fn fingerprints_are_told_from_other_text() {
        assert!(is_fingerprint("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"));
        for bad in ["", "SHA256:", "MD5:aa:bb", "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOq=", "SHA256:short"] {
            assert!(!is_fingerprint(bad), "{bad}");
        }
    }
}
