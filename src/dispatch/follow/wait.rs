//! Waiting between two tries to attach.

use std::time::Duration;

use shuntyard_domain::ids::RunnerId;
use tokio::time::{Instant, sleep_until};

use super::Following;

impl Following<'_> {
    /// Waits before the next try, or until something about the runner changes; true when the daemon stops instead.
    ///
    /// Behind a keeper's failed tries the job does not try: it waits for the one that succeeds.
    pub(in crate::dispatch) async fn wait_or_stop(&mut self, runner: RunnerId, delay: Duration) -> bool {
        let until = Instant::now() + delay;
        let mut away = std::mem::take(&mut self.away);
        while let Ok(known) = self.engine.known(runner) {
            let mut changed = std::pin::pin!(known.changed.notified());
            changed.as_mut().enable();
            // Looked at behind the registration: a connection that was made in between wakes nobody.
            let still_away = self.engine.known(runner).is_ok_and(|known| known.not_to_be_dialled().is_some());
            if away && !still_away {
                return false;
            }
            tokio::select! {
                () = self.stop.cancelled() => return true,
                () = sleep_until(until) => return false,
                () = changed => {}
            }
            away = true;
        }
        tokio::select! {
            () = self.stop.cancelled() => true,
            () = sleep_until(until) => false,
        }
    }
}
