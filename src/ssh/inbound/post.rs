//! One runner's end here: the tunnel that is up, and the connections that go through it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use russh::ChannelOpenFailure;
use russh::server::Handle;
use shuntyard_domain::ids::RunnerId;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug_span, info, warn};

use super::tunnels::{Around, TunnelUp, TurnedAway};
use crate::ssh::carried_channel::carried_stream;
use crate::ssh::error::ConnectError;
use crate::ssh::route::{CarriedStream, Carrier};

/// How long a tunnel may take to answer when another host comes with its key.
const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// How long the end of a connection may take to be known after its last word.
const END_WAIT: Duration = Duration::from_millis(200);

/// Carries the connections to one runner. The same as long as the runner may dial out.
pub(super) struct Post {
    pub runner: RunnerId,
    hostname: String,
    around: Around,
    live: watch::Sender<Option<Arc<Live>>>,
    turned_away: Mutex<Option<TurnedAway>>,
    revoked: CancellationToken,
}

/// A tunnel: a connection of the runner's host that takes `forwarded-tcpip` channels.
pub(super) struct Live {
    pub handle: Handle,
    /// What the host has asked to be forwarded, which it wants to hear again with every channel.
    pub address: String,
    pub port: u32,
    pub peer: SocketAddr,
    pub since_ms: i64,
    /// Cuts its socket.
    pub cut: CancellationToken,
    /// Its connection has ended.
    pub ended: CancellationToken,
}

impl Live {
    /// True when the host answers: any answer will do.
    async fn answers(&self) -> bool {
        // A host that dials out forwards nothing for us: its answer is `no`.
        let asked = self.handle.forward_tcpip(String::new(), 0);
        let answered = tokio::select! {
            () = self.ended.cancelled() => false,
            answered = timeout(ANSWER_WAIT, asked) => answered.is_ok(),
        };
        answered && timeout(END_WAIT, self.ended.cancelled()).await.is_err()
    }
}

impl Post {
    pub fn new(runner: RunnerId, hostname: &str, around: Around) -> Self {
        Self {
            runner,
            hostname: hostname.to_owned(),
            around,
            live: watch::Sender::new(None),
            turned_away: Mutex::default(),
            revoked: CancellationToken::new(),
        }
    }

    pub fn up(&self) -> Option<TunnelUp> {
        self.live.borrow().as_ref().map(|live| TunnelUp { since_ms: live.since_ms, peer: live.peer })
    }

    pub fn turned_away(&self) -> Option<TurnedAway> {
        *self.turned_away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn come_up(&self) {
        // The sender is ours: it does not end before this.
        let _ = self.live.subscribe().wait_for(Option::is_some).await;
    }

    /// Takes over a tunnel that has come up. One that is up already and answers stays, and the newcomer is refused: two hosts
    /// with one key would take turns for ever. One that does not answer is what a host behind NAT leaves when it comes anew.
    pub async fn offer(&self, live: &Arc<Live>) -> bool {
        loop {
            let before = self.live.borrow().clone();
            if let Some(old) = &before {
                if old.answers().await {
                    self.turn_away(live, old);
                    return false;
                }
                old.cut.cancel();
            }
            let taken = self.live.send_if_modified(|current| {
                let unchanged = match (current.as_ref(), &before) {
                    (None, _) => true,
                    (Some(current), Some(before)) => Arc::ptr_eq(current, before),
                    (Some(_), None) => false,
                };
                if unchanged {
                    *current = Some(Arc::clone(live));
                }
                unchanged
            });
            if taken && self.revoked.is_cancelled() {
                self.lose(live);
                return false;
            }
            if taken {
                info!(runner.name = self.hostname, peer = %live.peer, "the runner has dialled out: its tunnel is up");
                return true;
            }
        }
    }

    fn turn_away(&self, live: &Live, old: &Live) {
        warn!(
            runner.name = self.hostname, peer = %live.peer, up = %old.peer,
            "another tunnel with this runner's key was refused: the first one is up; was the key copied to a second host, or \
             does the host run the tunnel twice?"
        );
        let turned_away = TurnedAway { at_ms: live.since_ms, peer: live.peer };
        *self.turned_away.lock().unwrap_or_else(PoisonError::into_inner) = Some(turned_away);
    }

    /// A tunnel has ended.
    pub fn lose(&self, live: &Arc<Live>) {
        let was_up = self.live.send_if_modified(|current| {
            let is_it = current.as_ref().is_some_and(|current| Arc::ptr_eq(current, live));
            if is_it {
                *current = None;
            }
            is_it
        });
        if was_up {
            info!(runner.name = self.hostname, peer = %live.peer, "the runner's tunnel has ended");
        }
    }

    /// Cuts the tunnel; the host may open another.
    pub fn cut(&self) {
        if let Some(live) = self.live.borrow().as_ref() {
            live.cut.cancel();
        }
    }

    pub fn revoke(&self) {
        self.revoked.cancel();
        self.cut();
    }

    fn failed(&self, at: &str, reason: impl Into<String>) -> ConnectError {
        ConnectError::Carried { at: at.to_owned(), carrier: self.name(), reason: reason.into() }
    }

    /// Opens a channel through the tunnel. In a task of its own: an open that is given up half-way would stay on the host.
    async fn through(&self, live: &Arc<Live>, address: &str, port: u16) -> Result<CarriedStream, ConnectError> {
        let at = format!("{address}:{port}");
        let (answer, opened) = oneshot::channel();
        let (live, around) = (Arc::clone(live), self.around.clone());
        self.around.tasks.spawn(debug_span!("carry", runner.name = self.hostname), |_stop| async move {
            let asked = live.handle.channel_open_forwarded_tcpip(live.address.clone(), live.port, "127.0.0.1", 1);
            let opened = tokio::select! {
                () = live.ended.cancelled() => Err(None),
                opened = asked => opened.map_err(Some),
            };
            let stream = opened.map(|channel| carried_stream(channel, around.max_queued_bytes, &around.tasks));
            // Nobody may be waiting any more; then it is closed.
            let _ = answer.send(stream);
        });
        match opened.await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(Some(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed)))) => {
                Err(self.failed(&at, "the host's end of it finds no sshd there (connect failed)"))
            }
            Ok(Err(Some(russh::Error::ChannelOpenFailure(why)))) => {
                Err(self.failed(&at, format!("the host's end of it refuses ({})", plain(why.description()))))
            }
            Ok(Err(_)) | Err(_) => Err(self.failed(&at, "the tunnel has ended")),
        }
    }
}

/// A host's words without what a terminal would act on.
fn plain(said: &str) -> String {
    said.chars().filter(|c| !c.is_control()).take(100).collect()
}

impl Carrier for Post {
    fn name(&self) -> String {
        format!("the dial-out tunnel of {}", self.hostname)
    }

    fn open<'a>(&'a self, address: &'a str, port: u16) -> BoxFuture<'a, Result<CarriedStream, ConnectError>> {
        Box::pin(async move {
            self.ready().await?;
            let live = self.live.borrow().as_ref().map(Arc::clone);
            match live {
                Some(live) => self.through(&live, address, port).await,
                None => Err(self.failed("the host", "the tunnel has ended")),
            }
        })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), ConnectError>> {
        Box::pin(async move {
            let up = timeout(self.around.patience, self.come_up()).await;
            up.map_err(|_| self.failed("the host", "the host has not dialled out"))
        })
    }
}
