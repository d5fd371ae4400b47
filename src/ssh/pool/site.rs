//! The connections of one runner, and the one attempt to make a further one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::HashAlg;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, watch};
use tracing::{debug_span, info};

use super::connection::{Connection, Kind, Learnt, Slot};
use super::pace::Pace;
use super::{Target, lock};
use crate::shutdown::Tasks;
use crate::ssh::credentials::Credential;
use crate::ssh::error::ConnectError;
use crate::ssh::host_keys::HostKeyPolicy;
use crate::ssh::route::Route;
use crate::ssh::session::{Dial, Session};
use crate::ssh::settings::Settings;

/// Ten slots each; a runner with more jobs than this at a time makes the others wait.
const MAX_CONNECTIONS: usize = 16;
/// A further connection that was not used for this long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

type Outcome = Option<Result<(), ConnectError>>;

/// What a caller that wants a slot should do next.
pub(super) enum Step {
    Leased(Arc<Slot>),
    Connect { first: bool },
    Full,
}

pub(super) struct Site {
    dial: Dial,
    host_keys: Vec<String>,
    key: String,
    state: Mutex<State>,
    learnt: Learnt,
    /// A slot was freed, a connection was made or has ended.
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    attempt: Option<watch::Receiver<Outcome>>,
    retired: bool,
}

impl Site {
    pub(super) fn new(target: &Target) -> Self {
        let (dial, host_keys, key) = (target.dial.clone(), target.host_keys.clone(), key_name(target));
        Self { dial, host_keys, key, state: Mutex::default(), learnt: Learnt::default(), changed: Arc::default() }
    }

    pub(super) fn is_for(&self, target: &Target) -> bool {
        self.dial == target.dial && self.host_keys == target.host_keys && self.key == key_name(target)
    }

    /// Resolves at the next change after this call.
    pub(super) fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.changed).notified_owned()
    }

    pub(super) fn step(&self, kind: Kind) -> Step {
        let mut state = lock(&self.state);
        state.connections.retain(|connection| !connection.is_worn());
        if let Some(slot) = state.connections.iter().find_map(|c| c.try_slot(kind, &self.changed)) {
            return Step::Leased(slot);
        }
        match state.connections.len() {
            0 => Step::Connect { first: true },
            1..MAX_CONNECTIONS => Step::Connect { first: false },
            _ => Step::Full,
        }
    }

    /// A connection that is up.
    pub(super) fn session(&self) -> Option<Session> {
        lock(&self.state).connections.iter().map(|c| &c.session).find(|session| !session.is_closed()).cloned()
    }

    pub(super) fn connection_count(&self) -> usize {
        lock(&self.state).connections.iter().filter(|c| !c.session.is_closed()).count()
    }

    /// The sessions that the host was seen to allow on one connection; `None` while it refused none.
    pub(super) fn sessions_learnt(&self) -> Option<usize> {
        self.learnt.sessions()
    }

    pub(super) async fn without_connection(&self) {
        loop {
            let changed = self.changed();
            if self.session().is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Gives out no more slots; returns what was connected.
    pub(super) fn retire(&self) -> Vec<Session> {
        let mut state = lock(&self.state);
        state.retired = true;
        let sessions = state.connections.drain(..).map(|connection| connection.session.clone()).collect();
        drop(state);
        self.changed.notify_waiters();
        sessions
    }

    /// The attempt that is under way, or a new one in a task of its own: it outlives the caller who started it.
    pub(super) fn attempt(
        self: &Arc<Self>,
        target: &Target,
        tasks: &Tasks,
        settings: &Settings,
        pace: &Arc<Pace>,
    ) -> watch::Receiver<Outcome> {
        let mut state = lock(&self.state);
        if let Some(attempt) = &state.attempt {
            return attempt.clone();
        }
        let (sender, receiver) = watch::channel(None);
        state.attempt = Some(receiver.clone());
        drop(state);
        let (site, target, settings, pace) = (Arc::clone(self), target.clone(), settings.clone(), Arc::clone(pace));
        let all = tasks.clone();
        tasks.spawn(debug_span!("connect", runner.id = %target.runner), |stop| async move {
            let made = tokio::select! {
                () = stop.cancelled() => Err(ConnectError::Stopped { at: target.dial.at() }),
                made = connect(&target, &all, &settings, &pace) => made,
            };
            let outcome = site.settle(made, &all);
            sender.send_replace(Some(outcome));
        });
        receiver
    }

    fn settle(self: &Arc<Self>, made: Result<Session, ConnectError>, tasks: &Tasks) -> Result<(), ConnectError> {
        let mut state = lock(&self.state);
        state.attempt = None;
        let outcome = match made {
            Ok(_) if state.retired => Err(ConnectError::Stopped { at: self.dial.at() }),
            Ok(session) => {
                let connection = Arc::new(Connection::new(session, self.learnt.clone()));
                state.connections.push(Arc::clone(&connection));
                self.watch(&connection, tasks);
                Ok(())
            }
            Err(error) => Err(error),
        };
        drop(state);
        self.changed.notify_waiters();
        outcome
    }

    /// Removes a connection when it ends, or when it is not the only one and nobody uses it.
    fn watch(self: &Arc<Self>, connection: &Arc<Connection>, tasks: &Tasks) {
        let (site, weak) = (Arc::downgrade(self), Arc::downgrade(connection));
        let closed = connection.session.closed_signal();
        tasks.spawn(debug_span!("watch", ssh.host = self.dial.at()), |_stop| async move {
            let mut idle_since = None;
            loop {
                let ended = tokio::select! {
                    () = closed.cancelled() => true,
                    () = tokio::time::sleep(IDLE_LIMIT) => false,
                };
                let (Some(site), Some(connection)) = (site.upgrade(), weak.upgrade()) else { return };
                let now_idle = connection.idle_since();
                let unused = now_idle.is_some() && now_idle == idle_since;
                if site.remove(&connection, ended, unused) {
                    return;
                }
                idle_since = now_idle;
            }
        });
    }

    /// Removes a connection that has ended, or one that is unused and not the last.
    fn remove(&self, connection: &Arc<Connection>, ended: bool, unused: bool) -> bool {
        let mut state = lock(&self.state);
        if !(ended || unused && state.connections.len() > 1) {
            return false;
        }
        state.connections.retain(|c| !Arc::ptr_eq(c, connection));
        drop(state);
        info!(ssh.host = self.dial.at(), ended, "connection removed");
        self.changed.notify_waiters();
        true
    }
}

async fn connect(target: &Target, tasks: &Tasks, settings: &Settings, pace: &Pace) -> Result<Session, ConnectError> {
    let credential = Credential::Key(Arc::clone(&target.key));
    let policy = HostKeyPolicy::Pinned(target.host_keys.clone());
    // Before it is its turn: many runners behind a jump host that is silent must not keep others from theirs.
    if let Route::Carried(carrier) = &target.dial.route {
        carrier.ready().await?;
    }
    pace.paced(&target.dial.at(), Session::connect_with(&target.dial, &credential, &policy, tasks, settings)).await
}

fn key_name(target: &Target) -> String {
    target.key.public_key().fingerprint(HashAlg::Sha256).to_string()
}
