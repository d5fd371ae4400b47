//! Short verbs: one channel, one answer.

use std::time::Duration;

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::control::{Control, Hello, Receipt, ResultRecord, SpoolState, parse_control};
use shuntyard_domain::wire::frame::{Nonce, Verb, command_line};

use super::{AttemptError, fresh_nonce};
use crate::ssh::exec::ExecLimits;
use crate::ssh::pool::Lease;

/// A verb that only looks answers at once; the rest of this is for slow hosts.
const DEADLINE: Duration = Duration::from_secs(20);
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// Ids in one command line.
const MAX_IDS: usize = 200;

/// What a kill came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Killed {
    pub receipts: Vec<Receipt>,
    /// The attempt's end; `None` when the host does not know the attempt.
    pub result: Option<ResultRecord>,
}

async fn call(
    mut lease: Lease,
    wrapper_path: &str,
    verb: Verb<'_>,
    nonce: &Nonce,
    deadline: Duration,
) -> Result<Vec<Control>, AttemptError> {
    let command = command_line(wrapper_path, &verb)?;
    let limits = ExecLimits { deadline, max_output_bytes: MAX_ANSWER_BYTES };
    let output = lease.exec(&command, Vec::new(), limits).await?;
    let lines = output.stderr.split(|b| *b == b'\n');
    let controls: Vec<Control> = lines.filter_map(|line| parse_control(nonce, line).ok().flatten()).collect();
    let name = name(&verb);
    match controls.iter().find_map(|c| if let Control::Err { code, detail } = c { Some((code, detail)) } else { None })
    {
        Some((code, detail)) => Err(AttemptError::Refused { verb: name, why: format!("{code} {detail}") }),
        None if controls.is_empty() => {
            let said = String::from_utf8_lossy(&output.stderr).trim().chars().take(300).collect();
            Err(AttemptError::NoAnswer { verb: name, said })
        }
        None => Ok(controls),
    }
}

const fn name(verb: &Verb<'_>) -> &'static str {
    match verb {
        Verb::Hello { .. } => "hello",
        Verb::Run { .. } => "run",
        Verb::At { .. } => "at",
        Verb::Fence { .. } => "fence",
        Verb::Kill { .. } => "kill",
        Verb::Status { .. } => "st",
        Verb::Remove { .. } => "rm",
    }
}

fn missing(verb: &'static str, controls: &[Control]) -> AttemptError {
    AttemptError::NoAnswer { verb, said: format!("{controls:?}").chars().take(300).collect() }
}

/// Asks for versions, identity, clock and free space.
///
/// # Errors
/// `AttemptError` when the wrapper does not answer.
pub async fn hello(lease: Lease, wrapper_path: &str) -> Result<Hello, AttemptError> {
    let nonce = fresh_nonce()?;
    let controls = call(lease, wrapper_path, Verb::Hello { nonce: &nonce }, &nonce, DEADLINE).await?;
    let hello = controls.iter().find_map(|c| if let Control::Hello(hello) = c { Some(hello.clone()) } else { None });
    hello.ok_or_else(|| missing("hello", &controls))
}

/// Lists every attempt that the host knows.
///
/// # Errors
/// `AttemptError` when the wrapper does not answer to the end.
pub async fn status(lease: Lease, wrapper_path: &str) -> Result<Vec<(AttemptId, SpoolState)>, AttemptError> {
    let nonce = fresh_nonce()?;
    let controls = call(lease, wrapper_path, Verb::Status { nonce: &nonce }, &nonce, DEADLINE).await?;
    if !controls.iter().any(|c| matches!(c, Control::Eol)) {
        return Err(missing("st", &controls));
    }
    let job = |control| if let Control::Job { id, state } = control { Some((id, state)) } else { None };
    Ok(controls.into_iter().filter_map(job).collect())
}

/// Makes sure that the attempt can never start; false when it has started or ended already.
///
/// # Errors
/// `AttemptError` when the wrapper does not answer.
pub async fn fence(lease: Lease, wrapper_path: &str, id: AttemptId) -> Result<bool, AttemptError> {
    let nonce = fresh_nonce()?;
    let controls = call(lease, wrapper_path, Verb::Fence { id, nonce: &nonce }, &nonce, DEADLINE).await?;
    Ok(controls.iter().any(|c| matches!(c, Control::Fenced)))
}

/// Cancels from beside the attempt's own channel; answers when the host has confirmed.
///
/// # Errors
/// `AttemptError` when the wrapper does not answer within the grace and 20 s.
pub async fn kill(lease: Lease, wrapper_path: &str, id: AttemptId, grace_s: u32) -> Result<Killed, AttemptError> {
    let nonce = fresh_nonce()?;
    let deadline = DEADLINE + Duration::from_secs(u64::from(grace_s));
    let controls = call(lease, wrapper_path, Verb::Kill { id, nonce: &nonce, grace_s }, &nonce, deadline).await?;
    let mut killed = Killed::default();
    for control in controls {
        match control {
            Control::Receipt(receipt) => killed.receipts.push(receipt),
            Control::End(record) => killed.result = Some(record),
            _ => (),
        }
    }
    Ok(killed)
}

/// Removes the files of attempts that are stored; at most 200 of them a call.
///
/// # Errors
/// `AttemptError` when the wrapper does not answer.
pub async fn remove(lease: Lease, wrapper_path: &str, ids: &[AttemptId]) -> Result<(), AttemptError> {
    let nonce = fresh_nonce()?;
    let ids = &ids[..ids.len().min(MAX_IDS)];
    call(lease, wrapper_path, Verb::Remove { nonce: &nonce, ids }, &nonce, DEADLINE).await.map(drop)
}
