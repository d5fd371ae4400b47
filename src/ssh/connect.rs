//! Making a connection: resolve, TCP, key exchange, authentication, all under one deadline.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use shuntyard_domain::runner::{BadName, check_hostname, check_user};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, debug_span};

use super::authenticate::authenticate;
use super::credentials::Credential;
use super::error::{ConnectError, Phase};
use super::events::{SeenHostKeys, ServerEvents, SessionError};
use super::host_keys::HostKeyPolicy;
use super::route::Route;
use super::session::{Dial, Inner, Session};
use super::settings::Settings;
use super::socket::{Socket, Wire};
use crate::shutdown::Tasks;

/// The one deadline, and what to say when it passes.
struct Limit {
    at: String,
    until: Instant,
    length: Duration,
}

impl Limit {
    async fn hold<T>(&self, phase: Phase, work: impl Future<Output = T>) -> Result<T, ConnectError> {
        let passed = |_| ConnectError::Deadline { at: self.at.clone(), phase, limit: self.length };
        timeout_at(self.until, work).await.map_err(passed)
    }
}

impl Session {
    /// Connects and authenticates with the daemon's settings.
    ///
    /// The host key is checked before any authentication: a refused key sees no user name and no signature. One
    /// refused authentication ends the attempt, because hosts count them against our address.
    ///
    /// # Errors
    /// One variant of `ConnectError` per failed operation; at most 15 s pass.
    pub async fn connect(
        dial: &Dial,
        credential: &Credential,
        policy: &HostKeyPolicy,
        tasks: &Tasks,
    ) -> Result<Self, ConnectError> {
        Self::connect_with(dial, credential, policy, tasks, &Settings::default()).await
    }

    /// As `connect`, with other limits.
    ///
    /// # Errors
    /// As `connect`.
    pub async fn connect_with(
        dial: &Dial,
        credential: &Credential,
        policy: &HostKeyPolicy,
        tasks: &Tasks,
        settings: &Settings,
    ) -> Result<Self, ConnectError> {
        check(dial)?;
        let length = settings.connect_deadline;
        let limit = Limit { at: dial.at(), until: Instant::now() + length, length };
        let wire = reach(dial, &limit, settings.tcp_try).await?;
        let cut = CancellationToken::new();
        let cut_on_drop = cut.clone().drop_guard();
        let closed = CancellationToken::new();
        let (seen_sender, seen) = watch::channel(SeenHostKeys::default());
        let events = ServerEvents {
            at: limit.at.clone(),
            policy: policy.clone(),
            seen: seen_sender,
            _closed: closed.clone().drop_guard(),
        };
        let socket = Socket::new(wire, &cut, settings.write_stall);
        let config = settings.client_config(&policy.algorithms());
        let exchange = russh::client::connect_stream(config, socket, events);
        let mut handle = limit
            .hold(Phase::KeyExchange, exchange)
            .await?
            .map_err(|error| failed(&limit.at, Phase::KeyExchange, error))?;
        limit.hold(Phase::Authentication, authenticate(&mut handle, dial, credential)).await??;
        debug!(ssh.host = limit.at, ssh.user = dial.user, "connected");
        let inner = Arc::new(Inner {
            at: limit.at,
            handle,
            tasks: tasks.clone(),
            settings: settings.clone(),
            seen,
            closed,
            cut,
            _cut_on_drop: cut_on_drop,
            spent: AtomicU32::new(0),
        });
        close_on_stop(&inner);
        Ok(Self { inner })
    }
}

/// Ends the connection when the tasks are stopped.
fn close_on_stop(inner: &Arc<Inner>) {
    let (weak, closed) = (Arc::downgrade(inner), inner.closed.clone());
    inner.tasks.spawn(debug_span!("connection", ssh.host = inner.at), |stop| async move {
        tokio::select! {
            () = closed.cancelled() => {}
            () = stop.cancelled() => {
                if let Some(inner) = weak.upgrade() {
                    inner.close().await;
                }
            }
        }
    });
}

fn check(dial: &Dial) -> Result<(), ConnectError> {
    let bad = |bad: BadName| ConnectError::BadAddress { what: bad.what, found: bad.found, allowed: bad.allowed };
    check_hostname(&dial.address).map_err(bad)?;
    check_user(&dial.user).map_err(bad)?;
    if dial.port == 0 {
        let found = dial.port.to_string();
        return Err(ConnectError::BadAddress { what: "port", found, allowed: "1 to 65535" });
    }
    Ok(())
}

async fn reach(dial: &Dial, limit: &Limit, tcp_try: Duration) -> Result<Wire, ConnectError> {
    match &dial.route {
        Route::Direct => reach_directly(dial, limit, tcp_try).await.map(Wire::Tcp),
        Route::Carried(carrier) => {
            limit.hold(Phase::Tcp, carrier.open(&dial.address, dial.port)).await?.map(Wire::Carried)
        }
    }
}

/// Connects to the first address that answers. Addresses that are silent are tried in turn until the deadline.
async fn reach_directly(dial: &Dial, limit: &Limit, tcp_try: Duration) -> Result<TcpStream, ConnectError> {
    let found = limit.hold(Phase::Resolve, lookup_host((dial.address.as_str(), dial.port))).await?;
    let unresolved = |reason: String| ConnectError::Resolve { at: limit.at.clone(), reason };
    let addresses: Vec<SocketAddr> = found.map_err(|error| unresolved(plain(&error)))?.collect();
    let mut last = unresolved("it has no address".to_owned());
    loop {
        let mut silent = false;
        for address in &addresses {
            let until = limit.until.min(Instant::now() + tcp_try);
            last = match timeout_at(until, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => ConnectError::Tcp { at: limit.at.clone(), reason: plain(&error) },
                Err(_) => {
                    silent = true;
                    ConnectError::Deadline { at: limit.at.clone(), phase: Phase::Tcp, limit: limit.length }
                }
            };
        }
        if !silent || Instant::now() >= limit.until {
            return Err(last);
        }
    }
}

fn plain(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => "nothing listens there (connection refused)".to_owned(),
        Kind::HostUnreachable => "there is no route to the host".to_owned(),
        Kind::NetworkUnreachable => "the network is unreachable".to_owned(),
        Kind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}

/// Turns the end of a session into what was being done when it ended.
pub(super) fn failed(at: &str, phase: Phase, error: SessionError) -> ConnectError {
    let reason = match error {
        SessionError::HostKey(verdict) => return verdict,
        SessionError::Russh(
            russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError | russh::Error::RecvError,
        ) => "the host ended the connection".to_owned(),
        SessionError::Russh(russh::Error::IO(error)) => plain(&error),
        SessionError::Russh(error) => error.to_string(),
    };
    ConnectError::Protocol { at: at.to_owned(), phase, reason }
}
