//! A host's disk goes, and another one comes.

use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::{Job, JobEvent};

use super::defect::Defect;
use super::dispatcher::runner_id;
use super::link::Ask;
use super::world::World;

impl World {
    /// Somebody removes the base directory: the next `hello` makes another instance.
    pub fn base_removed(&mut self, host: usize) {
        self.note(|| format!("the base directory of host {host} is removed"));
        self.cut(host);
        let known = &mut self.hosts[host];
        known.processes.clear();
        let spools = std::mem::take(&mut known.spools);
        known.instance += 1;
        // Claims and fences have gone with the directory: docs/PROTOCOL.md says that nothing is promised then of a start
        // that arrives behind them.
        self.late.retain(|(its, ask)| *its != host || !matches!(ask, Ask::Run(id) if spools.contains_key(id)));
    }

    /// The host is installed anew: no wrapper and no key until somebody bootstraps it.
    pub fn reimage(&mut self, host: usize) {
        self.note(|| format!("host {host} is installed anew"));
        self.go_down(host);
        let known = &mut self.hosts[host];
        known.spools.clear();
        known.instance += 1;
        known.installed = false;
    }

    /// The bootstrap stores the instance that it finds. It is refused while jobs are placed on the runner: compared with
    /// the new record, the host would be the one in which they were started.
    pub fn bootstrap(&mut self, host: usize) {
        let placed = self.placed(host);
        if self.store.disk_full || (!placed.is_empty() && self.defect != Some(Defect::ForgetEarlierDisk)) {
            return;
        }
        self.note(|| format!("host {host} is bootstrapped"));
        self.hosts[host].installed = true;
        self.store.instances[host] = self.hosts[host].instance_id();
    }

    /// Somebody gives up what was placed on a host that was installed anew, and bootstraps it.
    pub fn give_up(&mut self, host: usize) {
        if self.defect != Some(Defect::ForgetEarlierDisk) {
            for job in self.placed(host) {
                let _ = self.commit(0, job, None, &[JobEvent::Abandoned { by: "somebody".into() }]);
            }
        }
        self.bootstrap(host);
    }

    fn placed(&self, host: usize) -> Vec<JobId> {
        let on_it = |job: &&Job| !job.state.is_finished() && job.state.runner() == Some(runner_id(host));
        self.store.jobs.values().filter(on_it).map(|job| job.id).collect()
    }
}
