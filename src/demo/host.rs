//! One embedded host: listens, serves connections, and takes everything down with it.

use std::borrow::Cow;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{HashAlg, PrivateKey, ssh_key};
use russh::{SshId, server};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::debug_span;

use super::processes::Processes;
use super::root::HostRoot;
use super::session::{Client, methods};
use super::spec::{HostSpec, random_text};
use super::uncorked::{drain, uncorked};
use crate::shutdown::Tasks;

/// Time to log in, as sshd's LoginGraceTime.
const LOGIN_GRACE: Duration = Duration::from_secs(120);
/// Time for connections and commands to end at stop, after everything was killed.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
const KILL_INTERVAL: Duration = Duration::from_millis(20);
/// What a refused attempt costs the client.
const REJECTION_TIME: Duration = Duration::from_millis(100);

/// A demo host could not be started.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("cannot prepare {} for a demo host", path.display())]
    Root {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot read or make the demo host key {}", path.display())]
    HostKey {
        path: PathBuf,
        #[source]
        source: ssh_key::Error,
    },
    #[error("a demo host cannot listen on 127.0.0.1:{port}")]
    Listen {
        port: u16,
        #[source]
        source: io::Error,
    },
    #[error("the system's random source failed")]
    Random,
}

/// What the parts of one host share.
pub(super) struct Host {
    pub spec: HostSpec,
    pub root: HostRoot,
    pub port: u16,
    /// Gives a command a session of its own, as sshd does; without it, a process group.
    pub setsid: Option<PathBuf>,
    pub processes: Arc<Processes>,
    /// Connections and commands.
    pub tasks: Tasks,
}

/// A running host on 127.0.0.1. Dropping it stops it too, without waiting.
pub struct DemoHost {
    host: Arc<Host>,
    fingerprint: String,
    gone: CancellationToken,
}

impl DemoHost {
    /// Starts a host whose files are in `root`, which is made when missing; an earlier start's host key is kept.
    ///
    /// # Errors
    /// `DemoError` when the directory, the key or the port cannot be had.
    pub async fn start(spec: HostSpec, root: &Path, tasks: &Tasks) -> Result<Self, DemoError> {
        let root = HostRoot::prepare(root, &spec)?;
        let key = root.host_key()?;
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let asked = spec.port;
        let listen = |source| DemoError::Listen { port: asked, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, asked)).await.map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let processes = Processes::new(&random_text()?, &root.home);
        let setsid = ["/usr/bin/setsid", "/bin/setsid"].into_iter().map(PathBuf::from).find(|path| path.exists());
        let host = Arc::new(Host { spec, root, port, setsid, processes, tasks: tasks.child() });
        let gone = CancellationToken::new();
        let span = debug_span!("demo_host", host.name = %host.spec.name, host.port = port);
        let serve = serve(Arc::clone(&host), listener, Arc::new(server_config(key)), gone.clone());
        tasks.spawn(span, |_| serve);
        Ok(Self { host, fingerprint, gone })
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.host.port
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn host_key_fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// HOME of its user.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.host.root.home
    }

    #[must_use]
    pub fn spec(&self) -> &HostSpec {
        &self.host.spec
    }

    /// Cuts every connection, kills every process that it started, and returns when they are gone.
    pub async fn stop(&self) {
        self.host.tasks.stop_signal().cancel();
        self.gone.cancelled().await;
    }
}

impl Drop for DemoHost {
    fn drop(&mut self) {
        self.host.tasks.stop_signal().cancel();
    }
}

fn server_config(key: PrivateKey) -> server::Config {
    server::Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-ShuntyardDemo_", env!("CARGO_PKG_VERSION")))),
        methods: methods(),
        auth_rejection_time: REJECTION_TIME,
        // The first attempt of every client is `none`, to learn the methods.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        max_auth_attempts: 6,
        // Enough that a command's output keeps the session loop busy; it bounds what is queued besides.
        event_buffer_size: 64,
        // A dispatcher's connection is idle for hours.
        inactivity_timeout: None,
        nodelay: true,
        ..server::Config::default()
    }
}

/// Accepts until the stop signal, then takes everything down.
async fn serve(host: Arc<Host>, listener: TcpListener, config: Arc<server::Config>, gone: CancellationToken) {
    let _gone = gone.drop_guard();
    let stop = host.tasks.stop_signal();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, peer)) => {
                let connection = connection(Arc::clone(&host), socket, peer, Arc::clone(&config), stop.clone());
                host.tasks.spawn(debug_span!("demo_connection", host.name = %host.spec.name), |_| connection);
            }
            // Out of file descriptors, most likely: what exists may end.
            Err(error) => {
                tracing::warn!(%error, "a demo host cannot accept a connection");
                tokio::time::sleep(KILL_INTERVAL).await;
            }
        }
    }
    drop(listener);
    take_down(&host).await;
}

/// Serves one client until it goes, the host stops, or nobody logs in.
async fn connection(
    host: Arc<Host>,
    socket: TcpStream,
    peer: SocketAddr,
    config: Arc<server::Config>,
    stop: CancellationToken,
) {
    let (socket, cut) = match split_off_cut(socket) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "a demo host's client was gone at once"),
    };
    let authenticated = CancellationToken::new();
    let client = Client::new(host, peer, authenticated.clone());
    let (read, write) = socket.into_split();
    let (writer, queued) = uncorked();
    let session = async {
        let session = server::run_stream(config, tokio::io::join(read, writer), client).await?;
        session.await
    };
    let login_grace = async {
        if tokio::time::timeout(LOGIN_GRACE, authenticated.cancelled()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        (result, ()) = async { tokio::join!(session, drain(queued, write)) } => {
            tracing::debug!(error = result.err().map(tracing::field::display), "a client has gone");
        }
        () = stop.cancelled() => {}
        () = login_grace => tracing::debug!("a client did not log in in time"),
    }
    // Ends russh's own task, which reads from the socket still. An error means that it is closed already.
    let _ = cut.shutdown(Shutdown::Both);
}

/// Gives the socket and a second handle by which it can be shut down.
fn split_off_cut(socket: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    socket.set_nodelay(true)?;
    let socket = socket.into_std()?;
    let cut = socket.try_clone()?;
    Ok((TcpStream::from_std(socket)?, cut))
}

/// Kills until no task and no process is left: a command may have been starting a moment ago.
async fn take_down(host: &Host) {
    let mut ended = pin!(host.tasks.stop(STOP_DEADLINE));
    loop {
        host.processes.kill_all();
        tokio::select! {
            ended = &mut ended => break if !ended { tracing::warn!("a demo host's tasks did not end") },
            () = tokio::time::sleep(KILL_INTERVAL) => {}
        }
    }
    let no_process_left = async {
        while host.processes.kill_all() > 0 {
            tokio::time::sleep(KILL_INTERVAL).await;
        }
    };
    if tokio::time::timeout(STOP_DEADLINE, no_process_left).await.is_err() {
        tracing::warn!("processes of a demo host are still there");
    }
}
