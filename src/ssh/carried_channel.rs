//! A channel of one SSH connection as the stream under another.
//!
//! russh waits for the reader of every channel before it looks at the next packet: one that is not read would stop the
//! connection with everything else that it carries. So a task takes what comes and keeps it, up to a limit; a channel that
//! reaches the limit is given up, and the others go on.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tracing::debug_span;

use super::route::CarriedStream;
use crate::shutdown::Tasks;

/// How long the far end may take to close a channel after its end of input.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// What a piece costs beside its bytes: its place in the queue. So many small ones count, too.
const PLACE: usize = 96;

/// Makes a stream of `channel`; it is closed when the stream is dropped, and given up when `max_queued_bytes` wait for its
/// reader.
pub(super) fn carried_stream<S>(channel: Channel<S>, max_queued_bytes: usize, tasks: &Tasks) -> CarriedStream
where
    S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static,
{
    let (reader, writer) = channel.split();
    let tx: Pin<Box<dyn AsyncWrite + Send>> = Box::pin(writer.make_writer());
    let (sender, received) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let (abandoned, ended) = (CancellationToken::new(), CancellationToken::new());
    let stream = ChannelStream {
        received,
        rest: Bytes::new(),
        queued: Arc::clone(&queued),
        tx,
        ended: Box::pin(ended.clone().cancelled_owned()),
        _abandon: abandoned.clone().drop_guard(),
    };
    let intake = Intake { reader, writer, sender: Some(sender), queued, max_queued_bytes };
    tasks.spawn(debug_span!("carried"), |_stop| async move {
        let _ended = ended.drop_guard();
        intake.run(abandoned).await;
    });
    Box::new(stream)
}

/// The end that receives.
struct Intake<S: From<(ChannelId, ChannelMsg)>> {
    reader: ChannelReadHalf,
    writer: ChannelWriteHalf<S>,
    /// Gone after the far end's EOF.
    sender: Option<mpsc::UnboundedSender<Bytes>>,
    queued: Arc<AtomicUsize>,
    max_queued_bytes: usize,
}

impl<S: From<(ChannelId, ChannelMsg)> + Send + Sync + 'static> Intake<S> {
    async fn run(mut self, abandoned: CancellationToken) {
        let closed = tokio::select! {
            closed = self.take_in() => closed,
            () = abandoned.cancelled() => false,
        };
        if closed {
            return;
        }
        let Self { mut reader, writer, sender, .. } = self;
        // The reader of the stream sees its end now.
        drop(sender);
        // The far end closes first where it can: russh keeps a little of every channel that we close.
        let farewell = async {
            let _ = writer.eof().await;
            while let Some(message) = reader.wait().await {
                if matches!(message, ChannelMsg::Close) {
                    return true;
                }
            }
            true
        };
        if !timeout(CLOSE_WAIT, farewell).await.unwrap_or(false) {
            // Nobody receives from here on; a receiver that is kept would stop the connection.
            drop(reader);
            let _ = timeout(CLOSE_WAIT, writer.close()).await;
        }
    }

    /// Receives until the channel is closed, which is true, or too much waits to be read.
    async fn take_in(&mut self) -> bool {
        while let Some(message) = self.reader.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    let cost = data.len() + PLACE;
                    let waiting = self.queued.fetch_add(cost, Ordering::Relaxed) + cost;
                    if waiting > self.max_queued_bytes {
                        tracing::warn!(waiting, "a carried connection is not read; given up");
                        return false;
                    }
                    let _ = self.sender.as_ref().map(|sender| sender.send(data));
                }
                ChannelMsg::Eof => self.sender = None,
                ChannelMsg::Close => return true,
                _ => {}
            }
        }
        true
    }
}

/// The end that is read and written.
struct ChannelStream {
    received: mpsc::UnboundedReceiver<Bytes>,
    rest: Bytes,
    queued: Arc<AtomicUsize>,
    tx: Pin<Box<dyn AsyncWrite + Send>>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    _abandon: DropGuard,
}

impl ChannelStream {
    /// russh wakes a write that waits for window neither at the channel's close nor at the connection's end.
    fn or_ended<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        polled
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            let Some(bytes) = ready!(self.received.poll_recv(cx)) else { return Poll::Ready(Ok(())) };
            self.queued.fetch_sub(PLACE, Ordering::Relaxed);
            self.rest = bytes;
        }
        let count = buf.remaining().min(self.rest.len());
        buf.put_slice(self.rest.get(..count).unwrap_or_default());
        self.rest.advance(count);
        self.queued.fetch_sub(count, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.tx.as_mut().poll_write(cx, buf);
        self.or_ended(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tx.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.tx.as_mut().poll_shutdown(cx);
        self.or_ended(cx, polled)
    }
}
