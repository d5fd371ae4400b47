//! A command's stdin between the session loop, which must not wait, and the pipe, which may be full.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Bytes that may wait for a command that does not read.
///
/// russh widens the client's window by itself as data arrives, so the client cannot be slowed down for one
/// channel alone; a source tree must fit, a runaway sender must not take all memory.
const QUEUE_BYTES: usize = 256 << 20;

/// The session's end.
#[derive(Debug)]
pub(super) struct Input {
    queue: mpsc::UnboundedSender<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
}

/// The command's end.
#[derive(Debug)]
pub(super) struct InputFeed {
    queue: mpsc::UnboundedReceiver<Bytes>,
    queued_bytes: Arc<AtomicUsize>,
}

/// More than the allowed bytes wait for a command that does not read them.
#[derive(Debug)]
pub(super) struct InputOverflow;

pub(super) fn input() -> (Input, InputFeed) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    (Input { queue: sender, queued_bytes: Arc::clone(&queued_bytes) }, InputFeed { queue: receiver, queued_bytes })
}

impl Input {
    /// Hands bytes over without waiting. A command that has closed its stdin loses them, as with sshd.
    pub fn push(&self, bytes: &[u8]) -> Result<(), InputOverflow> {
        let before = self.queued_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        if before + bytes.len() > QUEUE_BYTES {
            return Err(InputOverflow);
        }
        if self.queue.send(Bytes::copy_from_slice(bytes)).is_err() {
            self.queued_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
        }
        Ok(())
    }
}

impl InputFeed {
    /// Writes until the session drops its end, the command closes its stdin, or `done`.
    pub async fn run(mut self, mut stdin: ChildStdin, done: CancellationToken) {
        let feed = async {
            while let Some(bytes) = self.queue.recv().await {
                if stdin.write_all(&bytes).await.is_err() {
                    return;
                }
                self.queued_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
            }
        };
        tokio::select! {
            () = feed => {}
            () = done.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_and_a_closed_stdin_takes_no_memory() {
        let (input, feed) = input();
        let half = vec![0; QUEUE_BYTES / 2];
        assert!(input.push(&half).is_ok());
        drop(feed);
        assert!(input.push(&half).is_ok() && input.push(b"x").is_ok(), "lost, as the command wants no more");

        let (input, _feed) = super::input();
        assert!(input.push(&half).is_ok() && input.push(&half).is_ok());
        assert!(input.push(b"x").is_err());
    }
}
