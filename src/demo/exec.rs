//! Runs one command on one channel.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bytes::BytesMut;
use russh::server::{Handle, Msg};
use russh::{ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::host::Host;
use super::input::InputFeed;
use super::processes::COOKIE_VARIABLE;

/// Read from a pipe at a time: half of what Linux lets it hold.
const CHUNK_BYTES: usize = 32 << 10;
/// SSH_EXTENDED_DATA_STDERR (RFC 4254, section 5.2).
const STDERR: u32 = 1;
/// What a login gets on common systems, behind the host's own programs.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the client asked for, after the key's forced command had its say.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// None is a shell that reads commands from stdin.
    pub command: Option<OsString>,
    /// What a forced command replaced.
    pub original: Option<OsString>,
}

/// One command and the channel that it talks to.
pub(super) struct Exec {
    pub host: Arc<Host>,
    pub peer: SocketAddr,
    pub program: Program,
    pub channel: ChannelWriteHalf<Msg>,
    pub handle: Handle,
    pub input: InputFeed,
    /// The client closed the channel, or the connection is gone, or (said by the command) all is done.
    pub closed: CancellationToken,
    /// One of the connection's sessions; sshd frees it when channel *and* process have ended.
    pub slot: OwnedSemaphorePermit,
}

impl Exec {
    /// Starts the command and stays until it has ended and its output is sent, or nobody wants it any more.
    pub async fn run(self, stop: CancellationToken) {
        if stop.is_cancelled() {
            return;
        }
        match self.command().spawn() {
            Ok(child) => self.attend(child).await,
            Err(error) => self.report_no_start(&error).await,
        }
    }

    fn command(&self) -> Command {
        let mut command = match &self.host.setsid {
            Some(setsid) => {
                let mut command = Command::new(setsid);
                command.arg("/bin/sh");
                command
            }
            None => {
                let mut command = Command::new("/bin/sh");
                command.process_group(0);
                command
            }
        };
        if let Some(line) = &self.program.command {
            command.arg("-c").arg(line);
        }
        command.current_dir(&self.host.root.home).env_clear().envs(self.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let (host, peer) = (&self.host, self.peer);
        let mut variables = vec![
            ("PATH", self.path()),
            ("HOME", host.root.home.clone().into()),
            ("USER", host.spec.user.clone().into()),
            ("LOGNAME", host.spec.user.clone().into()),
            ("SHELL", "/bin/sh".into()),
            ("SSH_CLIENT", format!("{} {} {}", peer.ip(), peer.port(), host.port).into()),
            ("SSH_CONNECTION", format!("{} {} 127.0.0.1 {}", peer.ip(), peer.port(), host.port).into()),
        ];
        variables.extend(host.root.pretence.iter().map(|p| ("SHUNT_OS_RELEASE", p.os_release.clone().into())));
        variables.extend(host.processes.iter().map(|processes| (COOKIE_VARIABLE, processes.cookie().into())));
        variables.extend(self.program.original.clone().map(|original| ("SSH_ORIGINAL_COMMAND", original)));
        variables
    }

    fn path(&self) -> OsString {
        let host = &self.host;
        let mut path = OsString::new();
        if let Some(pretence) = &host.root.pretence {
            path.push(&pretence.bin);
            path.push(":");
        }
        path.push(host.spec.path.as_deref().unwrap_or(OsStr::new(SYSTEM_PATH)));
        path
    }

    async fn attend(self, mut child: Child) {
        let processes = self.host.processes.as_ref();
        let started = processes.zip(child.id()).map(|(processes, leader)| processes.started(leader));
        let Self { channel, handle, input, closed, slot, .. } = self;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let exited = closed.child_token();
        let output = async {
            tokio::join!(pump(stdout, &channel, None, &closed), pump(stderr, &channel, Some(STDERR), &closed));
        };
        let feed = async {
            if let Some(stdin) = stdin {
                input.run(stdin, exited.clone()).await;
            }
        };
        // As with sshd the status is sent when the command ends, which may be long before the last byte of
        // output when a background process holds the pipes.
        let end = async {
            let status = child.wait().await;
            drop(started);
            exited.cancel();
            report_end(&channel, &handle, status).await;
        };
        tokio::join!(output, feed, end);
        finish(&channel).await;
        closed.cancel();
        drop(slot);
    }

    async fn report_no_start(self, error: &io::Error) {
        let sentence = format!("cannot start /bin/sh: {error}\n");
        tokio::select! {
            () = self.closed.cancelled() => return,
            // Failure means that the connection is gone.
            _ = self.channel.extended_data_bytes(STDERR, sentence) => {}
        }
        let _ = self.channel.exit_status(126).await;
        finish(&self.channel).await;
        self.closed.cancel();
    }
}

/// Sends what a pipe gives until its end, or until the channel is closed: then the command's next write fails.
async fn pump<R>(pipe: Option<R>, channel: &ChannelWriteHalf<Msg>, ext: Option<u32>, closed: &CancellationToken)
where
    R: AsyncRead + Unpin,
{
    let Some(mut pipe) = pipe else { return };
    let copy = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(CHUNK_BYTES);
            if !matches!(pipe.read_buf(&mut buffer).await, Ok(1..)) {
                return;
            }
            // These wait for the client's window and for nothing else.
            let bytes = buffer.split().freeze();
            let sent = match ext {
                None => channel.data_bytes(bytes).await,
                Some(ext) => channel.extended_data_bytes(ext, bytes).await,
            };
            if sent.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = closed.cancelled() => {}
        () = copy => {}
    }
}

/// Sends exit-status or exit-signal; a failure means that the connection is gone.
async fn report_end(channel: &ChannelWriteHalf<Msg>, handle: &Handle, status: io::Result<ExitStatus>) {
    match status.map(|status| (status.code(), status.signal(), status.core_dumped())) {
        Ok((Some(code), ..)) => {
            let _ = channel.exit_status(u32::try_from(code).unwrap_or(255)).await;
        }
        Ok((None, signal, core_dumped)) => {
            let name = signal_name(signal.unwrap_or_default());
            let _ = handle.exit_signal_request(channel.id(), name, core_dumped, String::new(), String::new()).await;
        }
        Err(error) => tracing::warn!(%error, "the end of an embedded host's command is not known"),
    }
}

async fn finish(channel: &ChannelWriteHalf<Msg>) {
    let _ = channel.eof().await;
    let _ = channel.close().await;
}

/// The names of RFC 4254, section 6.10; sshd calls every other signal `SIG@openssh.com`.
fn signal_name(number: i32) -> Sig {
    match number {
        1 => Sig::HUP,
        2 => Sig::INT,
        3 => Sig::QUIT,
        4 => Sig::ILL,
        6 => Sig::ABRT,
        8 => Sig::FPE,
        9 => Sig::KILL,
        11 => Sig::SEGV,
        13 => Sig::PIPE,
        14 => Sig::ALRM,
        15 => Sig::TERM,
        _ => Sig::Custom("SIG@openssh.com".to_owned()),
    }
}
