//! How many sessions a host allows on one connection, found out by opening them.

use std::time::Duration;

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::frame::Verb;

use super::{VerbError, command, fresh_nonce};
use crate::ssh::channel::Channel;
use crate::ssh::error::ExecError;
use crate::ssh::pool::Lease;

/// How long the host may take to close what was opened.
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// Opens a session under each lease and returns how many were open at a time; a refusal ends it and is learnt.
///
/// Each waits in the wrapper for a frame that does not come: an attempt without a frame is never claimed.
///
/// # Errors
/// As `hello`, for everything but a refusal.
pub async fn sound(leases: Vec<Lease>, wrapper_path: &str, id: AttemptId) -> Result<usize, VerbError> {
    let mut open: Vec<Channel> = Vec::new();
    for mut lease in leases {
        let nonce = fresh_nonce()?;
        let command = command(&lease, wrapper_path, &Verb::Run { id, nonce: &nonce, offset: 0 })?;
        match lease.open(&command).await {
            Ok(channel) => open.push(channel),
            Err(ExecError::ChannelRefused { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let count = open.len();
    let closing = open.into_iter().map(|mut channel| async move {
        if channel.input.eof().await.is_ok() {
            while channel.events.recv().await.is_some() {}
        }
    });
    // The slots of those that stay open are freed when the host closes them.
    let _ = tokio::time::timeout(CLOSE_DEADLINE, futures_util::future::join_all(closing)).await;
    Ok(count)
}
