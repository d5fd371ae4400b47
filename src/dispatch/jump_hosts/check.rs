//! The Test of a jump host, and the confirmation of its host key.
//!
//! Steps: hop (one for each jump host before it), login, forward; and pin, when a key is confirmed.

use std::sync::Arc;

use shuntyard_domain::jump_host::JumpHost;
use shuntyard_domain::tenancy::Name;
use shuntyard_domain::wire::api::StepEvent;
use tokio::sync::mpsc;
use tracing::info_span;

use super::KnownJump;
use crate::dispatch::engine_error::bad;
use crate::dispatch::install::{connect_advice, is_fingerprint};
use crate::dispatch::steps::{Failure, Steps};
use crate::dispatch::{DispatchError, Dispatcher};
use crate::ssh::{ConnectError, Credential, Dial, ForwardError, HostKeyPolicy, RunnerKey, Session, fingerprint};

pub(super) type Failed = (&'static str, Failure);

impl Dispatcher {
    /// Tests a jump host: every hop before it, its login, and whether it forwards. One without a confirmed host key ends with
    /// the key that it shows.
    ///
    /// # Errors
    /// `NoJumpHost`; `BadRequest` for one in quarantine, which is sent nothing.
    pub fn test_jump_host(&self, name: &Name) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let known = self.known_jump_host(name)?;
        if let Some(note) = &known.host.quarantine {
            let allowed = "`shunt ctl jump-host accept-host-key` confirms the new key";
            return Err(bad("state", format!("it is quarantined {note}"), &[allowed]));
        }
        let pinned = known.host.endpoint.host_keys.clone();
        let policy = if pinned.is_empty() { HostKeyPolicy::Unknown } else { HostKeyPolicy::Pinned(pinned) };
        Ok(self.check_jump_host(known, policy, false))
    }

    /// Pins the keys of a jump host that shows the one with the fingerprint `wanted` and passes its Test. Without `wanted` the
    /// stream ends with the key that it shows now, and nothing is changed.
    ///
    /// # Errors
    /// `NoJumpHost`; `BadRequest` for one that has a confirmed key and shows it, or for what is no fingerprint.
    pub fn accept_jump_host_key(
        &self,
        name: &Name,
        wanted: Option<String>,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        if wanted.as_ref().is_some_and(|text| !is_fingerprint(text)) {
            let allowed = "SHA256: and 43 base64 characters, as ssh-keygen -l prints it";
            return Err(bad("host_key", "not a fingerprint", &[allowed]));
        }
        let known = self.known_jump_host(name)?;
        if known.host.quarantine.is_none() && !known.host.endpoint.host_keys.is_empty() {
            return Err(bad(
                "state",
                "the jump host is ready: there is no key to accept",
                &["unconfirmed, quarantined"],
            ));
        }
        let policy = wanted.map_or(HostKeyPolicy::Unknown, HostKeyPolicy::Fingerprint);
        Ok(self.check_jump_host(known, policy, true))
    }

    fn check_jump_host(
        &self,
        known: KnownJump,
        policy: HostKeyPolicy,
        pin: bool,
    ) -> mpsc::UnboundedReceiver<StepEvent> {
        let (steps, listener) = Steps::new();
        let engine = self.clone();
        let span = info_span!("test", jump_host.name = %known.host.name);
        self.0.tasks.spawn(span, move |_| async move {
            let checked = engine.examine_jump_host(&known.host, &known.key, &policy, &steps).await;
            let done = match checked {
                Ok(Some(keys)) if pin => engine.pin_jump_host(&known.host.name, keys, &steps).await.map(|()| true),
                Ok(found) => Ok(found.is_some()),
                Err(failed) => Err(failed),
            };
            match done {
                Ok(true) => {
                    known.link.jump.try_again();
                    engine.wake_runners_behind(std::slice::from_ref(&known.host.name));
                    steps.finished(None, Vec::new());
                }
                // The key that it shows was told.
                Ok(false) => (),
                Err((step, failure)) => steps.failed(step, failure, Vec::new(), Vec::new()),
            }
        });
        listener
    }

    async fn pin_jump_host(&self, name: &Name, keys: Vec<String>, steps: &Steps) -> Result<(), Failed> {
        steps.began("pin", "pinning its host keys");
        let shown: Vec<String> = keys.iter().filter_map(|line| fingerprint(line)).collect();
        let change = move |host: &mut JumpHost| {
            host.endpoint.host_keys = keys;
            host.quarantine = None;
        };
        let stored = self.change_jump_host(name, change).await;
        stored.map_err(|error| ("pin", Failure::new(error, "run the same command again")))?;
        steps.done("pin", format!("{} pinned: {}", shown.len(), shown.join(", ")));
        Ok(())
    }

    /// The probes; returns every host key that it announced, or `None` when the one that it shows is to be confirmed first.
    pub(super) async fn examine_jump_host(
        &self,
        host: &JumpHost,
        key: &Arc<RunnerKey>,
        policy: &HostKeyPolicy,
        steps: &Steps,
    ) -> Result<Option<Vec<String>>, Failed> {
        self.warm_hops_before(host, steps).await?;
        let dial = self.jump_dial(host);
        steps.began("login", &format!("connecting to {} as {} with its own key", dial.at(), dial.user));
        let (tasks, settings) = (&self.0.tasks, self.0.pool.settings());
        let session =
            match Session::connect_with(&dial, &Credential::Key(Arc::clone(key)), policy, tasks, settings).await {
                Ok(session) => session,
                Err(ConnectError::HostKeyUnconfirmed { fingerprint, key_type, .. }) => {
                    steps.tell(StepEvent::HostKeyUnconfirmed { fingerprint, key_type });
                    return Ok(None);
                }
                Err(error) => return Err(("login", login_failure(&error, host))),
            };
        steps.done("login", format!("{} as {}", dial.at(), dial.user));
        let forwards = self.try_forwarding(&session, host, steps).await;
        let keys = session.announced_host_keys().await;
        session.close().await;
        forwards.map(|()| Some(keys))
    }

    /// Connects to every jump host that leads to this one.
    pub(super) async fn warm_hops_before(&self, host: &JumpHost, steps: &Steps) -> Result<(), Failed> {
        let Some(previous) = host.endpoint.via.jump() else { return Ok(()) };
        for hop in self.0.jump_hosts.leading_to(previous) {
            steps.began("hop", &format!("reaching jump host {hop}"));
            let known = self.known_jump_host(&hop).map_err(|error| ("hop", Failure::new(error, "name another one")))?;
            known.link.jump.try_again();
            let warm = known.link.jump.warm().await;
            warm.map_err(|error| ("hop", Failure::new(&error, format!("see `shunt ctl jump-host test {hop}`"))))?;
            steps.done("hop", format!("jump host {hop} is connected"));
        }
        Ok(())
    }

    pub(super) fn jump_dial(&self, host: &JumpHost) -> Dial {
        let endpoint = &host.endpoint;
        let (address, user) = (endpoint.address.clone(), endpoint.user.clone());
        Dial { address, port: endpoint.port, user, route: self.route(&endpoint.via) }
    }

    /// Has it connect to something behind it; where nothing is yet, to its own sshd.
    async fn try_forwarding(&self, session: &Session, host: &JumpHost, steps: &Steps) -> Result<(), Failed> {
        let runners = self.0.inventory.all();
        let behind = runners.iter().find(|known| known.runner.endpoint.via.jump() == Some(&host.name));
        let (address, port) = behind.map_or(("127.0.0.1", host.endpoint.port), |known| {
            (known.runner.endpoint.address.as_str(), known.runner.endpoint.port)
        });
        steps.began("forward", "asking it to forward a connection");
        match session.try_forward(address, port).await {
            Ok(()) => steps.done("forward", format!("it reaches {address}:{port}")),
            // It has tried: it may.
            Err(ForwardError::NotConnected | ForwardError::Deadline { .. }) => {
                steps.done("forward", format!("it forwards, although nothing answers at {address}:{port}"));
            }
            Err(error) => {
                let advice = "set AllowTcpForwarding to yes or local in its sshd_config, at least for this user, and \
                              allow what lies behind it in PermitOpen";
                let why = format!("jump host {}: {error}", host.name);
                return Err(("forward", Failure::new(why, advice)));
            }
        }
        Ok(())
    }
}

fn login_failure(error: &ConnectError, host: &JumpHost) -> Failure {
    match error {
        ConnectError::AuthRefused { user, .. } | ConnectError::AuthIncomplete { user, .. } => {
            let line = host.authorized_keys_line();
            Failure::new(error, format!("put this line into ~{user}/.ssh/authorized_keys there: {line}"))
        }
        error => Failure::new(error, connect_advice(error)),
    }
}
