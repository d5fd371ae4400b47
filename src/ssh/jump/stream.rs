//! A carried connection as a stream of bytes.
//!
//! The channel's follower takes what arrives whether or not the reader does, because an unread channel would stop the
//! whole connection to the jump host, and with it every other runner behind it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::ssh::channel::{Channel, ChannelEvent, ChannelReader};

/// Both directions of a forwarded connection. Dropping it ends the connection.
pub(super) struct JumpStream {
    events: ChannelReader,
    /// What is left of the last piece.
    rest: Bytes,
    ended: bool,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
}

impl JumpStream {
    pub(super) fn new(channel: Channel) -> Self {
        let Channel { events, input } = channel;
        Self { events, rest: Bytes::new(), ended: false, writer: input.stream() }
    }
}

impl AsyncRead for JumpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() && !self.ended {
            match ready!(self.events.poll_recv(cx)) {
                Some(ChannelEvent::Stdout(bytes)) => self.rest = bytes,
                Some(ChannelEvent::Overflow) => {
                    self.ended = true;
                    return Poll::Ready(Err(io::Error::other("too much waits to be read")));
                }
                Some(ChannelEvent::Disconnected) => {
                    self.ended = true;
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Some(ChannelEvent::Eof | ChannelEvent::Closed) | None => self.ended = true,
                Some(ChannelEvent::Stderr(_) | ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal) => {}
            }
        }
        let length = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

/// A write that waits for the window is not woken by the end of the connection; `Socket` above has a limit for that.
impl AsyncWrite for JumpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}
