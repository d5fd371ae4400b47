//! A dispatcher's keeper of one host: its connection, and the spools that may go.

use shuntyard_domain::board::{Availability, BoardEvent, BoardRunner};
use shuntyard_domain::filter::Attributes;
use shuntyard_domain::recovery::spool_may_go;
use shuntyard_domain::runner::Scope;

use super::dispatcher::runner_id;
use super::link::{Ask, Said};
use super::world::World;

impl World {
    /// The keeper looks at its connection, and sweeps spools behind a new one.
    pub fn keeper_step(&mut self, home: usize, host: usize) {
        let known = &self.hosts[host];
        let now = (known.reachable && known.installed && !known.paused).then_some(known.connection);
        let Some(dispatcher) = &mut self.dispatchers[home] else { return };
        if let Some(channel) = dispatcher.sweeps[host] {
            return self.sweep_step(home, host, channel, now);
        }
        if dispatcher.contact[host] == now {
            return;
        }
        dispatcher.contact[host] = now;
        dispatcher.boots[host] = now.map(|_| known.boot);
        let availability = if now.is_some() { Availability::Ready } else { Availability::Unreachable };
        dispatcher.inbox.push_back(BoardEvent::RunnerChanged(BoardRunner {
            id: runner_id(host),
            attributes: Attributes::default(),
            scope: Scope::Enterprise,
            slots: self.slots,
            availability,
        }));
        let sweep = now.and_then(|connection| self.open(home, host, connection, Ask::Status));
        self.sweeping(home, host, sweep);
    }

    fn sweep_step(&mut self, home: usize, host: usize, channel: usize, now: Option<u32>) {
        match self.channels[channel].said.pop_front() {
            Some(Said::List(attempts)) => {
                let stale = attempts.into_iter().filter(|attempt| spool_may_go(self.store.jobs.get(&attempt.job)));
                for attempt in stale.collect::<Vec<_>>() {
                    now.and_then(|connection| self.open(home, host, connection, Ask::Remove(attempt)));
                }
            }
            Some(_) => {}
            None if self.channels[channel].is_over() => {}
            None => return,
        }
        self.sweeping(home, host, None);
    }

    fn sweeping(&mut self, home: usize, host: usize, channel: Option<usize>) {
        if let Some(dispatcher) = &mut self.dispatchers[home] {
            dispatcher.sweeps[host] = channel;
        }
    }
}
