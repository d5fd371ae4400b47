//! Channels of ended attempts, kept for a moment: the runner's next job costs its host no session and no shell then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shuntyard_domain::ids::{AttemptId, RunnerId};
use tracing::Span;

use super::Dispatcher;
use super::inventory::Known;
use crate::ssh::attempt::{Attempt, remove};

/// How long a channel waits for another job. Until then the host keeps the files of the ended attempt.
const KEEP: Duration = Duration::from_secs(1);

/// The channels that wait.
#[derive(Default)]
pub(super) struct Lanes(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<RunnerId, Vec<Lane>>,
    parked: u64,
}

struct Lane {
    /// Which parking this is: the timer of an earlier one must not end it.
    number: u64,
    wrapper_path: String,
    attempt: Attempt,
}

impl Lanes {
    fn push(&self, known: &Known, attempt: Attempt) -> u64 {
        let mut state = self.state();
        state.parked += 1;
        let number = state.parked;
        let wrapper_path = known.runner.installation.wrapper_path.clone();
        state.waiting.entry(known.runner.id).or_default().push(Lane { number, wrapper_path, attempt });
        number
    }

    /// Takes the lane that was used last and is `wanted`.
    fn take(&self, runner: RunnerId, wanted: impl Fn(&Lane) -> bool) -> Option<Attempt> {
        let mut state = self.state();
        let lanes = state.waiting.get_mut(&runner)?;
        let lane = lanes.iter().rposition(wanted).map(|at| lanes.remove(at));
        if lanes.is_empty() {
            state.waiting.remove(&runner);
        }
        lane.map(|lane| lane.attempt)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dispatcher {
    /// Keeps the channel of an attempt whose end is stored for the runner's next job; then lets the host forget it.
    pub(super) fn park(&self, runner: RunnerId, attempt: Attempt) {
        if !attempt.takes_next() {
            self.0.tasks.spawn(Span::current(), move |_| attempt.acknowledge());
            return;
        }
        let Ok(known) = self.known(runner) else { return };
        let number = self.0.lanes.push(&known, attempt);
        let engine = self.clone();
        self.0.tasks.spawn(Span::current(), move |stop| async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(KEEP) => {}
            }
            if let Some(attempt) = engine.0.lanes.take(runner, |lane| lane.number == number) {
                attempt.acknowledge().await;
            }
        });
    }

    /// Lets the host forget an attempt whose end is stored, beside whatever else goes on.
    pub(super) fn let_go(&self, attempt: Attempt) {
        self.0.tasks.spawn(Span::current(), move |_| attempt.acknowledge());
    }

    /// Lets the host forget an attempt whose channel is gone; one that cannot be told now is swept at the next connect.
    pub(super) fn forget_attempt(&self, runner: RunnerId, id: AttemptId) {
        let engine = self.clone();
        self.0.tasks.spawn(Span::current(), move |_| async move {
            let Ok(known) = engine.known(runner) else { return };
            if let Ok(mut lease) = engine.lease_service(&known).await {
                let _ = remove(&mut lease, &known.runner.installation.wrapper_path, &[id]).await;
            }
        });
    }

    /// A channel on which the runner's next job can be started at once.
    pub(super) fn take_lane(&self, known: &Known) -> Option<Attempt> {
        let of_this_wrapper = |lane: &Lane| lane.wrapper_path == known.runner.installation.wrapper_path;
        loop {
            let mut attempt = self.0.lanes.take(known.runner.id, of_this_wrapper)?;
            if attempt.is_open() {
                return Some(attempt);
            }
        }
    }
}
