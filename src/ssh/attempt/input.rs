//! The words to an attempt's wrapper, held back until it listens.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use shuntyard_domain::wire::frame::Word;
use tokio::sync::Mutex as AsyncMutex;

use crate::ssh::channel::ChannelWriter;
use crate::ssh::error::ChannelGone;

/// The words to an attempt's wrapper.
pub struct AttemptInput {
    pub(super) gate: Arc<Gate>,
}

impl AttemptInput {
    pub(super) const fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    /// Sends a word. Before `Started` or `Attached` it is kept and sent right after that event was received.
    ///
    /// # Errors
    /// `ChannelGone` when the channel has ended.
    pub async fn send(&mut self, word: Word) -> Result<(), ChannelGone> {
        self.pass(Held::Word(word)).await
    }

    /// Ends the input; as for words, not before the wrapper listens.
    ///
    /// # Errors
    /// As `send`.
    pub async fn eof(&mut self) -> Result<(), ChannelGone> {
        self.pass(Held::Eof).await
    }

    async fn pass(&mut self, held: Held) -> Result<(), ChannelGone> {
        self.gate.state().held.push_back(held);
        if self.gate.state().open { self.gate.let_through().await } else { Ok(()) }
    }
}

/// Keeps words back until the wrapper listens: what it reads before that, it may take for a part of the frame.
pub(super) struct Gate {
    state: Mutex<GateState>,
    writer: AsyncMutex<ChannelWriter>,
}

#[derive(Default)]
struct GateState {
    open: bool,
    held: VecDeque<Held>,
}

#[derive(Clone, Copy)]
enum Held {
    Word(Word),
    Eof,
}

impl Gate {
    pub(super) fn new(writer: ChannelWriter) -> Self {
        Self { state: Mutex::default(), writer: AsyncMutex::new(writer) }
    }

    /// Forgets what is held, and holds back again: another attempt's wrapper does not listen yet.
    pub(super) fn shut(&self) {
        *self.state() = GateState::default();
    }

    /// Sends what the wrapper reads before it listens to words. A channel that takes nothing says why in its events.
    pub(super) async fn send_order(&self, order: Bytes) {
        let _ = self.writer.lock().await.send(order).await;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true when something was held back.
    pub(super) fn open(&self) -> bool {
        let mut state = self.state();
        state.open = true;
        !state.held.is_empty()
    }

    /// Sends what is held, in order. A word is forgotten only after it was sent.
    pub(super) async fn let_through(&self) -> Result<(), ChannelGone> {
        let mut writer = self.writer.lock().await;
        loop {
            let Some(next) = self.state().held.front().copied() else { return Ok(()) };
            match next {
                Held::Word(word) => writer.send(word.to_bytes().into()).await?,
                Held::Eof => writer.eof().await?,
            }
            self.state().held.pop_front();
        }
    }
}
