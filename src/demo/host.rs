//! One embedded host: listens, serves connections, and takes everything down with it, unless it is to leave jobs alone.

use std::borrow::Cow;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::keys::{HashAlg, PrivateKey, ssh_key};
use russh::{SshId, server};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::debug_span;

use super::processes::Processes;
use super::root::HostRoot;
use super::session::{Client, methods};
use super::spec::{AtStop, HostSpec, random_text};
use super::uncorked::{drain, uncorked};
use crate::shutdown::Tasks;

/// Time to log in, as sshd's LoginGraceTime.
const LOGIN_GRACE: Duration = Duration::from_secs(120);
/// Time for connections and commands to end at stop, after everything was killed.
const STOP_DEADLINE: Duration = Duration::from_secs(5);
/// The same when nothing is killed: nobody depends on it.
const LET_GO_DEADLINE: Duration = Duration::from_secs(1);
const KILL_INTERVAL: Duration = Duration::from_millis(20);
/// What a refused attempt costs the client.
const REJECTION_TIME: Duration = Duration::from_millis(100);

/// A demo host could not be started.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("cannot prepare {} for an embedded host", path.display())]
    Root {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot read or make the embedded host's key {}", path.display())]
    HostKey {
        path: PathBuf,
        #[source]
        source: ssh_key::Error,
    },
    #[error("an embedded host cannot listen on 127.0.0.1:{port}")]
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
    /// What it kills at its end; `None` when it leaves its processes alone.
    pub processes: Option<Arc<Processes>>,
    /// Keys alone open it from here on.
    pub passwords_refused: AtomicBool,
    /// Connections and commands.
    pub tasks: Tasks,
}

/// A running host on 127.0.0.1. Dropping it stops it too, without waiting.
pub struct DemoHost {
    host: Arc<Host>,
    fingerprint: String,
    host_key_line: String,
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
        let host_key_line = key_line(&key).map_err(|source| root.key_failed(source))?;
        let asked = spec.port;
        let listen = |source| DemoError::Listen { port: asked, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, asked)).await.map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let processes = match spec.at_stop {
            AtStop::Kill => Some(Processes::new(&random_text()?, &root.home)),
            AtStop::LeaveAlone => None,
        };
        let setsid = ["/usr/bin/setsid", "/bin/setsid"].into_iter().map(PathBuf::from).find(|path| path.exists());
        let passwords_refused = AtomicBool::new(false);
        let host = Arc::new(Host { spec, root, port, setsid, processes, passwords_refused, tasks: tasks.child() });
        let gone = CancellationToken::new();
        let span = debug_span!("demo_host", host.name = %host.spec.name, host.port = port);
        let serve = serve(Arc::clone(&host), listener, Arc::new(server_config(key)), gone.clone());
        tasks.spawn(span, |_| serve);
        Ok(Self { host, fingerprint, host_key_line, gone })
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

    /// The host key as an `ALGORITHM BASE64` line.
    #[must_use]
    pub fn host_key_line(&self) -> String {
        self.host_key_line.clone()
    }

    /// From here on only keys open the host.
    pub fn refuse_passwords(&self) {
        self.host.passwords_refused.store(true, Ordering::Release);
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

    /// Cuts every connection, kills every process that it started unless they are to be left alone, and returns when
    /// connections and killed processes are gone.
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

/// `ALGORITHM BASE64`, without a comment.
fn key_line(key: &PrivateKey) -> Result<String, ssh_key::Error> {
    let text = key.public_key().to_openssh()?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
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
                tracing::warn!(%error, "an embedded host cannot accept a connection");
                tokio::time::sleep(KILL_INTERVAL).await;
            }
        }
    }
    drop(listener);
    match &host.processes {
        Some(processes) => take_down(&host, processes).await,
        None => let_go(&host).await,
    }
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
        Err(error) => return tracing::debug!(%error, "an embedded host's client was gone at once"),
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

/// Waits for the ends of connections. What runs has lost its pipes; the commands that wait for us end by that.
async fn let_go(host: &Host) {
    if !host.tasks.stop(LET_GO_DEADLINE).await {
        tracing::debug!(host.name = %host.spec.name, "commands go on without their host");
    }
}

/// Kills until no task and no process is left: a command may have been starting a moment ago.
async fn take_down(host: &Host, processes: &Processes) {
    let mut ended = pin!(host.tasks.stop(STOP_DEADLINE));
    loop {
        processes.kill_all();
        tokio::select! {
            ended = &mut ended => break if !ended { tracing::warn!("a demo host's tasks did not end") },
            () = tokio::time::sleep(KILL_INTERVAL) => {}
        }
    }
    let no_process_left = async {
        while processes.kill_all() > 0 {
            tokio::time::sleep(KILL_INTERVAL).await;
        }
    };
    if tokio::time::timeout(STOP_DEADLINE, no_process_left).await.is_err() {
        tracing::warn!("processes of a demo host are still there");
    }
}
