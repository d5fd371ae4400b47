//! A connection that is given up when its peer takes nothing of an event stream for a minute.
//!
//! A stream has no end that would free its place: one whose reader sleeps would hold it for ever. The reader comes again with
//! the id of the last event that it has, and gets what it missed, or is told that it is too much. Other answers have an end,
//! and a reader of one may take its time, such as a pager.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Heartbeats come every 15 s, so a reader that takes nothing for so long has missed some.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// Whether an event stream is being answered on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct IsStreaming(Arc<AtomicBool>);

impl IsStreaming {
    pub(super) fn set(&self, is_streaming: bool) {
        self.0.store(is_streaming, Ordering::Relaxed);
    }
}

/// The bytes of a connection.
pub(super) struct Drained<S> {
    inner: S,
    is_streaming: IsStreaming,
    deadline: Duration,
    /// Set while the peer takes nothing.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Drained<S> {
    pub(super) fn new(inner: S, is_streaming: IsStreaming, deadline: Duration) -> Self {
        Self { inner, is_streaming, deadline, until: None }
    }

    /// Passes on what became of a write; one that waits too long has failed.
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.until = None;
            return written;
        }
        if !self.is_streaming.0.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let deadline = self.deadline;
        let until = self.until.get_or_insert_with(|| Box::pin(sleep(deadline)));
        until.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Drained<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Drained<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.in_time(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.in_time(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.in_time(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
