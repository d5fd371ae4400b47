//! The verb that hands out what an ended attempt has left: its outputs, names of files, pieces of files.
//!
//! Nothing comes that was not asked for: what waits for its consumer is bounded by what is asked at a time.

use std::time::Duration;

use bytes::Bytes;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::collect::{AnswerEnd, answer_end, collect_head, looked_at, piece_request};
use shuntyard_domain::wire::control::{Control, after_marker};
use shuntyard_domain::wire::frame::Verb;

use super::lines::ControlLines;
use super::{VerbError, command, fresh_nonce};
use crate::ssh::channel::{ChannelEvent, ChannelReader, ChannelWriter};
use crate::ssh::error::ExecError;
use crate::ssh::pool::Lease;

/// How long the host may be silent: it may be looking through a large work directory.
const SILENCE_LIMIT: Duration = Duration::from_secs(120);
/// A mark and its word.
const MARK_BYTES: usize = 64;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub bytes: Bytes,
    pub end: AnswerEnd,
}

/// A collection under way. The first answer is the file of outputs, the second the names below the roots, each with a NUL
/// behind it; then one comes for each piece that was asked for, in that order.
pub struct Collection {
    lines: ControlLines,
    events: ChannelReader,
    input: ChannelWriter,
    /// Standard output that belongs to no answer yet.
    received: Vec<u8>,
    /// Up to here no mark begins.
    looked: usize,
    begun: bool,
}

/// Asks for what attempt `id` has left, and for the names of files below `roots`.
///
/// # Errors
/// `VerbError` when no channel could be opened.
pub async fn collect(
    lease: &mut Lease,
    wrapper_path: &str,
    id: AttemptId,
    roots: &[String],
) -> Result<Collection, VerbError> {
    let nonce = fresh_nonce()?;
    let command = command(lease, wrapper_path, &Verb::Get { id, nonce: &nonce })?;
    let channel = lease.open(&command).await?;
    let lines = ControlLines::new(lease.session().at().to_owned(), nonce);
    let mut collection = Collection {
        lines,
        events: channel.events,
        input: channel.input,
        received: Vec::new(),
        looked: 0,
        begun: false,
    };
    collection.say(collect_head(roots)).await;
    Ok(collection)
}

impl Collection {
    /// Asks for `count` blocks of a file from block `skip` on.
    pub async fn ask(&mut self, path: &str, skip: u64, count: u64) {
        self.say(piece_request(path, skip, count)).await;
    }

    /// A host that reads no more says why, or is gone: `answer` knows.
    async fn say(&mut self, text: String) {
        let _ = self.input.send(text.into_bytes().into()).await;
    }

    /// The next answer, of at most `max_bytes`.
    ///
    /// # Errors
    /// `Refused`, with `Removed` when the files are gone for good; `NothingThere` when the host does not show an ended attempt now; `Exec` when the connection is lost; `NoAnswer`
    /// when the host ends, is silent, or says something else.
    pub async fn answer(&mut self, max_bytes: usize) -> Result<Answer, VerbError> {
        loop {
            if let Some(answer) = self.take_answer(max_bytes)? {
                return Ok(answer);
            }
            if let Some(control) = self.lines.next() {
                return Err(self.refusal(control));
            }
            let event = tokio::time::timeout(SILENCE_LIMIT, self.events.recv()).await;
            match event.map_err(|_| self.lines.no_answer("the host is silent".into()))? {
                Some(ChannelEvent::Stdout(bytes)) => self.received.extend_from_slice(&bytes),
                Some(ChannelEvent::Stderr(bytes)) => self.lines.read(&bytes)?,
                Some(ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal | ChannelEvent::Eof) => {}
                Some(ChannelEvent::Closed) => return Err(self.lines.no_answer(self.lines.last_words())),
                Some(ChannelEvent::Overflow) => return Err(self.lines.no_answer("it sent too much".into())),
                Some(ChannelEvent::Disconnected) | None => {
                    return Err(ExecError::ConnectionLost { at: self.lines.at().to_owned() }.into());
                }
            }
        }
    }

    fn take_answer(&mut self, max_bytes: usize) -> Result<Option<Answer>, VerbError> {
        if !self.begun {
            let Some(start) = after_marker(self.lines.nonce(), &self.received) else {
                // What login files print.
                let kept = self.received.len().min(MARK_BYTES);
                let noise = self.received.drain(..self.received.len() - kept).count();
                self.lines.noise(noise)?;
                return Ok(None);
            };
            self.received.drain(..start);
            self.begun = true;
        }
        let Some((length, end, next)) = answer_end(self.lines.nonce(), &self.received, self.looked) else {
            self.looked = looked_at(self.lines.nonce(), &self.received);
            if self.received.len() > max_bytes + MARK_BYTES {
                return Err(self.lines.no_answer("it sent more than it was asked for".into()));
            }
            return Ok(None);
        };
        if length > max_bytes {
            return Err(self.lines.no_answer("it sent more than it was asked for".into()));
        }
        let rest = self.received.split_off(next);
        let mut bytes = std::mem::replace(&mut self.received, rest);
        bytes.truncate(length);
        self.looked = 0;
        Ok(Some(Answer { bytes: bytes.into(), end }))
    }

    fn refusal(&self, control: Control) -> VerbError {
        let at = self.lines.at().to_owned();
        match control {
            Control::Err { code, detail } => VerbError::Refused { at, code, detail },
            Control::None | Control::Job { .. } => VerbError::NothingThere { at },
            other => self.lines.no_answer(format!("{other:?} does not belong into a collection")),
        }
    }
}
