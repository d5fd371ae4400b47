//! What the daemon tells systemd over `NOTIFY_SOCKET`: ready, stopping, alive.
//!
//! Without the socket (started by hand, another supervisor) nothing is told and nothing fails.

use std::net::SocketAddr;
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::debug_span;

use crate::dispatch::Dispatcher;
use crate::shutdown::Tasks;

/// Tells that the API accepts requests, and from then on, when the unit has `WatchdogSec=`, that the daemon lives:
/// three times in each period, each time asked of the event loop and of the store's writer.
pub fn ready(tasks: &Tasks, dispatcher: &Dispatcher, address: &SocketAddr) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("listens on {address}"))]);
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let dispatcher = dispatcher.clone();
    tasks.spawn(debug_span!("watchdog"), move |stop| async move {
        while tokio::time::timeout(period / 3, stop.cancelled()).await.is_err() {
            beat(&dispatcher, period / 3).await;
        }
    });
}

/// Says nothing when a part does not answer: after its period systemd ends the daemon and starts it again.
async fn beat(dispatcher: &Dispatcher, patience: Duration) {
    if dispatcher.lives(patience).await {
        tell(&[NotifyState::Watchdog]);
    } else {
        tracing::error!("the event loop or the store's writer does not answer; the watchdog is told nothing");
    }
}

/// Tells that the daemon is letting go of its jobs.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("lets go of its jobs, which go on")]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd was not told");
    }
}
