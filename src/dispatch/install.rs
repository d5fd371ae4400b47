//! The bootstrap: from a login on a host to an enrolled runner.
//!
//! Steps: credential (only when it fails), connect, facts, sudo, key, install, host_keys, login, wrapper, job, enrol. Nothing is stored
//! before the last one; a failure undoes what was done on the host.

mod place;
mod plan;
mod record;
mod undo;

use std::sync::Arc;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::RunnerState;
use shuntyard_domain::via::Via;
use shuntyard_domain::wire::api::{InstallRunner, StepEvent};
use shuntyard_domain::wrapper::install::Installed;
use shuntyard_domain::wrapper::probe::ProbedHost;
use shuntyard_domain::wrapper::{SYSTEM_USER, wrapper_version};
use tokio::sync::mpsc;
use tracing::info_span;
use zeroize::Zeroizing;

use super::closing::Closed;
use super::engine_error::bad;
use super::inventory::Known;
use super::steps::{Failure, Steps};
use super::test_runner::Examinee;
use super::{DispatchError, Dispatcher, new_id};
use crate::ssh::bootstrap::Rights;
use crate::ssh::{Dial, RunnerKey, Session, Target, fingerprint};
use crate::store::RequestKey;
pub(super) use plan::{Checked, connect_advice, credential_of, is_fingerprint, policy_of};
use undo::Undone;

const AGAIN: &str = "run the same command again; if it stays, see the daemon's log at debug level";

pub(super) const CREDENTIAL_ADVICE: &str =
    "run the command on a terminal, which asks for the passphrase, or use a key without one";

impl Dispatcher {
    /// Bootstraps a host, or refreshes one that is enrolled. The operation goes on when the listener leaves.
    /// A locked private key is the failed step `credential`: whoever asked can ask again with the passphrase.
    ///
    /// # Errors
    /// `BadName` and `BadRequest` for values that are refused before anything is done, `UnderWay` during another one of
    /// this name or at this address.
    pub fn install(
        &self,
        hostname: String,
        request: InstallRunner,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let (steps, listener) = Steps::new();
        let checked = match plan::check(hostname, request) {
            Err(DispatchError::Key(error)) => {
                steps.failed("credential", Failure::new(error, CREDENTIAL_ADVICE), Vec::new(), Vec::new());
                return Ok(listener);
            }
            checked => checked?,
        };
        self.not_local(&checked.hostname)?;
        self.install_checked(checked)
    }

    /// As `install`, with what may be used.
    pub(super) fn install_checked(
        &self,
        mut checked: Checked,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let (steps, listener) = Steps::new();
        let via = self.way_to(&checked)?;
        // Only a runner that is there can have a tunnel.
        checked.dial.route = match self.0.inventory.by_name(&checked.hostname) {
            Some(known) => self.route_to(known.runner.id, &checked.hostname, &via),
            None => self.route(&via),
        };
        // The address, too: two names for one host share its base directory.
        let claims = [self.0.claims.claim(&checked.hostname)?, self.0.claims.claim(&checked.dial.at())?];
        let span = info_span!("install", runner.name = %checked.hostname);
        let engine = self.clone();
        self.0.tasks.spawn(span, move |_| {
            RequestKey::carried(async move {
                let before = engine.0.inventory.by_name(&checked.hostname);
                Install { engine: &engine, steps: &steps, checked: &checked, via, before: before.as_ref() }.run().await;
                drop(claims);
            })
        });
        Ok(listener)
    }

    /// The way that was named, or that of an earlier bootstrap.
    fn way_to(&self, checked: &Checked) -> Result<Via, DispatchError> {
        let earlier = self.0.inventory.by_name(&checked.hostname).map(|known| known.runner.endpoint.via.clone());
        match (&checked.via, earlier) {
            (Some(Via::Direct | Via::Jump(_)), Some(Via::DialOut)) => {
                let message = format!("the host dials out; `shunt ctl dial-out {} --stop` ends that", checked.hostname);
                Err(bad("jump", message, &["no jump: the runner is reached as before"]))
            }
            (Some(Via::Jump(jump)), _) => self.jump_way(jump),
            (Some(way @ (Via::Direct | Via::DialOut)), _) => Ok(way.clone()),
            (None, earlier) => Ok(earlier.unwrap_or_default()),
        }
    }
}

/// One bootstrap under way.
struct Install<'i> {
    engine: &'i Dispatcher,
    steps: &'i Steps,
    checked: &'i Checked,
    via: Via,
    /// The record of an earlier bootstrap.
    before: Option<&'i Known>,
}

/// What is on the host now and must go again if a later step fails.
struct Placed {
    session: Session,
    rights: Rights,
    system_mode: bool,
    installed: Installed,
    key: NewKey,
    host: ProbedHost,
    /// A runner that is there already gets no jobs until all is done.
    _closed: Option<Closed>,
}

/// The key pair that was made for this runner.
struct NewKey {
    private: Zeroizing<String>,
    public_line: String,
    loaded: Arc<RunnerKey>,
}

/// A step that failed, and what was undone by then.
struct Failed {
    step: &'static str,
    failure: Failure,
    undone: Undone,
}

impl Install<'_> {
    async fn run(self) {
        let placed = match self.place().await {
            Ok(Some(placed)) => placed,
            Ok(None) => return,
            Err(failed) => return self.tell_failed(failed),
        };
        match self.enrol(&placed).await {
            Ok(hostname) => {
                let left = self.drop_earlier(&placed).await;
                placed.session.close().await;
                self.steps.finished(self.engine.runner_body(&hostname).await.ok(), left);
            }
            Err((step, failure)) => {
                let undone = self.undo(&placed).await;
                placed.session.close().await;
                self.tell_failed(Failed { step, failure, undone });
            }
        }
    }

    fn tell_failed(&self, Failed { step, failure, undone }: Failed) {
        self.steps.failed(step, failure, undone.rolled_back, undone.left_behind);
    }

    /// From files on the host to a stored runner.
    async fn enrol(&self, placed: &Placed) -> Result<String, (&'static str, Failure)> {
        self.steps.began("host_keys", "reading every host key");
        let host_keys = placed.session.announced_host_keys().await;
        let shown: Vec<String> = host_keys.iter().filter_map(|line| fingerprint(line)).collect();
        self.steps.done("host_keys", format!("{} pinned: {}", shown.len(), shown.join(", ")));

        let id = self.before.map_or_else(|| RunnerId(new_id()), |known| known.runner.id);
        let user = if placed.system_mode { SYSTEM_USER.to_owned() } else { self.checked.dial.user.clone() };
        let dial = Dial { user, ..self.checked.dial.clone() };
        let target = Target { runner: id, dial, host_keys, key: placed.key.loaded.clone() };
        // A refresh is tested beside the runner's own connection, which its keeper would otherwise make again with the
        // earlier key in the middle of the Test.
        let tested_as = if self.before.is_some() { RunnerId(new_id()) } else { id };
        let version = wrapper_version();
        let examinee = Examinee {
            target: Target { runner: tested_as, ..target.clone() },
            wrapper_path: &placed.installed.wrapper_path,
            wrapper_version: &version,
        };
        let passed = self.engine.examine(&examinee, self.steps).await;
        if passed.is_err() || tested_as != id {
            self.engine.0.pool.forget(tested_as);
        }
        let examined = passed?;
        self.steps.began("enrol", "storing the runner");
        let runner = self.record(id, &target, placed, examined);
        let runner = self.store(runner, placed).await.map_err(|failure| ("enrol", failure))?;
        let (hostname, state) = (runner.hostname.clone(), runner.state);
        self.engine.keep(runner, placed.key.loaded.clone());
        let now = match state {
            RunnerState::Enrolled => "takes jobs".to_owned(),
            kept => format!("stays {kept}; `shunt ctl enable {hostname}` lets it take jobs"),
        };
        self.steps.done("enrol", format!("{hostname} {now}"));
        Ok(hostname)
    }
}
