//! A slot on a warm connection.

use std::sync::Arc;

use super::connection::{Kind, Slot};
use super::{Pool, Target};
use crate::ssh::channel::Channel;
use crate::ssh::error::ExecError;
use crate::ssh::exec::{self, ExecLimits, ExecOutput};
use crate::ssh::session::Session;

/// How many connections may refuse before the caller is told.
const MAX_REFUSALS: usize = 4;

/// The right to one session at a time on a warm connection.
///
/// The slot is free again when the lease was dropped and the host has closed the channel that was opened under it.
pub struct Lease {
    pool: Pool,
    target: Target,
    slot: Arc<Slot>,
    /// A refused session does not move it to another connection.
    stays: bool,
}

impl Lease {
    pub(super) fn new(pool: Pool, target: Target, slot: Arc<Slot>) -> Self {
        Self { pool, target, slot, stays: false }
    }

    /// A lease that keeps to its connection.
    pub(super) fn staying(pool: Pool, target: Target, slot: Arc<Slot>) -> Self {
        Self { pool, target, slot, stays: true }
    }

    /// The connection that the slot is on.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.slot.connection.session
    }

    /// Starts `command`. When the host has no session left on this connection, the lease moves to another one.
    ///
    /// # Errors
    /// As `Session::open`, and `ExecError::Connect` when no other connection can be had.
    pub async fn open(&mut self, command: &str) -> Result<Channel, ExecError> {
        for _ in 0..MAX_REFUSALS {
            let refusal = match self.session().open_holding(command, Arc::clone(&self.slot)).await {
                Err(refusal @ ExecError::ChannelRefused { .. }) => refusal,
                answer => return answer,
            };
            if !self.slot.connection.refused() || self.stays {
                return Err(refusal);
            }
            self.slot = match self.slot.kind {
                Kind::Job => self.pool.lease_job(&self.target).await?.slot,
                Kind::Service => self.pool.lease_service(&self.target).await?.slot,
            };
        }
        Err(ExecError::ChannelRefused { at: self.target.dial.at() })
    }

    /// As `Session::exec`, on this slot.
    ///
    /// # Errors
    /// As `open` and `Session::exec`.
    pub async fn exec(&mut self, command: &str, stdin: Vec<u8>, limits: ExecLimits) -> Result<ExecOutput, ExecError> {
        let at = self.target.dial.at();
        exec::within(&at, limits, async {
            let channel = self.open(command).await?;
            exec::finish(&at, channel, stdin, limits).await
        })
        .await
    }
}
