//! A person lets a host that has enrolled itself take jobs.

use shuntyard_domain::runner::{Runner, RunnerState};

use crate::dispatch::engine_error::bad;
use crate::dispatch::{DispatchError, Dispatcher};

impl Dispatcher {
    /// Lets a pending runner take jobs. `by` is who asked.
    ///
    /// # Errors
    /// `NoRunner` for an unknown name, `BadRequest` for one that is not pending, `UnderWay` while it is installed or removed.
    pub async fn approve_runner(&self, hostname: &str, by: &str) -> Result<(), DispatchError> {
        let _claim = self.0.claims.claim(hostname)?;
        let known = self.known_by_name(hostname)?;
        if known.runner.state != RunnerState::Pending {
            let message = format!("the runner is {}: there is nothing to approve", known.runner.state);
            return Err(bad("state", message, &["pending"]));
        }
        let change = |runner: &mut Runner| {
            if runner.state == RunnerState::Pending {
                runner.state = RunnerState::Enrolled;
            }
        };
        self.change_record(known.runner.id, change).await?;
        tracing::info!(runner.name = hostname, by, "approved");
        // Its keeper has left it alone so far.
        let known = self.known_by_name(hostname)?;
        self.keep((*known.runner).clone(), known.key);
        Ok(())
    }
}
