//! Whether everything has ended and is given back, when the world is calm.

use super::dispatcher::{Dispatcher, runner_id};
use super::host::Process;
use super::promise::{Broken, Promise};
use super::world::World;

impl World {
    pub fn is_done(&self) -> bool {
        let at_rest = |dispatcher: &Dispatcher| {
            dispatcher.tasks.is_empty()
                && dispatcher.inbox.is_empty()
                && dispatcher.signals.is_empty()
                && dispatcher.lanes.is_empty()
                // A cancel whose commit only seemed to fail leaves a place that is given up at the next placement.
                && dispatcher.board.waiting() == 0
        };
        let serves_nobody = |process: &Process| matches!(process, Process::Streamer { .. });
        self.store.jobs.values().all(|job| job.state.is_finished())
            && self.dispatchers.iter().flatten().all(at_rest)
            && self.late.is_empty()
            && self.channels.iter().all(|channel| channel.to_host.is_empty())
            && self.hosts.iter().all(|host| host.processes.iter().all(serves_nobody))
    }

    /// The last look, when nothing more may come.
    ///
    /// # Errors
    /// The promise that is not kept by then.
    pub fn last_look(&self) -> Result<(), Broken> {
        if let Some(id) = self.truth.acknowledged.iter().find(|id| !self.store.jobs.contains_key(id)) {
            return Promise::Acknowledged.broken(format!("job {} was acknowledged and is lost", id.0.as_u128()));
        }
        if let Some(job) = self.store.jobs.values().find(|job| !job.state.is_finished()) {
            return Promise::AllEnd.broken(format!("job {} is {} for ever", job.id.0.as_u128(), job.state.name()));
        }
        let holds = |dispatcher: &Dispatcher| {
            let runs = (0..self.hosts.len()).any(|host| !dispatcher.board.running_on(runner_id(host)).is_empty());
            runs || dispatcher.board.waiting() > 0
        };
        if self.dispatchers.iter().flatten().any(holds) {
            return Promise::AllEnd.broken("a slot or a place in the queue is held by nobody");
        }
        if !self.is_done() {
            let processes: Vec<&Process> = self.hosts.iter().flat_map(|host| &host.processes).collect();
            let tasks: Vec<_> =
                self.dispatchers.iter().flatten().flat_map(|d| d.tasks.values()).map(|t| &t.stage).collect();
            return Promise::AllEnd.broken(format!("the world does not come to rest: {tasks:?}, {processes:?}"));
        }
        Ok(())
    }
}
