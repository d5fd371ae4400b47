//! Finds webhooks with messages that are due, and lets one task send for each: a slow receiver delays nobody else.
//!
//! It is woken by the commit of an event, by the end of such a task, and by the time of the next try.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::deliveries_next;
use crate::dispatch::Dispatcher;
use crate::dispatch::engine_error::told;
use crate::store::{StoreError, deliveries_prune};

/// How long ended messages are kept.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Messages of one webhook that may wait, and that are kept when they have ended.
const MOST: i64 = 10_000;
/// Between two looks for what is too old or too much.
const SWEEP: Duration = Duration::from_secs(60);
/// After an error of the store.
const PAUSE: Duration = Duration::from_secs(5);
/// No timer is set further ahead.
const LONGEST_WAIT_MS: i64 = 3_600_000;

/// What the loop is told.
enum Told {
    Stop,
    Woken,
    Ended(String),
    Due,
    Sweep,
}

/// Runs until `stop`.
pub(in crate::dispatch) async fn run(engine: Dispatcher, stop: CancellationToken) {
    // Unbounded: one word from each task, and there is one task a webhook.
    let (ended, mut ends) = mpsc::unbounded_channel();
    let mut sender = Sender { engine, ended, busy: HashSet::new(), sweep_at: Instant::now() };
    loop {
        let wait = sender.send_due().await;
        let told = tokio::select! {
            () = stop.cancelled() => Told::Stop,
            () = sender.engine.0.store.something_to_send() => Told::Woken,
            Some(webhook) = ends.recv() => Told::Ended(webhook),
            () = sleep(wait) => Told::Due,
            () = sleep_until(sender.sweep_at) => Told::Sweep,
        };
        match told {
            Told::Stop => return,
            Told::Woken | Told::Due => {}
            Told::Ended(webhook) => {
                sender.busy.remove(&webhook);
            }
            Told::Sweep => sender.sweep().await,
        }
    }
}

struct Sender {
    engine: Dispatcher,
    ended: mpsc::UnboundedSender<String>,
    /// Webhooks that a task sends for.
    busy: HashSet<String>,
    sweep_at: Instant,
}

impl Sender {
    /// Starts a task for every webhook with something due; returns how long there is nothing more to do.
    async fn send_due(&mut self) -> Duration {
        let next = match self.engine.0.store.read(deliveries_next).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(error = told(&error), "cannot read which messages of webhooks are due");
                return PAUSE;
            }
        };
        let now_ms = self.engine.0.clock.now_ms();
        let mut wait_ms = LONGEST_WAIT_MS;
        for (webhook, next_ms) in next {
            if self.busy.contains(&webhook) {
                continue;
            }
            if next_ms > now_ms {
                wait_ms = wait_ms.min(next_ms - now_ms);
                continue;
            }
            self.busy.insert(webhook.clone());
            self.start(webhook);
        }
        Duration::from_millis(u64::try_from(wait_ms).unwrap_or_default())
    }

    fn start(&self, webhook: String) {
        let (engine, ended) = (self.engine.clone(), self.ended.clone());
        let span = info_span!("webhook", webhook.id = webhook);
        self.engine.0.tasks.spawn(span, move |stop| async move {
            if let Err(error) = engine.deliver_due(&webhook, &stop).await {
                tracing::warn!(error = told(&error), "cannot go on with the messages of a webhook");
                // What was claimed is due again by itself; what was not must not be asked for at once.
                tokio::select! { () = sleep(PAUSE) => {}, () = stop.cancelled() => {} }
            }
            let _ = ended.send(webhook);
        });
    }

    async fn sweep(&mut self) {
        self.sweep_at = Instant::now() + SWEEP;
        let keep_from_ms = self.engine.0.clock.now_ms() - KEPT_MS;
        let swept: Result<usize, StoreError> =
            self.engine.0.store.write(move |c| deliveries_prune(c, keep_from_ms, MOST)).await;
        match swept {
            Ok(0) => {}
            Ok(given_up) => tracing::warn!(given_up, "messages of webhooks were given up: too many waited"),
            Err(error) => tracing::warn!(error = told(&error), "cannot remove old messages of webhooks"),
        }
    }
}
