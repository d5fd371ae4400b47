//! What a loop that follows something is woken by: news, Ctrl-C, or the clock.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Interval, MissedTickBehavior};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How long the Ctrl-C that leaves waits for answers: two quick ones must not outrun the cancel that the first asked for.
pub const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// One wake-up.
pub enum Turn<N> {
    News(N),
    /// Ctrl-C, or what counts as it.
    Interrupt,
    Tick,
}

/// The wake-ups of one loop.
pub struct Turns {
    interrupts: UnboundedReceiver<()>,
    ticks: Interval,
}

impl Turns {
    #[must_use]
    pub fn new(interrupts: UnboundedReceiver<()>) -> Self {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { interrupts, ticks }
    }

    /// Waits for the next one; `underway` is everything that takes time.
    pub async fn next<N>(&mut self, underway: &mut FuturesUnordered<LocalBoxFuture<'_, N>>) -> Turn<N> {
        tokio::select! {
            Some(news) = underway.next() => Turn::News(news),
            Some(()) = self.interrupts.recv() => Turn::Interrupt,
            _ = self.ticks.tick() => Turn::Tick,
        }
    }

    /// Gives `work` a moment before the loop is left; one more Ctrl-C leaves at once.
    pub async fn before_leaving(&mut self, work: impl Future) {
        tokio::select! {
            _ = tokio::time::timeout(LEAVE_WITHIN, work) => {}
            _ = self.interrupts.recv() => {}
        }
    }
}
