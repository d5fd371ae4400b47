//! What was asked for, checked before anything is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use shuntyard_domain::runner::{Scope, check_hostname, check_user};
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::api::InstallRunner;
use zeroize::Zeroizing;

use crate::dispatch::engine_error::bad;
use crate::dispatch::jump_hosts::via_of;
use crate::dispatch::{DispatchError, RunnerPatch};
use crate::ssh::{ConnectError, Credential, Dial, HostKeyPolicy, KeyError, load_private_key};

const PRIVATE_KEYS: &str = "a whole private key as ssh-keygen writes it: ed25519, ecdsa or rsa";

/// A request whose every value may be used.
pub(in crate::dispatch) struct Checked {
    pub hostname: String,
    pub dial: Dial,
    pub credential: Credential,
    pub policy: HostKeyPolicy,
    pub no_sudo: bool,
    /// The host is the dispatcher's own.
    pub local: bool,
    pub labels: Option<BTreeSet<String>>,
    pub capabilities: Option<BTreeSet<String>>,
    pub slots: Option<u32>,
    pub one_off: bool,
    pub scope: Option<Scope>,
    /// The way that was named.
    pub via: Option<Via>,
}

/// # Errors
/// `BadName` and `BadRequest` name the value that cannot be used. `Key`: everything else is right, but the private key
/// is locked and the passphrase is missing or wrong.
pub(super) fn check(hostname: String, request: InstallRunner) -> Result<Checked, DispatchError> {
    check_hostname(&hostname)?;
    let address = request.address.unwrap_or_else(|| hostname.clone());
    check_hostname(&address)?;
    check_user(&request.user)?;
    let (labels, capabilities) = (request.labels.clone(), request.capabilities.clone());
    RunnerPatch { labels, capabilities, slots: request.slots, ..RunnerPatch::default() }.check()?;
    if request.port == 0 {
        return Err(bad("port", "0 is not a port", &["1 to 65535"]));
    }
    let policy = policy_of(request.host_key)?;
    let credential = credential_of(request.password, request.private_key, request.passphrase)?;
    let dial = Dial::direct(address, request.port, request.user);
    Ok(Checked {
        hostname,
        dial,
        credential,
        policy,
        no_sudo: request.no_sudo,
        local: false,
        labels: request.labels,
        capabilities: request.capabilities,
        slots: request.slots,
        one_off: request.one_off,
        scope: request.scope,
        via: request.jump.as_deref().map(via_of).transpose()?,
    })
}

/// What a host must show at a login of a person.
///
/// # Errors
/// `BadRequest` for what is no fingerprint.
pub(in crate::dispatch) fn policy_of(host_key: Option<String>) -> Result<HostKeyPolicy, DispatchError> {
    Ok(match host_key {
        None => HostKeyPolicy::Unknown,
        Some(text) if is_fingerprint(&text) => HostKeyPolicy::Fingerprint(text),
        Some(_) => {
            return Err(bad(
                "host_key",
                "not a fingerprint",
                &["SHA256: and 43 base64 characters, as ssh-keygen -l prints it"],
            ));
        }
    })
}

/// How a person logs in.
///
/// # Errors
/// As `check`.
pub(in crate::dispatch) fn credential_of(
    password: Option<String>,
    private_key: Option<String>,
    passphrase: Option<String>,
) -> Result<Credential, DispatchError> {
    Ok(match (password, private_key) {
        (Some(password), None) => Credential::Password(Zeroizing::new(password)),
        (None, Some(text)) => {
            let (text, passphrase) = (Zeroizing::new(text), passphrase.map(Zeroizing::new));
            match load_private_key(&text, passphrase.as_ref().map(|p| p.as_str())) {
                Ok(key) => Credential::Key(Arc::new(key)),
                Err(error @ (KeyError::PassphraseMissing | KeyError::PassphraseWrong)) => return Err(error.into()),
                Err(error) => return Err(bad("private_key", error.to_string(), &[PRIVATE_KEYS])),
            }
        }
        (None, None) => return Err(bad("password", "the login has no credential", &["password or private_key"])),
        (Some(_), Some(_)) => {
            return Err(bad("password", "the login has two credentials", &["password or private_key"]));
        }
    })
}

/// `SHA256:` and 43 characters of unpadded base64, as `ssh-keygen -l` prints it.
pub(in crate::dispatch) fn is_fingerprint(text: &str) -> bool {
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    text.strip_prefix("SHA256:").is_some_and(|rest| rest.len() == 43 && rest.chars().all(base64))
}

/// What to try when the host cannot be logged in to.
pub(in crate::dispatch) fn connect_advice(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::BadAddress { .. } | ConnectError::Resolve { .. } => {
            "see that the name is right and resolves on the dispatcher's machine, or name the address with --address"
        }
        ConnectError::Tcp { .. } => "see that sshd runs there, and that the port (--port) and the firewall are right",
        ConnectError::Carried { .. } => "see that what carries the connection is well and reaches the host's sshd",
        ConnectError::CarrierDown { .. } | ConnectError::CarrierClosed { .. } => {
            "`shunt ctl jump-host test` says where the way to the jump host ends"
        }
        ConnectError::Deadline { .. } => "see that the port is sshd's and that the network path is good",
        ConnectError::HostKeyUnconfirmed { .. } | ConnectError::HostKeyMismatch { .. } => {
            "compare with `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub` on the host; \
             somebody may be between you and the host"
        }
        ConnectError::AuthRefused { .. } | ConnectError::AuthIncomplete { .. } => {
            "see that user and password or key are right, and that sshd allows that way of logging in"
        }
        ConnectError::Protocol { .. } => "see that the port is sshd's, and look into sshd's log on the host",
        ConnectError::Stopped { .. } => "the dispatcher is stopping; run the same command again when it is back",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: impl FnOnce(&mut InstallRunner)) -> InstallRunner {
        let mut request: InstallRunner = serde_json::from_str(r#"{"user":"deploy","password":"x"}"#).unwrap();
        change(&mut request);
        request
    }

    #[test]
    fn a_bad_value_is_refused_before_anything_is_done() {
        assert!(check("h1".into(), request(|_| ())).is_ok());
        assert!(check("h;1".into(), request(|_| ())).is_err());
        let changes: [fn(&mut InstallRunner); 9] = [
            |r| r.address = Some("-oProxyCommand=x".into()),
            |r| r.user = "a b".into(),
            |r| r.port = 0,
            |r| r.password = None,
            |r| r.private_key = Some("x".into()),
            |r| (r.password, r.private_key) = (None, Some("not a key".into())),
            |r| r.host_key = Some("MD5:aa".into()),
            |r| r.slots = Some(0),
            |r| r.labels = Some(["No Label".to_owned()].into()),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            assert!(!matches!(check("h1".into(), request(change)), Err(DispatchError::Key(_))), "change {n}");
            assert!(check("h1".into(), request(change)).is_err(), "change {n} was accepted");
        }
    }
}
