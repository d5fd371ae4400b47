//! The verb that brings a tree of files to a host and lays a copy ready for an attempt.

use std::time::Duration;

use bytes::Bytes;
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::control::Control;
use shuntyard_domain::wire::frame::Verb;
use tokio::sync::mpsc;

use super::lines::ControlLines;
use super::{VerbError, command, fresh_nonce};
use crate::ssh::channel::{ChannelEvent, ChannelReader, ChannelWriter};
use crate::ssh::error::{ChannelGone, ExecError};
use crate::ssh::pool::Lease;

/// How long the host may be silent: it may be unpacking and checking a large tree.
const SILENCE_LIMIT: Duration = Duration::from_secs(900);

/// What the host says, in this order; `Want` only when it lacks the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryWord {
    /// Send the parcel. `tools`: what can be read and checked; `trees`: what it has.
    Want { tools: Vec<String>, trees: Vec<Digest> },
    /// The tree is in the cache.
    Have,
    /// The attempt's copy is laid ready. The last word.
    Filled,
}

/// A delivery under way. Dropping it before `Filled` gives it up: the host removes what it has received.
pub struct Delivery {
    lines: ControlLines,
    events: ChannelReader,
    input: ChannelWriter,
}

/// Asks the host for tree `digest`, for attempt `id`.
///
/// # Errors
/// `VerbError` when no channel could be opened.
pub async fn deliver(
    lease: &mut Lease,
    wrapper_path: &str,
    id: AttemptId,
    digest: Digest,
) -> Result<Delivery, VerbError> {
    let nonce = fresh_nonce()?;
    let command = command(lease, wrapper_path, &Verb::Workspace { id, nonce: &nonce, digest })?;
    let channel = lease.open(&command).await?;
    let lines = ControlLines::new(lease.session().at().to_owned(), nonce);
    Ok(Delivery { lines, events: channel.events, input: channel.input })
}

impl Delivery {
    /// The host's next word. Nothing is lost when the wait is given up.
    ///
    /// # Errors
    /// `Refused`; `Exec` when the connection is lost; `NoAnswer` when the host ends or is silent without a word.
    pub async fn word(&mut self) -> Result<DeliveryWord, VerbError> {
        loop {
            match self.lines.next() {
                Some(Control::Want { tools, trees }) => return Ok(DeliveryWord::Want { tools, trees }),
                Some(Control::Have) => return Ok(DeliveryWord::Have),
                Some(Control::Filled) => return Ok(DeliveryWord::Filled),
                Some(Control::Err { code, detail }) => {
                    return Err(VerbError::Refused { at: self.lines.at().to_owned(), code, detail });
                }
                Some(other) => return Err(self.lines.no_answer(format!("{other:?} does not belong into a delivery"))),
                None => {}
            }
            let event = tokio::time::timeout(SILENCE_LIMIT, self.events.recv()).await;
            match event.map_err(|_| self.lines.no_answer("the host is silent".into()))? {
                Some(ChannelEvent::Stderr(bytes)) => self.lines.read(&bytes)?,
                Some(ChannelEvent::Stdout(bytes)) => self.lines.noise(bytes.len())?,
                Some(ChannelEvent::ExitStatus(_) | ChannelEvent::ExitSignal | ChannelEvent::Eof) => {}
                Some(ChannelEvent::Closed) => return Err(self.lines.no_answer(self.lines.last_words())),
                Some(ChannelEvent::Overflow) => return Err(self.lines.no_answer("it printed too much".into())),
                Some(ChannelEvent::Disconnected) | None => {
                    return Err(ExecError::ConnectionLost { at: self.lines.at().to_owned() }.into());
                }
            }
        }
    }

    /// Sends everything that `parcel` yields, then the end of input, and returns the host's next word.
    ///
    /// # Errors
    /// As `word`.
    pub async fn send(&mut self, head: Bytes, mut parcel: mpsc::Receiver<Bytes>) -> Result<DeliveryWord, VerbError> {
        let input = &mut self.input;
        let sending = async {
            input.send(head).await?;
            while let Some(piece) = parcel.recv().await {
                input.send(piece).await?;
            }
            input.eof().await
        };
        // A host that reads no more says why, or is gone: `word` knows.
        let _: Result<(), ChannelGone> = sending.await;
        self.word().await
    }
}
