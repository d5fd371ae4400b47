//! A writer that never makes the session wait for its peer.
//!
//! russh's session loop does not read while it writes. Two russh peers that send each other more than
//! the socket buffers hold would wait for each other for ever. What is queued here is bounded by the
//! windows that the peer granted: russh hands over no more channel data than they allow.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// Takes every write at once; `drain` carries it to the socket.
pub(super) struct Uncorked {
    queue: Option<mpsc::UnboundedSender<Bytes>>,
}

pub(super) fn uncorked() -> (Uncorked, mpsc::UnboundedReceiver<Bytes>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Uncorked { queue: Some(sender) }, receiver)
}

/// Writes what was queued until the session has dropped its end; an error ends the session's writes too.
pub(super) async fn drain<W: AsyncWrite + Unpin>(mut queued: mpsc::UnboundedReceiver<Bytes>, mut socket: W) {
    while let Some(bytes) = queued.recv().await {
        if socket.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // The peer may have gone first; there is nobody to tell.
    let _ = socket.shutdown().await;
}

impl AsyncWrite for Uncorked {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = self.queue.as_ref().map(|queue| queue.send(Bytes::copy_from_slice(bytes)));
        Poll::Ready(match sent {
            Some(Ok(())) => Ok(bytes.len()),
            Some(Err(_)) | None => Err(io::ErrorKind::BrokenPipe.into()),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.queue = None;
        Poll::Ready(Ok(()))
    }
}
