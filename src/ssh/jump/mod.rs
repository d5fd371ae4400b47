//! A jump host: one warm connection to it, shared by every connection that goes through it.
//!
//! The connection is made when somebody needs it, kept while it is used, and closed a minute later. Callers share one
//! attempt and its error; after a failed one nobody is let try again for a moment, however many runners ask.

mod stream;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use russh::keys::PrivateKey;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug_span, info, warn};

use super::credentials::Credential;
use super::error::ConnectError;
use super::host_keys::HostKeyPolicy;
use super::route::{CarriedStream, Carrier};
use super::session::{Dial, Session};
use super::settings::Settings;
use crate::shutdown::Tasks;
use stream::JumpStream;

/// A connection that carried nothing for this long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// How long the jump host may take to connect to a host.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// Between tries that reach nobody.
const SILENT_CAP: Duration = Duration::from_secs(1);
/// Between tries that something answers: sshd counts connections that come to nothing.
const ANSWERED_CAP: Duration = Duration::from_secs(3);
/// After a final word, a refused login say: sshd counts it against our address.
const FINAL_PAUSE: Duration = Duration::from_secs(300);
/// What may wait for a carried connection to take it, in what may wait for one channel: it has several of them.
const QUEUED_CHANNELS: usize = 4;

/// How to log in to a jump host.
#[derive(Clone)]
pub struct JumpLogin {
    /// As the inventory calls it.
    pub name: String,
    pub dial: Dial,
    /// Pinned `ALGORITHM BASE64` lines.
    pub host_keys: Vec<String>,
    pub key: Arc<PrivateKey>,
    /// Jump hosts before it in the chain.
    pub hops_before: usize,
}

/// How the connection to a jump host stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum JumpStatus {
    /// Nobody needs it.
    #[default]
    Idle,
    Connecting,
    Connected,
    /// The last attempt came to nothing.
    Failed(ConnectError),
}

type Outcome = Option<Result<Session, ConnectError>>;

/// A jump host that carries connections. Clones share its one connection.
#[derive(Clone)]
pub struct Jump {
    shared: Arc<Shared>,
}

struct Shared {
    login: JumpLogin,
    tasks: Tasks,
    settings: Settings,
    state: Mutex<State>,
    status: watch::Sender<JumpStatus>,
    /// Held by every carried connection.
    users: Arc<()>,
}

#[derive(Default)]
struct State {
    session: Option<Session>,
    attempt: Option<watch::Receiver<Outcome>>,
    failed: Option<Failed>,
    /// Connections that were carried so far.
    carried: u64,
    closed: Option<Closed>,
}

/// Why no connection is made any more.
#[derive(Clone, Copy)]
enum Closed {
    Retired,
    Barred(&'static str),
}

struct Failed {
    error: ConnectError,
    until: Instant,
    in_a_row: u32,
}

impl Jump {
    pub(super) fn new(login: JumpLogin, tasks: &Tasks, settings: &Settings) -> Self {
        // Shorter than the limit of who waits for it, and the longer the more hops lie before it: then the error of the
        // hop that fails comes first, and names it.
        let hops = u32::try_from(login.hops_before).unwrap_or(u32::MAX - 3);
        let settings = Settings {
            connect_deadline: settings.connect_deadline.mul_f64(f64::from(hops + 2) / f64::from(hops + 3)),
            open_deadline: OPEN_LIMIT.min(settings.open_deadline),
            max_queued_bytes: QUEUED_CHANNELS * settings.max_queued_bytes,
            ..settings.clone()
        };
        let (state, status) = (Mutex::default(), watch::Sender::default());
        Self {
            shared: Arc::new(Shared { login, tasks: tasks.clone(), settings, state, status, users: Arc::default() }),
        }
    }

    /// How its connection stands, now and later.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<JumpStatus> {
        self.shared.status.subscribe()
    }

    /// Makes sure that there is a connection.
    ///
    /// # Errors
    /// As `Carrier::open`.
    pub async fn warm(&self) -> Result<(), ConnectError> {
        self.session().await.map(drop)
    }

    /// Connections that it carries now.
    #[must_use]
    pub fn carried_now(&self) -> usize {
        Arc::strong_count(&self.shared.users) - 1
    }

    /// Forgets what went wrong: the next who needs it tries at once.
    pub fn try_again(&self) {
        self.lock().failed = None;
    }

    /// Ends its connection, with everything that it carries, and makes no other: another takes its place.
    pub fn retire(&self) {
        self.close(Closed::Retired);
    }

    /// As `retire`, because it is not to be used: `why` is told to whoever asks.
    pub fn bar(&self, why: &'static str) {
        self.close(Closed::Barred(why));
    }

    fn close(&self, closed: Closed) {
        let mut state = self.lock();
        state.closed = Some(closed);
        let session = state.session.take();
        drop(state);
        if let Some(session) = session {
            self.shared.tasks.spawn(debug_span!("farewell"), |_stop| async move { session.close().await });
        }
    }

    async fn session(&self) -> Result<Session, ConnectError> {
        let mut outcome = {
            let mut state = self.lock();
            match state.closed {
                Some(Closed::Barred(why)) => {
                    return Err(ConnectError::CarrierClosed { carrier: self.name(), why });
                }
                Some(Closed::Retired) => return Err(ConnectError::Stopped { at: self.shared.login.dial.at() }),
                None => (),
            }
            // A worn one is replaced; what it carries keeps it until that ends.
            if let Some(session) = state.session.as_ref().filter(|session| !session.is_worn()) {
                return Ok(session.clone());
            }
            if let Some(failed) = state.failed.as_ref().filter(|failed| Instant::now() < failed.until) {
                return Err(failed.error.clone());
            }
            state.attempt.get_or_insert_with(|| self.attempt()).clone()
        };
        let stopped = || ConnectError::Stopped { at: self.shared.login.dial.at() };
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(stopped())),
            Err(_) => Err(stopped()),
        }
    }

    /// Connects in a task of its own: it outlives the caller who started it.
    fn attempt(&self) -> watch::Receiver<Outcome> {
        let (sender, receiver) = watch::channel(None);
        let jump = self.clone();
        self.shared.tasks.spawn(debug_span!("jump_host", jump_host.name = self.shared.login.name), |stop| async move {
            jump.shared.status.send_replace(JumpStatus::Connecting);
            let made = tokio::select! {
                () = stop.cancelled() => Err(ConnectError::Stopped { at: jump.shared.login.dial.at() }),
                made = jump.connect() => made,
            };
            let outcome = jump.settle(made);
            sender.send_replace(Some(outcome));
        });
        receiver
    }

    async fn connect(&self) -> Result<Session, ConnectError> {
        let Shared { login, tasks, settings, .. } = &*self.shared;
        let (credential, policy) =
            (Credential::Key(Arc::clone(&login.key)), HostKeyPolicy::Pinned(login.host_keys.clone()));
        Session::connect_with(&login.dial, &credential, &policy, tasks, settings).await
    }

    fn settle(&self, made: Result<Session, ConnectError>) -> Result<Session, ConnectError> {
        let mut state = self.lock();
        state.attempt = None;
        match made {
            Ok(_) if state.closed.is_some() => Err(ConnectError::Stopped { at: self.shared.login.dial.at() }),
            Ok(session) => {
                (state.session, state.failed) = (Some(session.clone()), None);
                drop(state);
                info!("connected");
                self.shared.status.send_replace(JumpStatus::Connected);
                self.watch(&session);
                Ok(session)
            }
            Err(error) => {
                let told = self.named(error.clone());
                let in_a_row = state.failed.as_ref().map_or(0, |failed| failed.in_a_row);
                let until = Instant::now() + pause(&error, in_a_row);
                state.failed = Some(Failed { error: told.clone(), until, in_a_row: in_a_row.saturating_add(1) });
                drop(state);
                if in_a_row == 0 {
                    warn!(%error, "cannot connect to the jump host");
                }
                self.shared.status.send_replace(JumpStatus::Failed(error));
                Err(told)
            }
        }
    }

    /// Notices the end of the connection, and ends it when nobody uses it.
    fn watch(&self, session: &Session) {
        let (weak, closed) = (Arc::downgrade(&self.shared), session.closed_signal());
        self.shared.tasks.spawn(debug_span!("watch", jump_host.name = self.shared.login.name), |_stop| async move {
            let mut carried_before = None;
            while timeout(IDLE_LIMIT, closed.cancelled()).await.is_err() {
                let Some(shared) = weak.upgrade() else { return };
                let jump = Self { shared };
                let carried = jump.lock().carried;
                if jump.carried_now() == 0 && carried_before == Some(carried) {
                    let session = jump.lock().session.take();
                    if let Some(session) = session {
                        session.close().await;
                    }
                }
                carried_before = Some(carried);
            }
            let Some(shared) = weak.upgrade() else { return };
            info!("the connection to the jump host has ended");
            let jump = Self { shared };
            // Another may have taken its place.
            let other_is_up = jump.lock().session.as_ref().is_some_and(|session| !session.is_closed());
            jump.shared.status.send_if_modified(|status| {
                let was_up = *status == JumpStatus::Connected && !other_is_up;
                if was_up {
                    *status = JumpStatus::Idle;
                }
                was_up
            });
        });
    }

    async fn carry(&self, address: &str, port: u16) -> Result<CarriedStream, ConnectError> {
        let session = self.session().await?;
        self.lock().carried += 1;
        let opened = session.open_direct(address, port, Arc::clone(&self.shared.users)).await;
        let channel = opened.map_err(|refused| ConnectError::Carried {
            at: Dial::direct(address.to_owned(), port, String::new()).at(),
            carrier: self.name(),
            reason: refused.to_string(),
        })?;
        Ok(Box::new(JumpStream::new(channel)))
    }

    /// The error of this hop, as those who go through it see it; that of a hop before it has its name already.
    fn named(&self, error: ConnectError) -> ConnectError {
        match error {
            named @ (ConnectError::CarrierDown { .. } | ConnectError::CarrierClosed { .. }) => named,
            error => ConnectError::CarrierDown { carrier: self.name(), why: Box::new(error) },
        }
    }

    /// Nothing here panics while it holds the lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrier for Jump {
    fn name(&self) -> String {
        format!("jump host {}", self.shared.login.name)
    }

    fn open<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<CarriedStream, ConnectError>> {
        Box::pin(self.carry(address, port))
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), ConnectError>> {
        Box::pin(self.warm())
    }
}

/// How long nobody tries after a failure.
fn pause(error: &ConnectError, failed_before: u32) -> Duration {
    if !error.may_pass_later() && !matches!(error, ConnectError::Stopped { .. }) {
        return FINAL_PAUSE;
    }
    let cap = if error.was_answered() { ANSWERED_CAP } else { SILENT_CAP };
    PAUSE_FIRST.saturating_mul(1 << failed_before.min(8)).min(cap)
}
