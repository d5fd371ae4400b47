//! Runners whose hosts dial out: their keys, their tunnels, and the endpoint that takes them.

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::Runner;
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::dial_out::{DialOutEndpointBody, TunnelBody, TurnedAwayBody};
use shuntyard_domain::wire::time_text::rfc3339;

use super::engine_error::bad;
use super::{DispatchError, Dispatcher};
use crate::ssh::Route;
use crate::ssh::inbound::{Tunnels, dial_out_key};
use crate::store::{
    Connection, RunnerChanged, RunnerEvent, StoreError, ValueChange, dial_out_key_delete, dial_out_key_list,
    dial_out_key_set, runner_by_id, runner_event_insert, runner_update,
};

/// What the engine is given for hosts that dial out.
pub struct DialOut {
    pub tunnels: Tunnels,
    /// `None`: nothing listens for them.
    pub endpoint: Option<DialOutEndpointBody>,
}

impl DialOut {
    /// Why a runner without a tunnel is not reached.
    pub(super) const fn waits(&self) -> &'static str {
        match self.endpoint {
            Some(_) => "waits for the host to dial out",
            None => "waits for the host to dial out, but the dispatcher does not listen for it ([dialout] listen)",
        }
    }
}

impl Dispatcher {
    /// How the bytes get to a runner.
    pub(super) fn route_to(&self, runner: RunnerId, hostname: &str, via: &Via) -> Route {
        match via {
            Via::DialOut => self.0.dial_out.tunnels.route(runner, hostname),
            Via::Direct | Via::Jump(_) => self.route(via),
        }
    }

    /// The endpoint for hosts that dial out.
    ///
    /// # Errors
    /// `DialOutOff` when there is none.
    pub fn dial_out_endpoint(&self) -> Result<&DialOutEndpointBody, DispatchError> {
        self.0.dial_out.endpoint.as_ref().ok_or(DispatchError::DialOutOff)
    }

    /// The tunnel of a runner whose host dials out.
    pub(super) fn tunnel_body(&self, runner: &Runner) -> Option<TunnelBody> {
        let tunnels = &self.0.dial_out.tunnels;
        (runner.endpoint.via == Via::DialOut).then(|| {
            let up = tunnels.up(runner.id);
            let turned_away = tunnels.turned_away(runner.id);
            TunnelBody {
                up: up.is_some(),
                since: up.map(|up| rfc3339(up.since_ms)),
                peer: up.map(|up| up.peer.to_string()),
                turned_away: turned_away
                    .map(|other| TurnedAwayBody { at: rfc3339(other.at_ms), peer: other.peer.to_string() }),
            }
        })
    }

    /// From here on the runner's host dials out with this key; it is reached in no other way. `by` is who asked.
    ///
    /// # Errors
    /// `NoRunner`, `DialOutOff`, `BadRequest` for a key that cannot be used or is another runner's, `UnderWay` while it is
    /// installed or removed.
    pub async fn let_dial_out(&self, hostname: &str, public_key: &str, by: &str) -> Result<(), DispatchError> {
        self.dial_out_endpoint()?;
        let _claim = self.0.claims.claim(hostname)?;
        let known = self.known_by_name(hostname)?;
        self.may_go_by(&known.runner, &Via::DialOut)?;
        if let Via::Jump(jump) = &known.runner.endpoint.via {
            let message = format!("the runner is reached through jump host {jump}; take that away first");
            return Err(bad("public_key", message, &["a runner that is reached directly"]));
        }
        let key = dial_out_key(public_key)
            .ok_or_else(|| bad("public_key", "not a public key that is taken here", &[KEYS]))?;
        let id = known.runner.id;
        self.0
            .dial_out
            .tunnels
            .admit(id, hostname, &key)
            .map_err(|taken| bad("public_key", taken.to_string(), &["a key of its own for each runner"]))?;
        let stored = self.store_via(id, Via::DialOut, Some(key), by).await;
        match stored {
            Ok(stored) => {
                // The connections of the earlier way end, and a keeper waits for the tunnel.
                self.0.pool.forget(id);
                self.keep(stored, known.key);
                Ok(())
            }
            Err(error) => {
                self.0.dial_out.tunnels.revoke(id);
                // The key that it may have had is still the stored one.
                self.load_dial_out_keys(&[(*known.runner).clone()]).await?;
                Err(error)
            }
        }
    }

    /// From here on the dispatcher connects to the runner itself; its dial-out key opens nothing.
    ///
    /// # Errors
    /// `NoRunner`, `BadRequest` for one that does not dial out, `UnderWay` while it is installed or removed.
    pub async fn stop_dial_out(&self, hostname: &str, by: &str) -> Result<(), DispatchError> {
        let _claim = self.0.claims.claim(hostname)?;
        let known = self.known_by_name(hostname)?;
        if known.runner.endpoint.via != Via::DialOut {
            return Err(bad("hostname", "the runner's host does not dial out", &["a runner whose host does"]));
        }
        let stored = self.store_via(known.runner.id, Via::Direct, None, by).await?;
        self.0.dial_out.tunnels.revoke(known.runner.id);
        self.0.pool.forget(known.runner.id);
        self.keep(stored, known.key);
        Ok(())
    }

    /// Way, key and event in one commit.
    async fn store_via(&self, id: RunnerId, via: Via, key: Option<String>, by: &str) -> Result<Runner, DispatchError> {
        let (now_ms, by) = (self.0.clock.now_ms(), by.to_owned());
        let engine = self.clone();
        self.to_the_end(async move {
            let write = move |c: &mut Connection| -> Result<Option<Runner>, StoreError> {
                let Some(mut runner) = runner_by_id(c, id)? else { return Ok(None) };
                match &key {
                    Some(key) => dial_out_key_set(c, id, key, now_ms)?,
                    None => dial_out_key_delete(c, id)?,
                }
                let word = |via: &Via| serde_json::to_value(via).unwrap_or_default();
                let change = ValueChange { before: word(&runner.endpoint.via), after: word(&via) };
                runner.endpoint.via = via;
                let stored = runner_update(c, &runner)?;
                let changes = [("via".to_owned(), change)].into();
                runner_event_insert(
                    c,
                    &stored,
                    now_ms,
                    &RunnerEvent::Changed(RunnerChanged { by, reason: None, changes }),
                )?;
                Ok(Some(stored))
            };
            let stored = engine.0.store.write(write).await;
            stored?.ok_or_else(|| DispatchError::NoRunner(id.to_string()))
        })
        .await
    }

    /// Lets the hosts of stored runners dial out with their keys.
    pub(super) async fn load_dial_out_keys(&self, runners: &[Runner]) -> Result<(), DispatchError> {
        for (id, key) in self.0.store.read(dial_out_key_list).await? {
            let Some(runner) = runners.iter().find(|runner| runner.id == id) else { continue };
            if let Err(taken) = self.0.dial_out.tunnels.admit(id, &runner.hostname, &key) {
                tracing::error!(runner.name = runner.hostname, error = %taken, "a stored dial-out key is not used");
            }
        }
        Ok(())
    }
}

const KEYS: &str = "one line of an OpenSSH public key, ssh-ed25519 or ecdsa-sha2-…";
