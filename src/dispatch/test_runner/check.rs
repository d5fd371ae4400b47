//! Checks: a runner is examined now and then over its warm connection, so that its health is what placement may rely on.

use std::time::Duration;

use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::probe::{Report, TestKind, TestRecord};
use shuntyard_domain::runner::{Health, Runner};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::examine::{Depth, Stop};
use crate::dispatch::steps::Steps;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::runner_test_find;

/// Checks under way at a time, of all runners.
const AT_A_TIME: usize = 8;
/// After a check that came to nothing, and between the first failed one and the one that must confirm it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// A report without news is stored this often, so that its time is not older.
const STORE_EVERY_MS: i64 = 6 * 3_600_000;

/// What the checks of all runners share.
pub(in crate::dispatch) struct Checks {
    /// `None`: they are off.
    every: Option<Duration>,
    turns: Semaphore,
}

impl Checks {
    pub(in crate::dispatch) fn new(every: Option<Duration>) -> Self {
        Self { every, turns: Semaphore::new(AT_A_TIME) }
    }
}

/// What a check found.
enum Found {
    /// The connection has no room, has ended, or a Test is under way: no news.
    Nothing,
    Fit,
    /// Jobs cannot run, so it seems: with the step and what it said.
    Unfit(String),
}

/// When one connection's runner is checked next.
pub(in crate::dispatch) struct CheckPlan {
    every: Option<Duration>,
    next: Option<Instant>,
    /// What the last check found, when it was the first to find it: a busy host that is late is not ill.
    suspicion: Option<String>,
}

impl CheckPlan {
    /// A runner that is unhealthy is looked at at once: it may be well again. Any other waits its share of the time, so
    /// that runners that connect together are not checked together.
    pub(in crate::dispatch) fn new(checks: &Checks, unhealthy: bool) -> Self {
        let now = Instant::now();
        let next = if unhealthy { Some(now) } else { checks.every.map(|every| now + every.mul_f64(random_share())) };
        Self { every: checks.every, next, suspicion: None }
    }

    /// Resolves when a check is due; never when there is none.
    pub(in crate::dispatch) async fn due(&self) {
        match self.next {
            Some(next) => sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Makes the check that is due, and plans the next one.
    pub(in crate::dispatch) async fn make(&mut self, engine: &Dispatcher, id: RunnerId) {
        let found = engine.check(id, self.suspicion.is_some()).await;
        let soon = Some(self.every.map_or(LOOK_AGAIN, |every| every.min(LOOK_AGAIN)));
        let pause = match found {
            Ok(Found::Nothing) => soon,
            Ok(Found::Fit) => {
                self.suspicion = None;
                self.every
            }
            Ok(Found::Unfit(why)) if self.suspicion.is_none() => {
                tracing::warn!(why, "a check failed; the next one decides");
                self.suspicion = Some(why);
                soon
            }
            Ok(Found::Unfit(_)) => soon.max(self.every),
            Err(error) => {
                tracing::warn!(%error, "a check could not be stored");
                soon
            }
        };
        self.next = pause.map(|pause| Instant::now() + pause.mul_f64(0.75 + 0.5 * random_share()));
    }
}

/// 0 to 1; in the middle without random bytes: correct, only less spread.
fn random_share() -> f64 {
    let mut random = [0_u8; 2];
    getrandom::fill(&mut random).map_or(0.5, |()| f64::from(u16::from_ne_bytes(random)) / f64::from(u16::MAX))
}

impl Dispatcher {
    /// Examines a runner over its warm connection. The first failure is kept back; with `suspected` it counts.
    async fn check(&self, id: RunnerId, suspected: bool) -> Result<Found, DispatchError> {
        // A semaphore of ours is never closed.
        let _turn = self.0.checks.turns.acquire().await;
        let Some(known) = self.0.inventory.get(id) else { return Ok(Found::Nothing) };
        if matches!(known.runner.health, Health::Pending { .. }) {
            return Ok(Found::Nothing);
        }
        // Nobody listens.
        let (steps, _) = Steps::new();
        let outcome = self.examine_wholly(&known, &steps, Depth::Check).await;
        let (found, health) = match outcome.stopped {
            Some(Stop::NoConnection(why)) => {
                tracing::debug!(why, "not checked");
                return Ok(Found::Nothing);
            }
            Some(Stop::Unfit(step, failure)) => {
                let why = format!("{step}: {}\n{}", failure.why, failure.try_next);
                (Found::Unfit(why.clone()), Health::Error { command_output: why })
            }
            None => (Found::Fit, Health::Ok { command_output: outcome.lines }),
        };
        let first = matches!(found, Found::Unfit(_)) && !suspected && !known.runner.health.keeps_jobs_away();
        if !first {
            self.keep_check(id, outcome.report, health).await?;
        }
        Ok(found)
    }

    async fn keep_check(&self, id: RunnerId, report: Report, health: Health) -> Result<(), DispatchError> {
        let Some(known) = self.0.inventory.get(id) else { return Ok(()) };
        let turned = known.runner.health.keeps_jobs_away() != health.keeps_jobs_away();
        let now_ms = self.0.clock.now_ms();
        let before = self.0.store.read(move |c| runner_test_find(c, id)).await?;
        let report = before.as_ref().map_or(report.clone(), |before| report.over(&before.report));
        let news = before.is_none_or(|before| {
            !report.agrees_with(&before.report) || now_ms.saturating_sub(before.at_ms) > STORE_EVERY_MS
        });
        if !news && !turned {
            return Ok(());
        }
        if turned {
            let healthy = !health.keeps_jobs_away();
            tracing::info!(healthy, "a check has changed the runner's health");
        }
        let change = move |runner: &mut Runner| {
            // A Test that began meanwhile has the last word.
            let same = runner.health.keeps_jobs_away() == health.keeps_jobs_away();
            if !matches!(runner.health, Health::Pending { .. }) && (!same || runner.health == Health::Untested) {
                runner.health = health;
            }
        };
        let record = TestRecord { at_ms: now_ms, kind: TestKind::Check, report };
        match self.keep_test(id, record, change).await {
            // Deleted meanwhile.
            Err(DispatchError::NoRunner(_)) => Ok(()),
            kept => kept,
        }
    }
}
