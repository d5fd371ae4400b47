//! The way out of quarantine: a person names the host's new key, and the host must show exactly that one.
//!
//! Steps: connect, login, wrapper, job (a Test), pin. Nothing is stored before the last one.

use std::sync::Arc;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::{Health, Runner, RunnerState, StateNote};
use shuntyard_domain::wire::api::StepEvent;
use tokio::sync::mpsc;
use tracing::info_span;

use super::engine_error::bad;
use super::install::{connect_advice, is_fingerprint};
use super::inventory::Known;
use super::steps::{Failure, Steps};
use super::test_runner::Examinee;
use super::{DispatchError, Dispatcher, new_id};
use crate::acting::on_behalf;
use crate::shutdown::Tasks;
use crate::ssh::{ConnectError, Credential, HostKeyPolicy, Session, Target, fingerprint};
use crate::store::{HostKeyAccepted, RunnerEvent, StoreError, runner_by_id, runner_event_insert, runner_update};

const AGAIN: &str = "run the same command again; the runner stays in quarantine until it has passed its Test";

impl Dispatcher {
    /// Pins the key with the fingerprint `wanted` for a quarantined runner that shows it and passes its Test. Without
    /// `wanted` the stream ends with the key that the host shows now, and nothing is changed. `by` is who asked.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name, `BadRequest` for a runner that is not in quarantine or for what is no fingerprint,
    /// `UnderWay` during an installation or removal of this runner.
    pub fn accept_host_key(
        &self,
        hostname: &str,
        wanted: Option<String>,
        by: String,
    ) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        if wanted.as_ref().is_some_and(|text| !is_fingerprint(text)) {
            let allowed = "SHA256: and 43 base64 characters, as ssh-keygen -l prints it";
            return Err(bad("host_key", "not a fingerprint", &[allowed]));
        }
        let claim = self.0.claims.claim(hostname)?;
        let known = self.known_by_name(hostname)?;
        if known.runner.state != RunnerState::Quarantined {
            let message = format!("the runner is {}: there is no key to accept", known.runner.state);
            return Err(bad("state", message, &["quarantined"]));
        }
        let (steps, listener) = Steps::new();
        let engine = self.clone();
        self.0.tasks.spawn(info_span!("accept_host_key", runner.name = hostname), move |_| {
            on_behalf(async move {
                match engine.accept(&known, wanted, by, &steps).await {
                    Ok(true) => steps.finished(engine.runner_body(&known.runner.hostname).await.ok(), Vec::new()),
                    // The key that the host shows was told.
                    Ok(false) => (),
                    Err((step, failure)) => steps.failed(step, failure, Vec::new(), Vec::new()),
                }
                drop(claim);
            })
        });
        Ok(listener)
    }

    async fn accept(
        &self,
        known: &Known,
        wanted: Option<String>,
        by: String,
        steps: &Steps,
    ) -> Result<bool, (&'static str, Failure)> {
        steps.began("connect", "asking the host for its key; our key signs nothing before it is the named one");
        let policy = wanted.map_or(HostKeyPolicy::Unknown, HostKeyPolicy::Fingerprint);
        let line = match self.shown_key(known, &policy).await {
            Ok(line) => line,
            Err(ConnectError::HostKeyUnconfirmed { fingerprint, key_type, .. }) => {
                steps.tell(StepEvent::HostKeyUnconfirmed { fingerprint, key_type });
                return Ok(false);
            }
            Err(error) => return Err(("connect", Failure::new(&error, connect_advice(&error)))),
        };
        steps.done("connect", "the host shows the named key");
        // Beside the runner's own connection; the id keeps the pool from mixing them up.
        let tested_as = RunnerId(new_id());
        let target = Target { runner: tested_as, host_keys: vec![line.clone()], ..self.target(known) };
        let examinee = Examinee {
            target,
            wrapper_path: &known.runner.installation.wrapper_path,
            wrapper_version: &known.runner.installation.wrapper_version,
        };
        let passed = self.examine(&examinee, steps).await;
        self.0.pool.forget(tested_as);
        let examined = passed?;
        steps.began("pin", "pinning the new key");
        let runner =
            self.pin(known, line, examined.report, by).await.map_err(|error| ("pin", Failure::new(error, AGAIN)))?;
        self.keep(runner, Arc::clone(&known.key));
        steps.done("pin", "the runner takes jobs");
        Ok(true)
    }

    /// Logs in under `policy`, and returns the key that the host has shown.
    async fn shown_key(&self, known: &Known, policy: &HostKeyPolicy) -> Result<String, ConnectError> {
        let (tasks, settings): (&Tasks, _) = (&self.0.tasks, self.0.pool.settings());
        let credential = Credential::Key(Arc::clone(&known.key));
        let session = Session::connect_with(&self.target(known).dial, &credential, policy, tasks, settings).await?;
        let line = session.host_key_line();
        session.close().await;
        Ok(line)
    }

    /// Stores the new pin with the event that says who wanted it; in one commit.
    async fn pin(&self, known: &Known, line: String, report: String, by: String) -> Result<Runner, DispatchError> {
        let (id, now_ms) = (known.runner.id, self.0.clock.now_ms());
        let stored: Result<Option<Runner>, StoreError> = self
            .0
            .store
            .write(move |c| {
                let Some(mut runner) = runner_by_id(c, id)? else { return Ok(None) };
                let prints = |lines: &[String]| lines.iter().filter_map(|line| fingerprint(line)).collect();
                let before = prints(&runner.endpoint.host_keys);
                runner.endpoint.host_keys = vec![line];
                runner.state = RunnerState::Enrolled;
                let reason = Some("the host's new key was accepted".to_owned());
                runner.state_note = Some(StateNote { at_ms: now_ms, by: by.clone(), reason });
                runner.health = Health::Ok { command_output: report };
                let after = prints(&runner.endpoint.host_keys);
                let event = RunnerEvent::HostKeyAccepted(HostKeyAccepted { by, before, after });
                let runner = runner_update(c, &runner)?;
                runner_event_insert(c, &runner, now_ms, &event)?;
                Ok(Some(runner))
            })
            .await;
        stored?.ok_or_else(|| DispatchError::NoRunner(known.runner.hostname.clone()))
    }
}
