//! Asking the host to stop the job: on its own channel, then on another one.

use std::time::Duration;

use shuntyard_domain::wire::frame::Word;
use tokio::time::Instant;

use super::{Followed, Following};
use crate::ssh::attempt::{self, Attempt};

/// How long beyond the job's own grace a host may take to confirm a cancel on the job's channel.
const CONFIRM_MARGIN: Duration = Duration::from_secs(5);

impl Following<'_> {
    pub(super) async fn send_cancel(&mut self, stream: &mut Attempt) -> Option<Followed> {
        self.cancel_sent = true;
        let grace_s = self.job.spec.stop_grace_s;
        self.kill_at = Some(Instant::now() + Duration::from_secs(u64::from(grace_s)) + CONFIRM_MARGIN);
        match stream.input.send(Word::Cancel { grace_s: Some(grace_s) }).await {
            Ok(()) => None,
            Err(error) => Some(Followed::LinkLost(error.to_string())),
        }
    }

    /// Cancels from another channel: the job's own did not answer in time.
    pub(super) async fn kill(&mut self) -> Option<Followed> {
        self.kill_at = Some(Instant::now() + CONFIRM_MARGIN);
        let known = self.engine.known(self.job.state.runner()?).ok()?;
        let mut lease = self.engine.lease_service(&known).await.ok()?;
        let wrapper = &known.runner.installation.wrapper_path;
        let killed = tokio::select! {
            () = self.stop.cancelled() => return Some(Followed::Detached),
            killed = attempt::kill(&mut lease, wrapper, self.job.attempt_id(), 0) => killed,
        };
        if let Err(error) = killed {
            tracing::warn!(%error, "the kill was not confirmed; trying again");
        }
        Some(Followed::LinkLost("asking for the result after a kill".into()))
    }
}
