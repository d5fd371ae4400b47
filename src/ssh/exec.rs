//! A short command run to its end: input in, output and exit status out.

use std::time::Duration;

use bytes::Bytes;

use super::channel::{Channel, ChannelEvent, ChannelReader, ChannelWriter};
use super::error::ExecError;
use super::session::Session;

/// Bounds of a short command.
#[derive(Clone, Copy, Debug)]
pub struct ExecLimits {
    pub deadline: Duration,
    /// Of standard output and standard error together.
    pub max_output_bytes: usize,
}

impl Default for ExecLimits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(30), max_output_bytes: 1 << 20 }
    }
}

/// What a command left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOutput {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// `None` when a signal ended it or the host would not run it.
    pub exit_status: Option<u32>,
}

impl Session {
    /// Runs `command` with `stdin` as its whole input and returns when the server has closed its channel.
    ///
    /// # Errors
    /// As `open`, and `ExecError::Deadline` or `TooMuchOutput` when a limit is passed: the channel is then closed,
    /// but a command that neither reads nor writes may go on.
    pub async fn exec(&self, command: &str, stdin: Vec<u8>, limits: ExecLimits) -> Result<ExecOutput, ExecError> {
        within(self.at(), limits, async { finish(self.at(), self.open(command).await?, stdin, limits).await }).await
    }
}

/// Holds `work` to the deadline.
pub(super) async fn within<T>(
    at: &str,
    limits: ExecLimits,
    work: impl Future<Output = Result<T, ExecError>>,
) -> Result<T, ExecError> {
    let passed = |_| ExecError::Deadline { at: at.to_owned(), limit: limits.deadline };
    tokio::time::timeout(limits.deadline, work).await.map_err(passed)?
}

/// Feeds a command and collects what it writes until it ends.
pub(super) async fn finish(
    at: &str,
    channel: Channel,
    stdin: Vec<u8>,
    limits: ExecLimits,
) -> Result<ExecOutput, ExecError> {
    let mut feed = std::pin::pin!(feed(channel.input, stdin.into()));
    let mut collect = std::pin::pin!(collect(at, channel.events, limits.max_output_bytes));
    tokio::select! {
        output = &mut collect => output,
        () = &mut feed => collect.await,
    }
}

/// A command that ends without reading all its input is not at fault, so errors are left to the reader.
async fn feed(mut input: ChannelWriter, stdin: Bytes) {
    if input.send(stdin).await.is_ok() {
        let _ = input.eof().await;
    }
}

async fn collect(at: &str, mut events: ChannelReader, limit_bytes: usize) -> Result<ExecOutput, ExecError> {
    let mut output = ExecOutput::default();
    loop {
        match events.recv().await {
            Some(ChannelEvent::Stdout(bytes)) => output.stdout.extend_from_slice(&bytes),
            Some(ChannelEvent::Stderr(bytes)) => output.stderr.extend_from_slice(&bytes),
            Some(ChannelEvent::ExitStatus(status)) => output.exit_status = Some(status),
            Some(ChannelEvent::ExitSignal | ChannelEvent::Eof) => {}
            Some(ChannelEvent::Closed) => return Ok(output),
            Some(ChannelEvent::Overflow) => return Err(ExecError::TooMuchOutput { at: at.to_owned(), limit_bytes }),
            Some(ChannelEvent::Disconnected) | None => return Err(ExecError::ConnectionLost { at: at.to_owned() }),
        }
        if output.stdout.len() + output.stderr.len() > limit_bytes {
            return Err(ExecError::TooMuchOutput { at: at.to_owned(), limit_bytes });
        }
    }
}
