//! The stream under a connection: it can be cut from outside, and it notices a peer that stops reading.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::route::{ByteStream, CarriedStream};

/// Reads at or below this many bytes are answered with an immediate ACK.
const QUICK_ACK_BYTES: usize = 4096;

/// What a connection is made over.
pub(super) enum Wire {
    Tcp(TcpStream),
    Carried(CarriedStream),
}

impl Wire {
    fn stream(&mut self) -> Pin<&mut dyn ByteStream> {
        match self {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Carried(stream) => Pin::new(stream),
        }
    }
}

/// A stream with a cut switch and a limit on writes that make no progress.
///
/// russh has no way to end a session whose peer is silent (its task outlives a dropped connect) or whose socket
/// buffer is full (keepalives wait behind the write), hence both.
pub(super) struct Socket {
    wire: Wire,
    cut_read: Pin<Box<WaitForCancellationFutureOwned>>,
    cut_write: Pin<Box<WaitForCancellationFutureOwned>>,
    write_stall: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    pub(super) fn new(wire: Wire, cut: &CancellationToken, write_stall: Duration) -> Self {
        Self {
            wire,
            cut_read: Box::pin(cut.clone().cancelled_owned()),
            cut_write: Box::pin(cut.clone().cancelled_owned()),
            write_stall,
            stalled: None,
        }
    }

    fn check_write_progress<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        if self.cut_write.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let limit = self.write_stall;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes no more bytes")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.cut_read.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        ready!(self.wire.stream().poll_read(cx, buf))?;
        // sshd's first answers wait for our ACK (Nagle), which the kernel would hold back for 40 ms.
        #[cfg(target_os = "linux")]
        if let Wire::Tcp(stream) = &self.wire
            && buf.filled().len() - before <= QUICK_ACK_BYTES
        {
            let _ = stream.set_quickack(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.wire.stream().poll_write(cx, buf);
        self.check_write_progress(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.stream().poll_shutdown(cx)
    }
}
