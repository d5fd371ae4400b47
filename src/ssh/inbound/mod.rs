//! The endpoint for hosts that nobody can connect to: they open an SSH connection to it, and are reached through that.
//!
//! A host runs `ssh -N -R 0:127.0.0.1:22` with a key that opens its own runner's tunnel and nothing else. No port is opened for
//! it: a connection to the runner is a `forwarded-tcpip` channel of the tunnel, and in it an SSH connection as to any other
//! runner, with the host's own sshd at its end. There is no shell, no command, no other forwarding.

mod client;
mod guard;
mod host_key;
mod post;
mod tunnels;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use russh::{Preferred, SshId, compression, server};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, debug_span, warn};

pub use tunnels::{DIAL_OUT_USER, KeyTaken, TunnelUp, Tunnels, TurnedAway, dial_out_key};

use super::host_keys;
use super::noted::{BannerTap, Noted};
use super::settings::{Settings, WINDOW_BYTES};
use super::socket::{Socket, Wire};
use crate::shutdown::Tasks;
use client::{Client, Signals, methods};
use guard::{Guard, Place};

/// Time to show a key and ask for the tunnel, as sshd's LoginGraceTime.
const LOGIN_GRACE: Duration = Duration::from_secs(20);
/// What a refused key costs.
const REJECTION_TIME: Duration = Duration::from_secs(1);
const MAX_KEYS: usize = 4;
/// After an `accept` that failed: out of file descriptors, most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The endpoint could not be started.
#[derive(Debug, thiserror::Error)]
pub enum InboundError {
    #[error("cannot read or make the endpoint's host key {}", path.display())]
    KeyFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the endpoint's host key {} cannot be used: {reason}", path.display())]
    BadKey { path: PathBuf, reason: String },
    #[error("cannot listen on {address} for hosts that dial out")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
}

/// An endpoint that has its port; hosts wait until it serves.
pub struct Inbound {
    /// Where it listens.
    pub address: SocketAddr,
    /// `ALGORITHM BASE64` of its host key, which hosts pin.
    pub host_key: String,
    listener: TcpListener,
    endpoint: Arc<Endpoint>,
}

struct Endpoint {
    tunnels: Tunnels,
    settings: Settings,
    config: Arc<server::Config>,
    guard: Arc<Guard>,
    tasks: Tasks,
}

impl Inbound {
    /// Takes the port. The host key is made at the first start.
    ///
    /// # Errors
    /// `InboundError`, when key or port cannot be had.
    pub async fn bind(
        listen: SocketAddr,
        key_file: &Path,
        tunnels: Tunnels,
        settings: Settings,
        tasks: &Tasks,
    ) -> Result<Self, InboundError> {
        let key = host_key::read_or_make(key_file)?;
        let host_key = host_keys::line(key.public_key());
        let failed = |source| InboundError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let config = Arc::new(server_config(key, &settings));
        let endpoint = Endpoint { tunnels, settings, config, guard: Arc::default(), tasks: tasks.clone() };
        Ok(Self { address, host_key, listener, endpoint: endpoint.into() })
    }

    /// Serves hosts that dial out, until the tasks are stopped.
    pub fn serve(self) {
        let Self { listener, endpoint, .. } = self;
        let tasks = endpoint.tasks.clone();
        tasks.spawn(debug_span!("dial_out"), |stop| accept(endpoint, listener, stop));
    }
}

fn server_config(key: russh::keys::PrivateKey, settings: &Settings) -> server::Config {
    server::Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-shuntyard_", env!("CARGO_PKG_VERSION")))),
        methods: methods(),
        auth_rejection_time: REJECTION_TIME,
        // The first attempt of every client is `none`, to learn the methods.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        max_auth_attempts: MAX_KEYS,
        window_size: WINDOW_BYTES,
        event_buffer_size: 64,
        inactivity_timeout: None,
        keepalive_interval: Some(settings.keepalive_interval),
        keepalive_max: settings.keepalive_max,
        nodelay: true,
        preferred: Preferred { compression: Cow::Borrowed(&[compression::NONE]), ..Preferred::DEFAULT },
        ..server::Config::default()
    }
}

async fn accept(endpoint: Arc<Endpoint>, listener: TcpListener, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => match endpoint.guard.admit(peer.ip(), Instant::now()) {
                Ok(place) => {
                    let served = serve(Arc::clone(&endpoint), socket, peer, place, stop.clone());
                    endpoint.tasks.spawn(debug_span!("dialled_in", %peer), |_| served);
                }
                // Closed: it is dropped.
                Err(refusal) => debug!(%peer, ?refusal, "a connection was not listened to"),
            },
            Err(error) => {
                warn!(%error, "a connection of a host that dials out cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until it ends, has no tunnel in time, or is cut.
async fn serve(endpoint: Arc<Endpoint>, socket: TcpStream, peer: SocketAddr, place: Place, stop: CancellationToken) {
    let _ = socket.set_nodelay(true);
    let signals = Signals::default();
    let _ended = signals.ended.clone().drop_guard();
    let nobody_asks = BannerTap::new(&Noted::default());
    let socket = Socket::new(Wire::Tcp(socket), &signals.cut, endpoint.settings.write_stall, nobody_asks);
    let client = Client {
        tunnels: endpoint.tunnels.clone(),
        peer,
        place: Some(place),
        signals: signals.clone(),
        post: None,
        live: None,
    };
    let session = async { server::run_stream(Arc::clone(&endpoint.config), socket, client).await?.await };
    let grace = async {
        if tokio::time::timeout(LOGIN_GRACE, signals.up.cancelled()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = session => debug!(error = result.err().map(tracing::field::display), "a connection has ended"),
        () = signals.cut.cancelled() => debug!("a connection was cut"),
        () = stop.cancelled() => {}
        () = grace => debug!("a connection opened no tunnel in time"),
    }
    // russh's own task reads from the socket still.
    signals.cut.cancel();
}
