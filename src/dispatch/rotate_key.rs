//! Replacing a runner's key: the new one beside the old, a login with it, the commit, and only then the old one goes.
//!
//! Whatever fails, the runner works with the key that is stored. Jobs on it go on: a session that is open needs no key.

use std::sync::Arc;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::runner::Runner;
use shuntyard_domain::wire::api::StepEvent;
use shuntyard_domain::wrapper::{KeyChange, key_change_request, key_change_script, parse_key_change};
use tokio::sync::mpsc;
use tracing::info_span;
use zeroize::Zeroizing;

use super::inventory::Known;
use super::keeper::key_context;
use super::retire::{retire_hash, retire_secret};
use super::steps::{Failure, Steps};
use super::test_runner::Examinee;
use super::{DispatchError, Dispatcher, new_id};
use crate::acting::on_behalf;
use crate::ssh::attempt::change_key;
use crate::ssh::bootstrap::{Rights, nonce, run_script};
use crate::ssh::{RunnerKey, Target, fingerprint, generate_runner_key, load_private_key};
use crate::store::{runner_by_id, runner_replace_key, runner_update};

const AGAIN: &str = "run the same command again; the runner works with the key that it had";

/// The new key.
struct NewKey {
    private: Zeroizing<String>,
    public_line: String,
    loaded: Arc<RunnerKey>,
}

impl Dispatcher {
    /// Gives a runner another key. The operation goes on when the listener leaves.
    ///
    /// # Errors
    /// `NoRunner`, `IsLocal`: the local runner's host knows one key, which never leaves this machine; `UnderWay` during an
    /// installation or removal.
    pub fn rotate_key(&self, hostname: &str) -> Result<mpsc::UnboundedReceiver<StepEvent>, DispatchError> {
        let name = self.0.claims.claim(hostname)?;
        let known = self.known_by_name(hostname)?;
        if known.runner.installation.local {
            let instead = "its key never leaves this machine, and is made anew with the data directory";
            return Err(DispatchError::IsLocal { hostname: hostname.to_owned(), instead });
        }
        let address = self.0.claims.claim(&self.target(&known).dial.at())?;
        let (steps, listener) = Steps::new();
        let (engine, span) = (self.clone(), info_span!("rotate_key", runner.name = hostname));
        self.0.tasks.spawn(span, move |_| {
            on_behalf(async move {
                match (Rotation { engine: &engine, steps: &steps, known: &known }).run().await {
                    Ok(left) => steps.finished(engine.runner_body(&known.runner.hostname).await.ok(), left),
                    Err(Failed { step, failure, undone, left }) => steps.failed(step, failure, undone, left),
                }
                drop((name, address));
            })
        });
        Ok(listener)
    }
}

/// One rotation under way.
struct Rotation<'r> {
    engine: &'r Dispatcher,
    steps: &'r Steps,
    known: &'r Known,
}

/// A step that failed, what was taken back, and what is left.
struct Failed {
    step: &'static str,
    failure: Failure,
    undone: Vec<String>,
    left: Vec<String>,
}

impl Failed {
    fn new(step: &'static str, why: impl ToString) -> Self {
        Self { step, failure: Failure::new(why, AGAIN), undone: Vec::new(), left: Vec::new() }
    }
}

impl Rotation<'_> {
    /// Answers what could not be removed.
    async fn run(&self) -> Result<Vec<String>, Failed> {
        let key = self.make_key().map_err(|error| Failed::new("key", error))?;
        self.steps.began("install", "putting the new key beside the old one");
        let hash = retire_hash(&retire_secret(key.private.as_bytes()));
        let add = KeyChange::Add { public_key_line: &key.public_line, retire_hash: &hash };
        // A lost channel does not say whether it was done: the next rotation removes it.
        let unsure = |mut failed: Failed| {
            failed.left.push(format!("perhaps a second line ending in {}: the next rotation removes it", self.line()));
            failed
        };
        self.change(self.known, add).await.map_err(|why| unsure(Failed::new("install", why)))?;
        self.steps.done("install", self.line());
        if let Err((step, failure)) = self.log_in_with(&key).await {
            return Err(self.take_back(Failed { step, failure, undone: Vec::new(), left: Vec::new() }).await);
        }
        self.steps.began("store", "storing the new key");
        let runner = self.store(&key).await.map_err(|error| {
            let mut failed = Failed::new("store", error);
            failed.left.push(format!("both keys, lines ending in {}: the next rotation removes one", self.line()));
            failed
        })?;
        self.engine.keep(runner.clone(), Arc::clone(&key.loaded));
        self.steps.done("store", "the runner is reached with the new key from now on");
        self.steps.began("remove", "removing the old key");
        let now = Known { runner: runner.into(), key: Arc::clone(&key.loaded), ..self.known.clone() };
        match self.change(&now, KeyChange::KeepOnly { public_key_line: &key.public_line }).await {
            Ok(()) => {
                self.steps.done("remove", fingerprint(&self.known.runner.openssh_public_key).unwrap_or_default());
                Ok(Vec::new())
            }
            Err(why) => {
                self.steps.done("remove", format!("not possible: {why}"));
                Ok(vec![format!("the old key, a line ending in {}: rotate once more to remove it", self.line())])
            }
        }
    }

    /// How its line in authorized_keys ends.
    fn line(&self) -> String {
        format!("job_runner@{}", self.known.runner.hostname)
    }

    fn make_key(&self) -> Result<NewKey, DispatchError> {
        self.steps.began("key", "making a key pair");
        let (private, public_line) = generate_runner_key(&self.known.runner.hostname)?;
        let loaded = Arc::new(load_private_key(&private, None)?);
        self.steps.done("key", fingerprint(&public_line).unwrap_or_default());
        Ok(NewKey { private, public_line, loaded })
    }

    /// Changes the host's list of keys over a connection of `known`.
    async fn change(&self, known: &Known, change: KeyChange<'_>) -> Result<(), String> {
        let runner = &known.runner;
        let mut lease = self.engine.lease_service(known).await.map_err(|error| error.to_string())?;
        let nonce = nonce().map_err(|error| error.to_string())?;
        if runner.installation.system_mode {
            let secret = self.engine.stored_retire_secret(runner.id).await.map_err(|error| error.to_string())?;
            let request = key_change_request(&nonce, &secret, change).map_err(|error| error.to_string())?;
            let changed = change_key(&mut lease, &runner.installation.wrapper_path, &nonce, request).await;
            changed.map_err(|error| {
                format!(
                    "{error}; `shunt ctl install-runner` gives a new key to a runner that an older dispatcher installed"
                )
            })?
        } else {
            let script = key_change_script(&nonce, &runner.hostname, change).map_err(|error| error.to_string())?;
            let changed = run_script(lease.session(), &Rights::Login, &script, &nonce, parse_key_change).await;
            changed.map_err(|error| error.to_string())?
        }
    }

    /// Proves the new key by a Test over a connection of its own.
    async fn log_in_with(&self, key: &NewKey) -> Result<(), (&'static str, Failure)> {
        let installation = &self.known.runner.installation;
        let tested_as = RunnerId(new_id());
        let target = Target { runner: tested_as, key: Arc::clone(&key.loaded), ..self.engine.target(self.known) };
        let examinee = Examinee {
            target,
            wrapper_path: &installation.wrapper_path,
            wrapper_version: &installation.wrapper_version,
        };
        let passed = self.engine.examine(&examinee, self.steps).await;
        self.engine.0.pool.forget(tested_as);
        passed.map(drop)
    }

    /// The new key goes again: the old one is what is stored.
    async fn take_back(&self, mut failed: Failed) -> Failed {
        let keep = KeyChange::KeepOnly { public_key_line: &self.known.runner.openssh_public_key };
        match self.change(self.known, keep).await {
            Ok(()) => failed.undone.push("the new key".to_owned()),
            Err(why) => failed.left.push(format!("the new key, a second line ending in {}: {why}", self.line())),
        }
        failed
    }

    async fn store(&self, key: &NewKey) -> Result<Runner, DispatchError> {
        let id = self.known.runner.id;
        let sealed = self.engine.0.sealer.seal(&key_context(id), key.private.as_bytes())?;
        let line = key.public_line.clone();
        let write = move |c: &mut crate::store::Connection| -> Result<Option<Runner>, crate::store::StoreError> {
            let Some(mut runner) = runner_by_id(c, id)? else { return Ok(None) };
            runner.openssh_public_key = line;
            let runner = runner_update(c, &runner)?;
            runner_replace_key(c, id, &sealed)?;
            Ok(Some(runner))
        };
        self.engine.0.store.write(write).await?.ok_or_else(|| DispatchError::NoRunner(id.to_string()))
    }
}
