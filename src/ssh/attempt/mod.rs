//! The wrapper's verbs over a leased slot.

mod call;
mod stream;

use bytes::Bytes;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::frame::{BadWord, Nonce, Verb, command_line};

use super::error::{ChannelGone, ExecError};
use super::pool::Lease;

pub use call::{Killed, fence, hello, kill, remove, status};
pub use stream::{Attempt, AttemptEvent, GoneWhy};

/// A verb was not carried out, or its answer is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    #[error("the command line would hold a word that a shell could read otherwise")]
    Word(#[from] BadWord),
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error("the frame was not taken by the host")]
    Frame(#[source] ChannelGone),
    #[error("the system's random source failed")]
    Random,
    #[error("the wrapper did not answer `{verb}`: {said}")]
    NoAnswer { verb: &'static str, said: String },
    #[error("the wrapper refused `{verb}`: {why}")]
    Refused { verb: &'static str, why: String },
}

/// Starts the attempt, or attaches from `offset` when it has been started before. `frame` carries the job.
///
/// # Errors
/// `AttemptError` when the channel was not opened or the frame not taken whole; the attempt may then still have
/// started only if the frame went out whole: attach to find out.
pub async fn start(
    mut lease: Lease,
    wrapper_path: &str,
    id: AttemptId,
    frame: Vec<u8>,
    offset: u64,
) -> Result<Attempt, AttemptError> {
    let nonce = fresh_nonce()?;
    let command = command_line(wrapper_path, &Verb::Run { id, nonce: &nonce, offset })?;
    let mut channel = lease.open(&command).await?;
    channel.input.send(Bytes::from(frame)).await.map_err(AttemptError::Frame)?;
    Ok(Attempt::new(channel, nonce))
}

/// Attaches to an attempt from `offset` on.
///
/// # Errors
/// `AttemptError` when the channel was not opened.
pub async fn attach(mut lease: Lease, wrapper_path: &str, id: AttemptId, offset: u64) -> Result<Attempt, AttemptError> {
    let nonce = fresh_nonce()?;
    let command = command_line(wrapper_path, &Verb::At { id, nonce: &nonce, offset })?;
    let channel = lease.open(&command).await?;
    Ok(Attempt::new(channel, nonce))
}

fn fresh_nonce() -> Result<Nonce, AttemptError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| AttemptError::Random)?;
    Ok(Nonce::from_random(bytes))
}
