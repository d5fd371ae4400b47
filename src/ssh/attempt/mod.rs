//! The wrapper's verbs over a connection (docs/PROTOCOL.md): `start` and `attach` stream an attempt, the verbs of
//! `verbs` ask one question each.

mod collect;
mod decode;
mod input;
mod lines;
mod sound;
mod verbs;
mod workspace;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::control::{ErrCode, LostWhy, Receipt, ResultRecord};
use shuntyard_domain::wire::frame::{BadWord, Nonce, Verb, Word, command_line, next_attempt};
use tokio::time::{Instant, timeout_at};

pub use collect::{Answer, Collection, collect};
pub use input::AttemptInput;
pub use sound::sound;
pub use verbs::{FenceAnswer, KillAnswer, change_key, fence, greet, hello, kill, remove, retire, status};
pub use workspace::{Delivery, DeliveryWord, deliver};

use super::channel::{ChannelEvent, ChannelReader};
use super::error::ExecError;
use super::pool::Lease;
use decode::Decoder;
use input::Gate;

/// What an attempt's channel reports.
///
/// `Output` is in order and without gaps from the offset that was asked for. It may still come after `Ended`: the
/// output is complete when offset + received bytes = size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptEvent {
    /// The job runs; `pid` waits for it and writes its result.
    Started {
        pid: u32,
    },
    /// The attempt was started earlier.
    Attached {
        pid: u32,
    },
    Output(Bytes),
    /// The job was stopped; comes before the end, and again on every channel that is told the end.
    Receipt(Receipt),
    Ended(ResultRecord),
    /// It has no result and never will have one.
    Lost {
        why: LostWhy,
        size: u64,
    },
    /// The runner does not know this attempt.
    Unknown,
    /// The attempt can never start.
    Fenced,
    /// The wrapper refused; what that proves depends on the verb and the code.
    Refused {
        code: ErrCode,
        detail: String,
    },
    /// The channel is gone. The last event. What became of the job is not known from it.
    Gone {
        why: GoneWhy,
    },
}

/// Why a channel is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoneWhy {
    /// The connection was lost.
    Disconnected,
    /// The host closed it: the wrapper has left.
    Closed,
    /// The launcher has ended without a word, and what is left of it holds the channel.
    LauncherDied,
    /// Output was not taken fast enough; attach again from what is stored.
    Overflow,
    /// The host does not speak the wrapper's protocol; the sentence says what came instead.
    BadControl(String),
}

/// A wrapper's verb got no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerbError {
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error("the wrapper's path on {at} cannot be used: {bad}")]
    Path { at: String, bad: BadWord },
    #[error("the wrapper on {at} refuses: {detail} ({code})")]
    Refused { at: String, code: ErrCode, detail: String },
    #[error("the wrapper on {at} gave no complete answer: {said}")]
    NoAnswer { at: String, said: String },
    #[error("the wrapper on {at} has nothing of the attempt")]
    NothingThere { at: String },
    #[error("the system's random source failed")]
    Random,
}

/// A followed attempt. Dropping it ends the wrapper's input without a word: the job's orphan policy applies.
pub struct Attempt {
    pub events: AttemptEvents,
    pub input: AttemptInput,
    /// Its output comes when it has ended, or from `Word::Follow` on.
    pub unfollowed: bool,
}

/// How long a channel may stay open behind the launcher's end. Nobody says the job's end on it any more.
const LINGER: Duration = Duration::from_secs(3);
/// How long the host may take to close a channel that is done.
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

impl Attempt {
    /// Lets the host forget the attempt, and waits until it has closed the channel.
    pub async fn acknowledge(mut self) {
        let closing = async {
            if self.input.send(Word::Ack { remove: true }).await.is_ok() && self.input.eof().await.is_ok() {
                while self.events.recv().await.is_some() {}
            }
        };
        // A spool that stays is swept at the next connect.
        let _ = tokio::time::timeout(CLOSE_DEADLINE, closing).await;
    }

    /// Tells the wrapper that we leave on purpose, and waits until it has heard it: the host closes the channel then.
    ///
    /// A wrapper that does not listen yet is told as soon as it does. What it says meanwhile is dropped.
    pub async fn leave(mut self) {
        let leaving = async {
            if self.input.send(Word::Bye).await.is_ok() && self.input.eof().await.is_ok() {
                while self.events.recv().await.is_some() {}
            }
        };
        // A job of a host that does not hear it is stopped there, if that was asked for.
        let _ = tokio::time::timeout(CLOSE_DEADLINE, leaving).await;
    }

    /// Claims and starts attempt `id` on the channel of this one, which has ended and whose files the host may
    /// forget. It costs the host neither a session nor a shell; see `unfollowed`.
    ///
    /// # Errors
    /// `VerbError::Random`. A channel that takes nothing any more says why in its events.
    pub async fn next(mut self, id: AttemptId, frame: &[u8]) -> Result<Self, VerbError> {
        let nonce = fresh_nonce()?;
        self.input.gate.shut();
        self.events.decoder = Decoder::new(nonce.clone());
        self.events.ready.clear();
        self.unfollowed = true;
        let order = [next_attempt(id, &nonce).as_bytes(), frame].concat();
        self.input.gate.send_order(order.into()).await;
        Ok(self)
    }

    /// True when another attempt can be started on this channel once this one has ended: it was started on it, too.
    pub const fn takes_next(&self) -> bool {
        !self.events.attached
    }

    /// True while nothing has said that the channel is gone, or that its launcher has ended.
    pub fn is_open(&mut self) -> bool {
        loop {
            match self.events.recv().now_or_never() {
                None => return self.events.given_up_at.is_none(),
                Some(None | Some(AttemptEvent::Gone { .. })) => return false,
                Some(Some(_)) => {}
            }
        }
    }
}

/// Claims and starts attempt `id` and streams its output; attaches at `offset` when it exists already.
///
/// Sending it again is harmless: the claim on the host is the attempt's.
///
/// # Errors
/// `VerbError` when no channel could be opened; then nothing was sent.
pub async fn start(
    lease: &mut Lease,
    wrapper_path: &str,
    id: AttemptId,
    frame: Vec<u8>,
    offset: u64,
) -> Result<Attempt, VerbError> {
    let nonce = fresh_nonce()?;
    let attempt = open(lease, wrapper_path, &Verb::Run { id, nonce: &nonce, offset }, &nonce).await?;
    // A channel that takes no frame says why in its events.
    attempt.input.gate.send_order(frame.into()).await;
    Ok(attempt)
}

/// Streams attempt `id` from `offset` on.
///
/// # Errors
/// As `start`.
pub async fn attach(lease: &mut Lease, wrapper_path: &str, id: AttemptId, offset: u64) -> Result<Attempt, VerbError> {
    let nonce = fresh_nonce()?;
    open(lease, wrapper_path, &Verb::At { id, nonce: &nonce, offset }, &nonce).await
}

async fn open(lease: &mut Lease, path: &str, verb: &Verb<'_>, nonce: &Nonce) -> Result<Attempt, VerbError> {
    let command = command(lease, path, verb)?;
    let channel = lease.open(&command).await?;
    let gate = Arc::new(Gate::new(channel.input));
    let events = AttemptEvents {
        channel: channel.events,
        decoder: Decoder::new(nonce.clone()),
        ready: VecDeque::new(),
        gate: Arc::clone(&gate),
        words_due: false,
        given_up_at: None,
        attached: false,
        gone: false,
    };
    Ok(Attempt { events, input: AttemptInput::new(gate), unfollowed: false })
}

fn command(lease: &Lease, path: &str, verb: &Verb<'_>) -> Result<String, VerbError> {
    command_line(path, verb).map_err(|bad| VerbError::Path { at: lease.session().at().to_owned(), bad })
}

fn fresh_nonce() -> Result<Nonce, VerbError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| VerbError::Random)?;
    Ok(Nonce::from_random(bytes))
}

/// The events of an attempt.
pub struct AttemptEvents {
    channel: ChannelReader,
    decoder: Decoder,
    ready: VecDeque<AttemptEvent>,
    gate: Arc<Gate>,
    /// The gate has opened and what was held back is not sent yet.
    words_due: bool,
    /// Set when the launcher has ended.
    given_up_at: Option<Instant>,
    /// The wrapper attached to an attempt that it had not started on this channel.
    attached: bool,
    gone: bool,
}

impl AttemptEvents {
    /// The next event; `None` after `Gone`. Nothing is lost when the wait is given up.
    pub async fn recv(&mut self) -> Option<AttemptEvent> {
        loop {
            if self.words_due {
                let _ = self.gate.let_through().await;
                self.words_due = false;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.gone {
                return None;
            }
            match self.arrival().await {
                Arrival::Event(arrived) => {
                    if matches!(arrived, Some(ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal)) {
                        self.given_up_at.get_or_insert(Instant::now() + LINGER);
                    }
                    self.decoder.feed(arrived, &mut self.ready);
                }
                Arrival::Overdue => self.ready.push_back(AttemptEvent::Gone { why: GoneWhy::LauncherDied }),
            }
            for event in &self.ready {
                self.attached |= matches!(event, AttemptEvent::Attached { .. });
                match event {
                    AttemptEvent::Started { .. } | AttemptEvent::Attached { .. } => self.words_due = self.gate.open(),
                    AttemptEvent::Gone { .. } => self.gone = true,
                    _ => {}
                }
            }
        }
    }

    async fn arrival(&mut self) -> Arrival {
        match self.given_up_at {
            None => Arrival::Event(self.channel.recv().await),
            Some(at) => timeout_at(at, self.channel.recv()).await.map_or(Arrival::Overdue, Arrival::Event),
        }
    }
}

/// What the wait for a channel came to.
enum Arrival {
    Event(Option<ChannelEvent>),
    /// The channel has outlived its launcher for too long.
    Overdue,
}
