//! Warm connections: one or more per runner, with their sessions counted.
//!
//! sshd allows ten sessions on a connection (MaxSessions) and frees one when its process ends. So a connection has
//! eight slots for jobs and two for everything else, and a further connection is made when they are taken. A host that
//! refuses a session earlier has its limit learnt: its connections, those to come too, get no more than that, and the
//! session is opened on another one.

mod connection;
mod lease;
mod pace;
mod site;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::probe::Layers;

pub use lease::Lease;

use super::error::{ConnectError, Phase};
use super::jump::{Jump, JumpLogin};
use super::session::{Dial, Session};
use super::settings::Settings;
use crate::shutdown::Tasks;
use connection::Kind;
use pace::Pace;
use russh::keys::PrivateKey;
use site::{Site, Step};

/// A runner to connect to.
#[derive(Clone)]
pub struct Target {
    pub runner: RunnerId,
    pub dial: Dial,
    /// Pinned `ALGORITHM BASE64` lines.
    pub host_keys: Vec<String>,
    pub key: Arc<PrivateKey>,
}

/// What a slot of a warm connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warm {
    Service,
    /// A place that a job could have, for a moment: only to see how many there are.
    Sounding,
}

impl Warm {
    const fn kind(self) -> Kind {
        match self {
            Self::Service => Kind::Service,
            Self::Sounding => Kind::Job,
        }
    }
}

/// The connections to all runners. Clones share it.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    tasks: Tasks,
    settings: Settings,
    sites: Mutex<HashMap<RunnerId, Arc<Site>>>,
    pace: Arc<Pace>,
}

/// How long the farewells of all connections may take together.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// How long a caller waits for a freed slot before it tries again to make a further connection.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// The same after a final word of the host, a refused login say: it counts them against our address.
const FINAL_PAUSE: Duration = Duration::from_secs(300);
/// How many connections that end at once one caller makes.
const MAX_TRIES: usize = 3;

impl Pool {
    #[must_use]
    pub fn new(tasks: &Tasks) -> Self {
        Self::with_settings(tasks, Settings::default())
    }

    /// A pool whose connections have other limits.
    #[must_use]
    pub fn with_settings(tasks: &Tasks, settings: Settings) -> Self {
        let shared = Shared { tasks: tasks.clone(), settings, sites: Mutex::default(), pace: Arc::new(Pace::new()) };
        Self { shared: Arc::new(shared) }
    }

    /// The limits of every connection, also of those that are made outside of the pool.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// A jump host whose connection ends with those of the pool.
    #[must_use]
    pub fn jump_host(&self, login: JumpLogin) -> Jump {
        Jump::new(login, &self.shared.tasks, &self.shared.settings)
    }

    /// Takes a slot for a job, connecting when needed and waiting while every slot is taken.
    ///
    /// # Errors
    /// The `ConnectError` of the attempt that this call shared, when there is no connection at all.
    pub async fn lease_job(&self, target: &Target) -> Result<Lease, ConnectError> {
        self.lease(target, Kind::Job).await
    }

    /// Takes a slot for a short command (status, kill, test) that must not wait behind jobs.
    ///
    /// # Errors
    /// As `lease_job`.
    pub async fn lease_service(&self, target: &Target) -> Result<Lease, ConnectError> {
        self.lease(target, Kind::Service).await
    }

    /// Takes a slot of a connection that is up, waiting at most `wait`; it never makes one, and the lease stays on its
    /// connection. `None`: there is no connection, or its slots stay taken.
    pub async fn lease_warm(&self, target: &Target, purpose: Warm, wait: Duration) -> Option<Lease> {
        let site = self.site(target);
        let taken = async {
            loop {
                let changed = site.changed();
                if let Some(slot) = site.free_slot(purpose.kind()) {
                    return Some(Lease::staying(self.clone(), target.clone(), slot));
                }
                site.session()?;
                changed.await;
            }
        };
        tokio::time::timeout(wait, taken).await.ok().flatten()
    }

    /// Makes sure that there is a connection and returns it, without a slot.
    ///
    /// # Errors
    /// As `lease_job`.
    pub async fn warm(&self, target: &Target) -> Result<Session, ConnectError> {
        let site = self.site(target);
        for _ in 0..MAX_TRIES {
            if let Some(session) = site.session() {
                return Ok(session);
            }
            self.connect(&site, target).await?;
        }
        site.session().ok_or_else(|| cut_off(target))
    }

    /// Ends the connections of a runner that was deleted, disabled or quarantined; attempts under way come to nothing.
    pub fn forget(&self, runner: RunnerId) {
        let removed = self.sites().remove(&runner);
        if let Some(site) = removed {
            self.end(site.retire());
        }
    }

    /// Resolves when the runner has no connection; at once when it has none now.
    pub async fn connection_closed(&self, runner: RunnerId) {
        let site = self.sites().get(&runner).cloned();
        if let Some(site) = site {
            site.without_connection().await;
        }
    }

    /// True when a connection to the runner is up.
    #[must_use]
    pub fn is_connected(&self, runner: RunnerId) -> bool {
        self.sites().get(&runner).is_some_and(|site| site.session().is_some())
    }

    /// Connections to the runner that are up.
    #[must_use]
    pub fn connection_count(&self, runner: RunnerId) -> usize {
        self.sites().get(&runner).map_or(0, |site| site.connection_count())
    }

    /// Connections to all runners that are up.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.sites().values().map(|site| site.connection_count()).sum()
    }

    /// What the layers of the runner's connection said, or those of the last attempt to make one.
    #[must_use]
    pub fn layers(&self, runner: RunnerId) -> Layers {
        self.sites().get(&runner).map(|site| site.layers()).unwrap_or_default()
    }

    /// Sessions that the runner's sshd was seen to allow on one connection (its MaxSessions); `None` while it refused
    /// none. Remembered until the runner's login changes or the dispatcher ends.
    #[must_use]
    pub fn sessions_learnt(&self, runner: RunnerId) -> Option<usize> {
        self.sites().get(&runner).and_then(|site| site.sessions_learnt())
    }

    /// Ends every connection, politely and in parallel.
    pub async fn close(&self) {
        let sites: Vec<_> = self.sites().drain().map(|(_, site)| site).collect();
        let farewells = sites.iter().flat_map(|site| site.retire()).map(|session| async move { session.close().await });
        let _ = tokio::time::timeout(CLOSE_WAIT, futures_util::future::join_all(farewells)).await;
        self.shared.tasks.stop(CLOSE_WAIT).await;
    }

    async fn lease(&self, target: &Target, kind: Kind) -> Result<Lease, ConnectError> {
        let mut tries = 0;
        loop {
            let site = self.site(target);
            let changed = site.changed();
            match site.step(kind) {
                Step::Leased(slot) => return Ok(Lease::new(self.clone(), target.clone(), slot)),
                Step::Full => changed.await,
                Step::Connect { first: true } if tries == MAX_TRIES => return Err(cut_off(target)),
                Step::Connect { first: true } => {
                    tries += 1;
                    self.connect(&site, target).await?;
                }
                // The others are full: whichever comes first, a freed slot or a further connection. When none can
                // be had, the slots that there are must do.
                Step::Connect { first: false } => tokio::select! {
                    () = changed => {}
                    made = self.connect(&site, target) => if let Err(error) = made {
                        tracing::warn!(at = target.dial.at(), %error, "no further connection; waiting for a slot of those that there are");
                        let pause = if error.may_pass_later() { REFUSED_PAUSE } else { FINAL_PAUSE };
                        // The limit: what happened before this wait began is not seen by it.
                        let _ = tokio::time::timeout(pause, site.changed()).await;
                    },
                },
            }
        }
    }

    /// Waits for the attempt that is under way, or starts one: callers share it and its error.
    async fn connect(&self, site: &Arc<Site>, target: &Target) -> Result<(), ConnectError> {
        let mut outcome = site.attempt(target, &self.shared.tasks, &self.shared.settings, &self.shared.pace);
        let stopped = || ConnectError::Stopped { at: target.dial.at() };
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(stopped())),
            Err(_) => Err(stopped()),
        }
    }

    /// The runner's site; another login (key, host keys, address) than last time replaces it.
    fn site(&self, target: &Target) -> Arc<Site> {
        let mut sites = self.sites();
        if let Some(site) = sites.get(&target.runner) {
            if site.is_for(target) {
                return Arc::clone(site);
            }
            // Leases that are out keep their connection until they are returned.
            drop(site.retire());
        }
        let site = Arc::new(Site::new(target));
        sites.insert(target.runner, Arc::clone(&site));
        site
    }

    fn end(&self, sessions: Vec<Session>) {
        for session in sessions {
            self.shared.tasks.spawn(tracing::debug_span!("farewell"), |_stop| async move { session.close().await });
        }
    }

    fn sites(&self) -> MutexGuard<'_, HashMap<RunnerId, Arc<Site>>> {
        lock(&self.shared.sites)
    }
}

fn cut_off(target: &Target) -> ConnectError {
    let reason = "the host ends every connection right after it was made".to_owned();
    ConnectError::Protocol { at: target.dial.at(), phase: Phase::Authentication, reason }
}

/// Nothing here panics while it holds a lock, so a poisoned one is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
