//! The channel of one attempt: noise, marker, output; control lines beside it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use shuntyard_domain::wire::control::{Control, LostWhy, ResultRecord, after_marker, parse_control};
use shuntyard_domain::wire::frame::{Nonce, Word};

use crate::ssh::channel::{Channel, ChannelEvent};
use crate::ssh::error::ChannelGone;

/// Login files may print this much before our marker.
const MAX_NOISE_BYTES: usize = 1 << 20;
/// A control line is short; more without a line end is noise.
const MAX_LINE_BYTES: usize = 16 << 10;
/// How long the host may take to close a channel that is done.
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// What the host says about the attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptEvent {
    /// The script runs.
    Started {
        pid: u32,
    },
    /// The attempt exists; output follows from the asked offset.
    Attached,
    /// Output as it is, in order from the asked offset.
    Output(Bytes),
    Ended(ResultRecord),
    Lost {
        why: LostWhy,
        size: u64,
    },
    /// The host knows no such attempt.
    Unknown,
    Fenced,
    /// The host would not do it; nothing was started by this channel.
    Refused {
        why: String,
    },
    /// Nothing more comes over this channel. Again and again from here on.
    Gone {
        why: GoneWhy,
    },
}

/// Why a channel is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoneWhy {
    #[error("the connection was lost")]
    Disconnected,
    #[error("the host closed the channel")]
    Closed,
    #[error("output came faster than it was stored")]
    Overflow,
    #[error("the login files print without end")]
    Noise,
    #[error("the host sent a control line that is none: {0}")]
    BadControl(String),
}

/// A channel to one attempt. Dropping it ends the channel; what that means for the job is the job's orphan grace.
pub struct Attempt {
    channel: Channel,
    nonce: Nonce,
    /// Bytes before the marker; `None` once it was seen.
    noise: Option<BytesMut>,
    line: Vec<u8>,
    ready: VecDeque<AttemptEvent>,
    gone: Option<GoneWhy>,
}

impl Attempt {
    pub(super) fn new(channel: Channel, nonce: Nonce) -> Self {
        Self { channel, nonce, noise: Some(BytesMut::new()), line: Vec::new(), ready: VecDeque::new(), gone: None }
    }

    /// The next event. Cancel-safe: an event is taken or it is not.
    pub async fn recv(&mut self) -> AttemptEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            if let Some(why) = &self.gone {
                return AttemptEvent::Gone { why: why.clone() };
            }
            let event = self.channel.events.recv().await;
            self.take(event);
        }
    }

    /// Sends a word to the wrapper.
    ///
    /// # Errors
    /// `ChannelGone` when the channel has ended.
    pub async fn send(&mut self, word: Word) -> Result<(), ChannelGone> {
        self.channel.input.send(Bytes::from(word.to_bytes())).await
    }

    /// Lets the host forget the attempt, and waits until it has closed the channel.
    pub async fn acknowledge(mut self) {
        let closing = async {
            if self.send(Word::Ack { remove: true }).await.is_ok() && self.channel.input.eof().await.is_ok() {
                while self.channel.events.recv().await.is_some() {}
            }
        };
        // A spool that stays is swept at the next connect.
        let _ = tokio::time::timeout(CLOSE_DEADLINE, closing).await;
    }

    fn take(&mut self, event: Option<ChannelEvent>) {
        match event {
            Some(ChannelEvent::Stdout(bytes)) => self.take_stdout(bytes),
            Some(ChannelEvent::Stderr(bytes)) => self.take_stderr(&bytes),
            Some(ChannelEvent::ExitStatus(_) | ChannelEvent::Eof) => (),
            Some(ChannelEvent::Closed) | None => self.gone = Some(GoneWhy::Closed),
            Some(ChannelEvent::Disconnected) => self.gone = Some(GoneWhy::Disconnected),
            Some(ChannelEvent::Overflow) => self.gone = Some(GoneWhy::Overflow),
        }
    }

    fn take_stdout(&mut self, bytes: Bytes) {
        let Some(noise) = &mut self.noise else {
            self.ready.push_back(AttemptEvent::Output(bytes));
            return;
        };
        noise.extend_from_slice(&bytes);
        if let Some(at) = after_marker(&self.nonce, noise) {
            let output = noise.split_off(at).freeze();
            self.noise = None;
            if !output.is_empty() {
                self.ready.push_back(AttemptEvent::Output(output));
            }
        } else if noise.len() > MAX_NOISE_BYTES {
            self.gone = Some(GoneWhy::Noise);
        }
    }

    fn take_stderr(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() <= MAX_LINE_BYTES {
                    self.line.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match parse_control(&self.nonce, &line) {
                Ok(Some(control)) => self.ready.extend(event(control)),
                Ok(None) => (),
                Err(bad) => self.gone = Some(GoneWhy::BadControl(bad.to_string())),
            }
        }
    }
}

/// Words that answer other verbs say nothing about this attempt.
fn event(control: Control) -> Option<AttemptEvent> {
    Some(match control {
        Control::Ok { pid } => AttemptEvent::Started { pid },
        Control::At { .. } => AttemptEvent::Attached,
        Control::End(record) => AttemptEvent::Ended(record),
        Control::Lost { why, size } => AttemptEvent::Lost { why, size },
        Control::None => AttemptEvent::Unknown,
        Control::Fenced => AttemptEvent::Fenced,
        Control::Err { code, detail } => AttemptEvent::Refused { why: format!("{code} {detail}") },
        _ => return None,
    })
}
