//! One SSH connection, shared by everything that runs on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use russh::client::Handle;
use shuntyard_domain::probe::Layers;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug_span;

use super::channel::{self, Channel};
use super::error::ExecError;
use super::events::{SeenHostKeys, ServerEvents};
use super::noted::Noted;
use super::settings::Settings;
use crate::shutdown::Tasks;

/// Where to connect, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Host name or IP address.
    pub address: String,
    pub port: u16,
    pub user: String,
}

impl Dial {
    /// `HOST:PORT`, with brackets around an IPv6 address.
    #[must_use]
    pub fn at(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
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

    /// How often this connection has leaked a little in russh; the pool replaces it after some hundreds.
    pub(super) fn spent(&self) -> u32 {
        self.inner.spent.load(Ordering::Relaxed)
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
