//! What becomes of one machine of a pool: states, events, and the one function that leads from one to the next.

use serde::{Deserialize, Serialize};

use crate::closed::closed_list;
use crate::ids::RunnerId;

closed_list!(
    /// What is known of a machine.
    InstanceState {
        /// Stored; the provider is asked for it until it says yes or no.
        Starting = "starting",
        /// Its runner is in the inventory.
        Enrolled = "enrolled",
        /// Takes no more jobs, ends those that it has.
        Draining = "draining",
        /// Has no runner; the provider is asked to stop it until it says that it is gone.
        Stopping = "stopping",
        /// Gone.
        Stopped = "stopped",
        /// Gone, without ever having been a runner.
        Failed = "failed",
    }
);

closed_list!(
    /// Why a machine is left.
    LeaveReason {
        /// It had no job for as long as one may have none.
        Idle = "idle",
        /// It is as old as one may get.
        Lifetime = "lifetime",
        /// It takes one job, and that has ended.
        OneOff = "one_off",
        /// The pool starts and keeps none any more.
        Disabled = "disabled",
        /// The pool is being deleted.
        Deleted = "deleted",
        /// There are more than there may be.
        AboveMax = "above_max",
        /// It did not enrol in time.
        StartLimit = "start_limit",
        /// The provider said no.
        StartRefused = "start_refused",
        /// The provider has it no more, and nothing answers.
        Vanished = "vanished",
        /// Nothing answers, although the provider has it.
        Unreachable = "unreachable",
        /// Its runner was deleted by hand.
        RunnerGone = "runner_gone",
    }
);

/// One machine and what is stored of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub state: InstanceState,
    /// Why it is left; there from `draining` on.
    pub reason: Option<LeaveReason>,
    pub provider_id: Option<String>,
    pub runner: Option<RunnerId>,
    pub created_at_ms: i64,
    pub state_at_ms: i64,
    /// When the provider said yes.
    pub accepted_at_ms: Option<i64>,
    pub enrolled_at_ms: Option<i64>,
}

/// Something that happened to a machine, or was decided about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceEvent {
    /// The provider said yes.
    Accepted { provider_id: Option<String> },
    /// It has enrolled itself.
    Enrolled { runner: RunnerId },
    /// It is to go: with its jobs ended first if it is a runner.
    Left { reason: LeaveReason },
    /// Its runner has no job and is out of the inventory.
    Emptied,
    /// The provider says that it is gone.
    Gone,
}

/// An event that means nothing in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a machine that is {state} cannot be {event}")]
pub struct IllegalInstanceEvent {
    pub state: InstanceState,
    pub event: &'static str,
}

impl InstanceEvent {
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Enrolled { .. } => "enrolled",
            Self::Left { .. } => "left",
            Self::Emptied => "emptied",
            Self::Gone => "gone",
        }
    }
}

impl Instance {
    /// One that is asked for from now on.
    #[must_use]
    pub const fn new(now_ms: i64) -> Self {
        Self {
            state: InstanceState::Starting,
            reason: None,
            provider_id: None,
            runner: None,
            created_at_ms: now_ms,
            state_at_ms: now_ms,
            accepted_at_ms: None,
            enrolled_at_ms: None,
        }
    }

    /// It may exist at the provider, and counts under `max`.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        !matches!(self.state, InstanceState::Stopped | InstanceState::Failed)
    }

    /// What the machine is after the event.
    ///
    /// # Errors
    /// `IllegalInstanceEvent`: it was decided over something that is not so any more; nothing is to be done.
    pub fn after(&self, event: &InstanceEvent, now_ms: i64) -> Result<Self, IllegalInstanceEvent> {
        use InstanceEvent as E;
        use InstanceState as S;
        let to = |state: S| Self { state, state_at_ms: now_ms, ..self.clone() };
        Ok(match (self.state, event) {
            // A late yes: it may have enrolled before, or be unwanted by now. Its name is good for the stop.
            (S::Starting | S::Enrolled | S::Draining | S::Stopping, E::Accepted { provider_id }) => Self {
                accepted_at_ms: self.accepted_at_ms.or(Some(now_ms)),
                provider_id: provider_id.clone().or_else(|| self.provider_id.clone()),
                ..self.clone()
            },
            (S::Starting, E::Enrolled { runner }) => {
                Self { runner: Some(*runner), enrolled_at_ms: Some(now_ms), ..to(S::Enrolled) }
            }
            (S::Starting, E::Left { reason }) => Self { reason: Some(*reason), ..to(S::Stopping) },
            (S::Enrolled, E::Left { reason }) => Self { reason: Some(*reason), ..to(S::Draining) },
            (S::Draining, E::Emptied) => to(S::Stopping),
            (S::Stopping, E::Gone) if self.enrolled_at_ms.is_none() => to(S::Failed),
            (S::Stopping, E::Gone) => to(S::Stopped),
            (S::Starting | S::Enrolled | S::Draining | S::Stopping | S::Stopped | S::Failed, event) => {
                return Err(IllegalInstanceEvent { state: self.state, event: event.name() });
            }
        })
    }
}
