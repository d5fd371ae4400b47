//! Keeps one warm connection to each runner, and says when there is none.

use std::sync::Arc;
use std::time::Duration;

use shuntyard_domain::attempt::HostIdentity;
use shuntyard_domain::ids::{AttemptId, RunnerId};
use shuntyard_domain::recovery::spool_may_go;
use shuntyard_domain::runner::{Runner, RunnerState, StateNote};
use shuntyard_domain::via::Via;
use tokio::time::Instant;
use tracing::{Instrument as _, info_span};

use super::inventory::{Contact, Known};
use super::test_runner::CheckPlan;
use super::{DispatchError, Dispatcher, Thing};
use crate::ssh::{ConnectError, RunnerKey, attempt};
use crate::store::{StoreError, job_find};

const BACKOFF_FIRST: Duration = Duration::from_millis(200);
/// Between tries that reach nobody: they cost the host nothing, and a path that heals is to be noticed soon.
const SILENT_CAP: Duration = Duration::from_millis(1500);
/// Between tries that something answers: sshd counts connections that come to nothing (MaxStartups, and a second of
/// PerSourcePenalties each), and a job is to be followed again 5 s after its host is well.
const ANSWERED_CAP: Duration = Duration::from_secs(4);
/// A connection that ends before this does not count as a success: a host that lets us in and cuts us off is paced.
const STEADY: Duration = Duration::from_secs(10);
const GREET_EVERY: Duration = Duration::from_secs(12 * 3600);
/// A host that refused the login is not asked again soon: it counts refusals against our address.
const REFUSED_PAUSE: Duration = Duration::from_secs(300);
/// Until a jump host is asked for again that a person has to see to.
const CARRIER_PAUSE: Duration = Duration::from_secs(15);

/// Doubling delays with jitter, back to the first after a success.
pub(super) struct Backoff {
    next: Duration,
    cap: Duration,
}

impl Backoff {
    pub(super) const fn new(first: Duration, cap: Duration) -> Self {
        Self { next: first, cap }
    }

    /// The delay to wait now: 50–100 % of the step, so that many waiters spread out.
    pub(super) fn delay(&mut self) -> Duration {
        self.delay_within(self.cap)
    }

    /// As `delay`, with another cap this time.
    fn delay_within(&mut self, cap: Duration) -> Duration {
        let step = self.next.min(cap);
        self.next = (self.next * 2).min(self.cap);
        let mut random = [0_u8; 2];
        // Without random bytes the delay is the whole step: correct, only less spread.
        let share = getrandom::fill(&mut random).map_or(u16::MAX, |()| u16::from_ne_bytes(random));
        step.mul_f64(0.5 + 0.5 * f64::from(share) / f64::from(u16::MAX))
    }
}

impl Dispatcher {
    /// Puts a runner into the inventory and starts its keeper.
    pub(super) fn keep(&self, runner: Runner, key: Arc<RunnerKey>) {
        let keeper_stop = self.0.tasks.stop_signal().child_token();
        let known = Known {
            contact: Contact::Connecting { since_ms: self.0.clock.now_ms() },
            identity: HostIdentity::default(),
            runner: runner.into(),
            key,
            closed: false,
            keeper_stop: keeper_stop.clone(),
            changed: Arc::default(),
        };
        let (id, place) = (known.runner.id, known.runner.scope.place());
        let was_at = self.0.inventory.get(id).map(|before| before.runner.scope.place());
        let span = info_span!("keeper", runner.name = %known.runner.hostname);
        self.0.inventory.put(known);
        if let Some(was_at) = was_at.filter(|was_at| *was_at != place) {
            self.0.feed.removed(Thing::Runner(id), was_at);
        }
        self.update_runner(id, |_| ());
        let engine = self.clone();
        self.0.tasks.spawn(span, move |_| async move {
            tokio::select! {
                () = keeper_stop.cancelled() => (),
                () = keep_warm(&engine, id) => (),
            }
        });
    }
}

/// The associated data under which a runner's private key is sealed.
#[must_use]
pub fn key_context(runner: RunnerId) -> String {
    key_context_of(&runner.to_string())
}

/// The same, by the text of its id.
pub(super) fn key_context_of(id: &str) -> String {
    format!("runner:{id}:private_key")
}

/// Connects, waits for the end, and connects again, until the runner leaves the inventory.
async fn keep_warm(engine: &Dispatcher, id: RunnerId) {
    let mut backoff = Backoff::new(BACKOFF_FIRST, ANSWERED_CAP);
    let mut tries = 0;
    while let Some(known) = engine.0.inventory.get(id) {
        if matches!(known.runner.state, RunnerState::Quarantined | RunnerState::Pending) {
            unreachable(engine, id, format!("nothing is sent to a {} runner", known.runner.state), tries, None);
            return;
        }
        if let Some(why) = engine.turned_off(&known.runner) {
            unreachable(engine, id, why.into(), tries, None);
            return;
        }
        if known.runner.endpoint.via == Via::DialOut && !has_dialled_out(engine, &known).await {
            continue;
        }
        let delay = match engine.0.pool.warm(&engine.target(&known)).await {
            Ok(_) => {
                let began = Instant::now();
                on_connected(engine, &known).await;
                stay_connected(engine, &known).await;
                if began.elapsed() >= STEADY {
                    backoff = Backoff::new(BACKOFF_FIRST, ANSWERED_CAP);
                }
                tries = 0;
                let delay = backoff.delay();
                unreachable(engine, id, "the connection ended".into(), tries, Some(delay));
                delay
            }
            Err(error @ ConnectError::HostKeyMismatch { .. }) => {
                tracing::error!(%error, "the runner shows a key that is not pinned; quarantined");
                quarantine(engine, id, error.to_string(), tries + 1).await;
                return;
            }
            Err(error) => {
                tries += 1;
                tracing::debug!(%error, tries, "cannot connect");
                if error.may_pass_later() || matches!(error, ConnectError::Stopped { .. }) {
                    let delay = backoff.delay_within(if error.was_answered() { ANSWERED_CAP } else { SILENT_CAP });
                    unreachable(engine, id, error.to_string(), tries, Some(delay));
                    delay
                } else {
                    refused(engine, &known, &error, tries).await;
                    continue;
                }
            }
        };
        tokio::time::sleep(delay).await;
    }
}

/// Tells whether there is a tunnel; without one it says so, and returns when there is one or the record has changed.
async fn has_dialled_out(engine: &Dispatcher, known: &Known) -> bool {
    let (id, dial_out) = (known.runner.id, &engine.0.dial_out);
    if dial_out.tunnels.up(id).is_some() {
        return true;
    }
    unreachable(engine, id, dial_out.waits().to_owned(), 0, None);
    tokio::select! {
        () = dial_out.tunnels.come_up(id, &known.runner.hostname) => {}
        () = known.changed.notified() => {}
    }
    false
}

/// Returns when the connection has ended. Every hello lets the host tidy: claims of old jobs go a day later. The checks
/// of the runner ride on the connection.
async fn stay_connected(engine: &Dispatcher, known: &Known) {
    let id = known.runner.id;
    let ended = engine.0.pool.connection_closed(id);
    tokio::pin!(ended);
    let unhealthy = engine.0.inventory.get(id).is_some_and(|known| known.runner.health.keeps_jobs_away());
    let mut checks = CheckPlan::new(&engine.0.checks, unhealthy);
    let mut greet_at = Instant::now() + GREET_EVERY;
    loop {
        let is_check = tokio::select! {
            () = &mut ended => return,
            () = checks.due() => true,
            () = tokio::time::sleep_until(greet_at) => false,
        };
        if is_check {
            tokio::select! {
                () = &mut ended => return,
                () = checks.make(engine, id).instrument(info_span!("check")) => (),
            }
            continue;
        }
        greet_at = Instant::now() + GREET_EVERY;
        if let Err(why) = greet(engine, known).await {
            tracing::info!(why, "the runner does not answer a hello");
        }
    }
}

/// Leaves a host alone that has given its final word.
async fn refused(engine: &Dispatcher, known: &Known, error: &ConnectError, tries: u32) {
    let (pause, why) = if matches!(error, ConnectError::CarrierDown { .. } | ConnectError::CarrierClosed { .. }) {
        // Nothing is sent for it: what carries us has its own pause.
        (CARRIER_PAUSE, error.to_string())
    } else {
        let minutes = REFUSED_PAUSE.as_secs() / 60;
        let told = format!("{error}; tried again after a Test or a change of the runner, and every {minutes} minutes");
        (REFUSED_PAUSE, told)
    };
    unreachable(engine, known.runner.id, why, tries, Some(pause));
    tracing::warn!(%error, pause_s = pause.as_secs(), "not connecting again soon");
    // A Test or a change of the record wakes us: somebody may have mended it.
    let _ = tokio::time::timeout(pause, known.changed.notified()).await;
}

async fn on_connected(engine: &Dispatcher, known: &Known) {
    // Before it is given a job: what it is now is stored with the intent to start.
    let identity = greet(engine, known).await.unwrap_or_else(|why| {
        tracing::warn!(why, "the runner does not say who it is");
        HostIdentity::default()
    });
    let now_ms = engine.0.clock.now_ms();
    engine.update_runner(known.runner.id, |entry| {
        let mut runner = (*entry.runner).clone();
        runner.last_seen_at_ms = Some(now_ms);
        entry.runner = runner.into();
        entry.contact = Contact::Connected { since_ms: now_ms };
        entry.identity = identity;
    });
    tracing::info!("connected");
    if let Err(error) = sweep_spools(engine, known).instrument(info_span!("sweep_spools")).await {
        tracing::debug!(%error, "the spools were not swept");
    }
}

/// Asks the host who it is; keeps which programs it has and by which means it can stop jobs, when that has changed.
async fn greet(engine: &Dispatcher, known: &Known) -> Result<HostIdentity, String> {
    let mut lease = engine.lease_service(known).await.map_err(|error| error.to_string())?;
    let wrapper = &known.runner.installation.wrapper_path;
    let hello = attempt::hello(&mut lease, wrapper).await.map_err(|error| error.to_string())?;
    let identity = HostIdentity::from(&hello);
    let before = &known.runner.installation;
    if hello.means != before.stop_means || hello.tools != before.tools {
        let change = |runner: &mut Runner| {
            runner.installation.stop_means = hello.means;
            runner.installation.tools = hello.tools;
        };
        if let Err(error) = engine.change_record(known.runner.id, change).await {
            tracing::warn!(%error, "what the host can do could not be stored");
        }
    }
    Ok(identity)
}

/// Says that there is no connection; `next_try` is from now.
fn unreachable(engine: &Dispatcher, id: RunnerId, why: String, tries: u32, next_try: Option<Duration>) {
    let now_ms = engine.0.clock.now_ms();
    let (since_ms, is_news) = match engine.0.inventory.get(id).map(|k| k.contact) {
        Some(Contact::Unreachable { since_ms, why: before, .. }) => (since_ms, before != why),
        _ => (now_ms, true),
    };
    let next_try_at_ms = next_try.map(|pause| now_ms + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
    let contact = Contact::Unreachable { since_ms, why, tries, next_try_at_ms };
    let change = |entry: &mut Known| {
        entry.contact = contact;
        // It may be another boot when it is back.
        entry.identity = HostIdentity::default();
    };
    if is_news {
        engine.update_runner(id, change);
    } else {
        // One more failed try like the last one: nobody waits for that, and the board need not look.
        engine.0.inventory.note(id, change);
    }
}

async fn quarantine(engine: &Dispatcher, id: RunnerId, why: String, tries: u32) {
    let note = StateNote { at_ms: engine.0.clock.now_ms(), by: "the dispatcher".into(), reason: Some(why.clone()) };
    let change = move |runner: &mut Runner| (runner.state, runner.state_note) = (RunnerState::Quarantined, Some(note));
    match engine.change_record(id, change).await {
        Ok(()) | Err(DispatchError::NoRunner(_)) => (),
        Err(error) => {
            tracing::error!(%error, "the quarantine could not be stored; it holds until the next start");
            engine.update_runner(id, |entry| {
                entry.runner = Runner { state: RunnerState::Quarantined, ..(*entry.runner).clone() }.into();
            });
        }
    }
    engine.0.pool.forget(id);
    unreachable(engine, id, why, tries, None);
}

/// Removes the spools of attempts that are finished and stored: an acknowledgement can be lost with its link.
async fn sweep_spools(engine: &Dispatcher, known: &Known) -> Result<(), DispatchError> {
    let mut lease = engine.lease_service(known).await?;
    let Ok(spools) = attempt::status(&mut lease, &known.runner.installation.wrapper_path).await else { return Ok(()) };
    engine.runner_was_asked(known, &spools).await;
    let ids: Vec<AttemptId> = spools.into_iter().map(|(id, _)| id).collect();
    let stale: Vec<AttemptId> = engine
        .0
        .store
        .read(move |c| {
            let mut stale = Vec::new();
            for id in ids {
                if spool_may_go(job_find(c, id.job)?.as_ref()) {
                    stale.push(id);
                }
            }
            Ok::<_, StoreError>(stale)
        })
        .await?;
    if !stale.is_empty() {
        tracing::info!(spools = stale.len(), "removing spools of finished jobs");
        // What stays is found again at the next connect.
        let _ = attempt::remove(&mut lease, &known.runner.installation.wrapper_path, &stale).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let ranges = [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (2.5, 5.0), (2.5, 5.0)];
        for (low, high) in ranges {
            let delay = backoff.delay().as_secs_f64();
            assert!((low..=high).contains(&delay), "{delay} is outside {low}..={high}");
        }
    }
}
