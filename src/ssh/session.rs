//! One SSH connection, shared by everything that runs on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use russh::ChannelOpenFailure;
use russh::client::Handle;
use shuntyard_domain::probe::Layers;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug_span;

use super::channel::{self, Channel};
use super::error::{ExecError, ForwardError};
use super::events::{SeenHostKeys, ServerEvents};
use super::noted::Noted;
use super::route::Route;
use super::settings::Settings;
use crate::shutdown::Tasks;

/// Where to connect, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Host name or IP address.
    pub address: String,
    pub port: u16,
    pub user: String,
    pub route: Route,
}

impl Dial {
    /// A host that we connect to ourselves.
    #[must_use]
    pub fn direct(address: String, port: u16, user: String) -> Self {
        Self { address, port, user, route: Route::Direct }
    }

    /// `HOST:PORT`, with brackets around an IPv6 address; ` by CARRIER` behind it when it is not reached directly.
    #[must_use]
    pub fn at(&self) -> String {
        let Self { address, port, route, .. } = self;
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        match route {
            Route::Direct => format!("{address}:{port}"),
            Route::Carried(carrier) => format!("{address}:{port} by {}", carrier.name()),
        }
    }
}

/// One authenticated SSH connection. Clones share it; it is cut when the last clone and the last channel are gone.
#[derive(Clone)]
pub struct Session {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) at: String,
    pub(super) handle: Handle<ServerEvents>,
    pub(super) tasks: Tasks,
    pub(super) settings: Settings,
    pub(super) seen: watch::Receiver<SeenHostKeys>,
    pub(super) noted: Noted,
    pub(super) closed: CancellationToken,
    /// Cuts the socket.
    pub(super) cut: CancellationToken,
    /// Cuts it when the last user is gone.
    pub(super) _cut_on_drop: DropGuard,
    /// Channels that we closed first and opens that were refused: each leaks a little in russh.
    pub(super) spent: AtomicU32,
}

/// How long the announcement of host keys is waited for; OpenSSH sends it right after authentication.
const ANNOUNCEMENT_WAIT: Duration = Duration::from_secs(1);
/// A connection that has leaked this often in russh (3 KiB each) is replaced.
const MAX_SPENT: u32 = 500;
/// How long a farewell may take before the socket is cut.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

impl Session {
    /// Starts `command` on a channel of its own and returns it; the command may still be about to start.
    ///
    /// A caller that goes away while this waits leaves no session behind on the host.
    ///
    /// # Errors
    /// `ExecError::ChannelRefused` when the host has no session left (the connection is fine), `OpenDeadline`,
    /// `ConnectionLost`.
    pub async fn open(&self, command: &str) -> Result<Channel, ExecError> {
        self.open_holding(command, ()).await
    }

    /// As `open`; `held` is dropped when the host's session is free again.
    pub(super) async fn open_holding<T: Send + 'static>(&self, command: &str, held: T) -> Result<Channel, ExecError> {
        let (answer, opened) = oneshot::channel();
        let (inner, command) = (Arc::clone(&self.inner), command.as_bytes().to_vec());
        // In a task of its own because an open that is given up half-way would leave the session on the host.
        self.inner.tasks.spawn(debug_span!("channel", ssh.host = self.inner.at), |_stop| async move {
            let _held = held;
            match start(&inner, command).await {
                Err(error) => drop(answer.send(Err(error))),
                Ok((channel, follower)) => {
                    drop(answer.send(Ok(channel)));
                    follower.run(&inner.spent).await;
                }
            }
        });
        let limit = self.inner.settings.open_deadline;
        match timeout(limit, opened).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ExecError::ConnectionLost { at: self.inner.at.clone() }),
            Err(_) => Err(ExecError::OpenDeadline { at: self.inner.at.clone(), limit }),
        }
    }

    /// Has the peer connect to a host for us; `held` is dropped when that connection is over.
    ///
    /// # Errors
    /// `ForwardError` says what the peer said.
    pub(super) async fn open_direct<T: Send + 'static>(
        &self,
        address: &str,
        port: u16,
        held: T,
    ) -> Result<Channel, ForwardError> {
        let (answer, opened) = oneshot::channel();
        let (inner, address) = (Arc::clone(&self.inner), address.to_owned());
        // In a task of its own, as `open_holding`.
        self.inner.tasks.spawn(debug_span!("forward", ssh.host = self.inner.at), |_stop| async move {
            let _held = held;
            match forward(&inner, address, port).await {
                Err(error) => drop(answer.send(Err(error))),
                Ok((channel, follower)) => {
                    drop(answer.send(Ok(channel)));
                    follower.run(&inner.spent).await;
                }
            }
        });
        let limit = self.inner.settings.open_deadline;
        match timeout(limit, opened).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ForwardError::ConnectionLost),
            Err(_) => Err(ForwardError::Deadline { limit }),
        }
    }

    /// Has the peer connect to a host, and ends that connection at once.
    ///
    /// # Errors
    /// As `open_direct`.
    pub async fn try_forward(&self, address: &str, port: u16) -> Result<(), ForwardError> {
        self.open_direct(address, port, ()).await.map(drop)
    }

    /// `HOST:PORT` of the peer.
    #[must_use]
    pub fn at(&self) -> &str {
        &self.inner.at
    }

    /// What each layer of the connection said.
    #[must_use]
    pub fn layers(&self) -> Layers {
        self.inner.noted.layers()
    }

    /// The host key that the server proved, as `ALGORITHM BASE64`.
    #[must_use]
    pub fn host_key_line(&self) -> String {
        self.inner.seen.borrow().shown.clone()
    }

    /// Every host key that the server announced (hostkeys-00@openssh.com), waiting at most 1 s; else the one it showed.
    pub async fn announced_host_keys(&self) -> Vec<String> {
        let mut seen = self.inner.seen.clone();
        let announced = async {
            match seen.wait_for(|seen| seen.announced.is_some()).await {
                Ok(seen) => seen.announced.clone(),
                Err(_) => None,
            }
        };
        let announced = timeout(ANNOUNCEMENT_WAIT, announced).await.ok().flatten().unwrap_or_default();
        let shown = self.host_key_line();
        if announced.contains(&shown) { announced } else { vec![shown] }
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.closed.is_cancelled() || self.inner.handle.is_closed()
    }

    /// Resolves when the connection has ended, for whatever cause.
    pub async fn closed(&self) {
        self.inner.closed.cancelled().await;
    }

    /// The signal behind `closed`, which does not keep the connection open.
    #[must_use]
    pub fn closed_signal(&self) -> CancellationToken {
        self.inner.closed.clone()
    }

    /// Says goodbye and ends the connection with everything on it.
    pub async fn close(&self) {
        self.inner.close().await;
    }

    /// True when it should be given no more work: it has ended, or has leaked a little in russh too often.
    pub(super) fn is_worn(&self) -> bool {
        self.is_closed() || self.inner.spent.load(Ordering::Relaxed) > MAX_SPENT
    }
}

impl Inner {
    pub(super) async fn close(&self) {
        let goodbye = async {
            let _ = self.handle.disconnect(russh::Disconnect::ByApplication, "", "").await;
            self.closed.cancelled().await;
        };
        if timeout(CLOSE_WAIT, goodbye).await.is_err() {
            self.cut.cancel();
        }
    }
}

async fn start(inner: &Arc<Inner>, command: Vec<u8>) -> Result<(Channel, channel::Follower), ExecError> {
    let lost = || ExecError::ConnectionLost { at: inner.at.clone() };
    let opened = inner.handle.channel_open_session().await.map_err(|error| match error {
        russh::Error::ChannelOpenFailure(_) => {
            inner.spent.fetch_add(1, Ordering::Relaxed);
            ExecError::ChannelRefused { at: inner.at.clone() }
        }
        _ => lost(),
    })?;
    let (reader, writer) = opened.split();
    writer.exec(true, command).await.map_err(|_| lost())?;
    Ok(channel::assemble(reader, writer, &inner.settings))
}

async fn forward(inner: &Arc<Inner>, address: String, port: u16) -> Result<(Channel, channel::Follower), ForwardError> {
    // The originator is only logged there.
    let opened = inner.handle.channel_open_direct_tcpip(address, u32::from(port), "127.0.0.1", 0).await;
    if matches!(opened, Err(russh::Error::ChannelOpenFailure(_))) {
        inner.spent.fetch_add(1, Ordering::Relaxed);
    }
    let opened = opened.map_err(|error| match error {
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => ForwardError::Prohibited,
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage) => ForwardError::NoRoom,
        russh::Error::ChannelOpenFailure(_) => ForwardError::NotConnected,
        _ => ForwardError::ConnectionLost,
    })?;
    let (reader, writer) = opened.split();
    Ok(channel::assemble(reader, writer, &inner.settings))
}
