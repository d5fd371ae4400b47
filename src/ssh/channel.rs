//! One command on a connection: its output, its input, its end.
//!
//! An unread russh channel stops its whole connection. So every channel has a follower, a task that only receives
//! and hands off: without a limit on the number of events, with one on their bytes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::error::ChannelGone;
use super::settings::Settings;

/// What a channel reports, in the order in which it arrived. `Eof` and the exit come in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    Stdout(Bytes),
    Stderr(Bytes),
    ExitStatus(u32),
    /// A signal ended the command. As after `ExitStatus`, the channel stays open while another process holds it.
    ExitSignal,
    Eof,
    /// The server closed the channel: the command has ended and its session is free. The last event.
    Closed,
    /// The connection was lost; whether the command still runs is not known. The last event.
    Disconnected,
    /// Too many bytes waited to be taken; the channel was closed, the connection is fine. The last event.
    Overflow,
}

/// A running command. Dropping both halves ends its input and then closes it, which frees its session.
pub struct Channel {
    pub events: ChannelReader,
    pub input: ChannelWriter,
}

/// The events of a channel.
pub struct ChannelReader {
    events: mpsc::UnboundedReceiver<ChannelEvent>,
    queued: Arc<AtomicUsize>,
    _abandon: Arc<DropGuard>,
}

impl ChannelReader {
    /// The next event; `None` after the last one.
    pub async fn recv(&mut self) -> Option<ChannelEvent> {
        let event = self.events.recv().await?;
        self.queued.fetch_sub(cost(&event), Ordering::Relaxed);
        Some(event)
    }

    /// As `recv`, for streams.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        let polled = self.events.poll_recv(cx);
        if let Poll::Ready(Some(event)) = &polled {
            self.queued.fetch_sub(cost(event), Ordering::Relaxed);
        }
        polled
    }
}

/// The input of a channel.
pub struct ChannelWriter {
    writer: Arc<ChannelWriteHalf<Msg>>,
    ended: CancellationToken,
    stall: Duration,
    broken: Option<ChannelGone>,
    _abandon: Arc<DropGuard>,
}

/// Bytes handed to russh at a time; the stall limit is per piece.
const PIECE_BYTES: usize = 32 << 10;

impl ChannelWriter {
    /// Sends bytes to the command's standard input, waiting for the window.
    ///
    /// # Errors
    /// `ChannelGone` when the channel has ended or the command does not read; part of the bytes may have gone.
    pub async fn send(&mut self, mut bytes: Bytes) -> Result<(), ChannelGone> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            let writer = Arc::clone(&self.writer);
            self.within(async move { writer.data_bytes(piece).await }).await?;
        }
        Ok(())
    }

    /// Ends the command's standard input.
    ///
    /// # Errors
    /// As `send`.
    pub async fn eof(&mut self) -> Result<(), ChannelGone> {
        let writer = Arc::clone(&self.writer);
        self.within(async move { writer.eof().await }).await
    }

    /// The same as a stream, without the limit on a write that waits; it does not keep the channel open.
    pub(super) fn stream(&self) -> Pin<Box<dyn AsyncWrite + Send>> {
        Box::pin(self.writer.make_writer())
    }

    /// russh wakes a waiting write neither at the channel's close nor at the connection's end.
    async fn within(&mut self, write: impl Future<Output = Result<(), russh::Error>>) -> Result<(), ChannelGone> {
        if let Some(gone) = self.broken {
            return Err(gone);
        }
        let gone = tokio::select! {
            biased;
            () = self.ended.cancelled() => ChannelGone::Ended,
            written = timeout(self.stall, write) => match written {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(_)) => ChannelGone::Ended,
                Err(_) => ChannelGone::Stalled,
            },
        };
        self.broken = Some(gone);
        Err(gone)
    }
}

/// Receives what arrives on one channel until it ends.
pub(super) struct Follower {
    reader: ChannelReadHalf,
    writer: Arc<ChannelWriteHalf<Msg>>,
    events: mpsc::UnboundedSender<ChannelEvent>,
    queued: Arc<AtomicUsize>,
    abandoned: CancellationToken,
    ended: DropGuard,
    max_queued_bytes: usize,
    grace: Duration,
}

/// Joins russh's halves to ours.
pub(super) fn assemble(
    reader: ChannelReadHalf,
    writer: ChannelWriteHalf<Msg>,
    settings: &Settings,
) -> (Channel, Follower) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let writer = Arc::new(writer);
    let queued = Arc::new(AtomicUsize::new(0));
    let (abandoned, ended) = (CancellationToken::new(), CancellationToken::new());
    let abandon = Arc::new(abandoned.clone().drop_guard());
    let follower = Follower {
        reader,
        writer: Arc::clone(&writer),
        events: sender,
        queued: Arc::clone(&queued),
        abandoned,
        ended: ended.clone().drop_guard(),
        max_queued_bytes: settings.max_queued_bytes,
        grace: settings.abandon_grace,
    };
    let events = ChannelReader { events: receiver, queued, _abandon: Arc::clone(&abandon) };
    let input = ChannelWriter { writer, ended, stall: settings.input_stall, broken: None, _abandon: abandon };
    (Channel { events, input }, follower)
}

/// How following ended.
enum End {
    /// By the server, or by the connection.
    Theirs(ChannelEvent),
    /// We have to close: too much is queued, or the host would not run the command.
    Ours(ChannelEvent),
    Abandoned,
}

impl Follower {
    /// Hands events on until the channel ends; returns when its session on the host is free, as far as can be seen.
    pub(super) async fn run(mut self, spent: &AtomicU32) {
        let mut last = match self.follow().await {
            End::Theirs(last) => {
                let _ = self.events.send(last);
                return;
            }
            End::Ours(last) => Some(last),
            End::Abandoned => None,
        };
        if last.is_none() && self.let_it_end().await {
            return;
        }
        let Self { reader, writer, events, ended, grace, .. } = self;
        // Nobody receives from here on; a receiver that is kept would stop the connection.
        drop(reader);
        drop(ended);
        spent.fetch_add(1, Ordering::Relaxed);
        let _ = timeout(grace, writer.close()).await;
        if let Some(last) = last.take() {
            let _ = events.send(last);
        }
        drop(events);
        sleep(grace).await;
    }

    async fn follow(&mut self) -> End {
        loop {
            let message = tokio::select! {
                biased;
                message = self.reader.wait() => message,
                () = self.abandoned.cancelled() => return End::Abandoned,
            };
            let event = match message {
                None => return End::Theirs(ChannelEvent::Disconnected),
                Some(ChannelMsg::Close) => return End::Theirs(ChannelEvent::Closed),
                Some(ChannelMsg::Failure) => return End::Ours(ChannelEvent::Closed),
                Some(ChannelMsg::Data { data }) => ChannelEvent::Stdout(data),
                Some(ChannelMsg::ExtendedData { data, .. }) => ChannelEvent::Stderr(data),
                Some(ChannelMsg::ExitStatus { exit_status }) => ChannelEvent::ExitStatus(exit_status),
                Some(ChannelMsg::ExitSignal { .. }) => ChannelEvent::ExitSignal,
                Some(ChannelMsg::Eof) => ChannelEvent::Eof,
                Some(_) => continue,
            };
            let cost = cost(&event);
            if self.queued.fetch_add(cost, Ordering::Relaxed) + cost > self.max_queued_bytes {
                return End::Ours(ChannelEvent::Overflow);
            }
            let _ = self.events.send(event);
        }
    }

    /// Ends the input of an abandoned command and waits a little for the server's close: a close of ours would
    /// leave something in russh. A command that still writes much is not waited for.
    async fn let_it_end(&mut self) -> bool {
        let until = Instant::now() + self.grace;
        let writer = Arc::clone(&self.writer);
        let mut eof = std::pin::pin!(writer.eof());
        let (mut eof_sent, mut dropped_bytes) = (false, 0);
        loop {
            let message = tokio::select! {
                _ = &mut eof, if !eof_sent => { eof_sent = true; continue; }
                message = timeout_at(until, self.reader.wait()) => message,
            };
            match message {
                Ok(None | Some(ChannelMsg::Close)) => return true,
                Ok(Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. })) => {
                    dropped_bytes += data.len();
                    if dropped_bytes > self.max_queued_bytes / 4 {
                        return false;
                    }
                }
                Ok(Some(_)) => {}
                Err(_) => return false,
            }
        }
    }
}

/// Bytes that an event keeps, with its place in the queue, so that many small ones count too.
const fn cost(event: &ChannelEvent) -> usize {
    const PLACE: usize = 96;
    match event {
        ChannelEvent::Stdout(bytes) | ChannelEvent::Stderr(bytes) => bytes.len() + PLACE,
        _ => PLACE,
    }
}
