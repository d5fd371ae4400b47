//! What befalls the world.

use super::host::{Claim, Process};
use super::link::Ask;
use super::world::World;

/// Bits in `World::kinds`.
pub const FAULT_KINDS: usize = 30;
/// Clients cancel jobs.
pub const CANCEL: usize = 1 << 29;
/// A second dispatcher starts, one of them is stopped for a while, and connections are cut.
pub const WITH_TWO_DISPATCHERS: usize = 1 << 24 | 1 << 26 | 1 << 4 | 1 << 25 | 1 << 10 | 1 << 11;

impl World {
    pub fn fault(&mut self) {
        let host = self.random.below(self.hosts.len());
        let kind = self.random.below(FAULT_KINDS);
        if self.kinds & (1 << kind) == 0 {
            return;
        }
        match kind {
            0..=2 => self.crash(false),
            3 => self.crash(true),
            4 | 25 => self.somebody_pauses(),
            5 | 6 => self.hosts[host].reachable = false,
            7..=9 => self.hosts[host].reachable = true,
            10 | 11 => self.cut(host),
            12 => self.hosts[host].paused = true,
            13 | 14 => self.hosts[host].paused = false,
            15 => self.reboot(host, false),
            16 => self.reboot(host, true),
            17 => self.base_removed(host),
            18 => self.reimage(host),
            19 => self.bootstrap(host),
            20 => self.hosts[host].disk_full = !self.hosts[host].disk_full,
            21 => self.store.disk_full = !self.store.disk_full,
            22 => self.kill_waiter(host),
            23 => self.kill_launcher(host),
            24 | 26 => self.duplicate(),
            27 | 28 => self.repeat(),
            _ => {}
        }
    }

    /// A dispatcher's process is stopped, or goes on: meanwhile another one may have taken its place.
    fn somebody_pauses(&mut self) {
        if let Some(home) = self.random.pick(&self.living()) {
            self.pause_dispatcher(home);
        }
    }

    pub fn pause_dispatcher(&mut self, home: usize) {
        if let Some(dispatcher) = &mut self.dispatchers[home] {
            dispatcher.paused = !dispatcher.paused;
            let paused = dispatcher.paused;
            self.note(|| format!("dispatcher {home} {}", if paused { "is stopped" } else { "goes on" }));
        }
    }

    /// A second dispatcher starts over the same store, while the first one lives or is thought to be dead.
    fn duplicate(&mut self) {
        if self.duplicates
            && let Some(home) = self.dispatchers.iter().position(Option::is_none)
        {
            self.mingled = true;
            self.reach("two dispatchers");
            self.start_dispatcher(home);
        }
    }

    fn living(&self) -> Vec<usize> {
        (0..self.dispatchers.len()).filter(|home| self.dispatchers[*home].is_some()).collect()
    }

    /// A dispatcher's process dies. When it was the last one, one starts, there or on the other machine.
    fn crash(&mut self, power: bool) {
        let living = self.living();
        let Some(home) = self.random.pick(&living) else { return };
        self.end_dispatcher(home, power);
        if living.len() == 1 {
            let elsewhere = self.duplicates && self.random.one_in(4);
            self.mingled = false;
            self.start_dispatcher(if elsewhere { 1 - home } else { home });
        }
    }

    fn end_dispatcher(&mut self, home: usize, power: bool) {
        self.note(|| format!("dispatcher {home} {}", if power { "loses power" } else { "is killed" }));
        self.dispatchers[home] = None;
        self.forget_unstored(home);
        for at in (0..self.channels.len()).filter(|at| self.channels[*at].home == home).collect::<Vec<_>>() {
            self.end_channel(at);
        }
        if power {
            let random = &mut self.random;
            self.store.power_cut(home, |bytes| random.below(bytes + 1));
        }
    }

    /// Both ends see it when they see it; what the host's side has received already is still read there.
    fn end_channel(&mut self, at: usize) {
        let received = self.random.below(3) > 0;
        let channel = &mut self.channels[at];
        (channel.open, channel.served) = (false, false);
        let unread = std::mem::take(&mut channel.to_host);
        let host = channel.host;
        if received {
            self.late.extend(unread.into_iter().map(|ask| (host, ask)));
        }
        if self.random.one_in(2) {
            self.channels[at].said.clear();
            self.channels[at].output.clear();
        }
    }

    /// Every connection to the host is lost.
    pub fn cut(&mut self, host: usize) {
        self.note(|| format!("the connections to host {host} are cut"));
        self.hosts[host].connection += 1;
        for at in (0..self.channels.len()).filter(|at| self.channels[*at].host == host).collect::<Vec<_>>() {
            self.end_channel(at);
        }
    }

    /// Nothing that was under way arrives at a host that has booted.
    pub fn go_down(&mut self, host: usize) {
        self.cut(host);
        self.late.retain(|(its, _)| *its != host);
        self.hosts[host].reboot();
    }

    fn reboot(&mut self, host: usize, power: bool) {
        self.note(|| format!("host {host} {}", if power { "loses power" } else { "boots" }));
        self.go_down(host);
        if !power {
            return;
        }
        let attempts: Vec<_> = self.hosts[host].spools.keys().copied().collect();
        for attempt in attempts {
            self.truth.seen(attempt).damaged = true;
            if self.random.one_in(4) {
                // Nothing of it was on the disk yet, not even the claim.
                self.hosts[host].spools.remove(&attempt);
                continue;
            }
            let (result, text, dir) = (self.random.one_in(3), self.random.one_in(3), self.random.one_in(3));
            let Some(spool) = self.hosts[host].spools.get_mut(&attempt) else { continue };
            spool.log.truncate(self.random.below(spool.log.len() + 1));
            if result {
                spool.result = None;
            }
            if text && spool.dir && matches!(spool.claim, Some(Claim::Owner { .. })) {
                spool.claim = Some(Claim::Empty);
            }
            if dir && spool.claim != Some(Claim::Empty) {
                self.hosts[host].remove(attempt);
            }
        }
    }

    fn kill_waiter(&mut self, host: usize) {
        let waited = self.hosts[host].spools.iter().filter(|(_, spool)| spool.waiter_alive).map(|(id, _)| *id);
        let waited: Vec<_> = waited.collect();
        if let Some(attempt) = self.random.pick(&waited) {
            self.note(|| format!("the waiting process of attempt {} is killed", attempt.attempt));
            self.truth.seen(attempt).waiter_killed = true;
            if let Some(spool) = self.hosts[host].spools.get_mut(&attempt) {
                spool.waiter_alive = false;
            }
        }
    }

    fn kill_launcher(&mut self, host: usize) {
        let is_launcher = |p: &Process| matches!(p, Process::Launcher { .. });
        let Some(at) = self.hosts[host].processes.iter().position(is_launcher) else { return };
        if let Process::Launcher { attempt, channel, .. } = self.hosts[host].processes.remove(at) {
            self.note(|| format!("the launcher of attempt {} is killed", attempt.attempt));
            self.truth.seen(attempt).launcher_killed = true;
            self.channels[channel].served = false;
        }
    }

    /// What can be said twice is said twice: a start only of an attempt that was started.
    fn repeat(&mut self) {
        let asks = self.channels.iter().flat_map(|c| c.to_host.iter().map(|ask| (c.host, *ask)));
        let asks: Vec<_> = asks.filter(|(_, ask)| !matches!(ask, Ask::Run(_))).collect();
        if let Some(ask) = self.random.pick(&asks) {
            self.late.push(ask);
        }
    }

    /// The end of all faults: paths heal, disks have room, hosts are bootstrapped.
    pub fn heal(&mut self) {
        self.note(|| "calm".into());
        self.calm = true;
        self.store.disk_full = false;
        self.one_dispatcher();
        for host in 0..self.hosts.len() {
            let known = &mut self.hosts[host];
            (known.reachable, known.paused, known.disk_full) = (true, false, false);
            if !known.installed {
                self.give_up(host);
            }
        }
    }

    /// There are no leases yet: what only one of two dispatchers knows is taken up by the next one that starts.
    fn one_dispatcher(&mut self) {
        if self.mingled {
            self.living().into_iter().for_each(|home| self.end_dispatcher(home, false));
            let home = self.random.below(self.dispatchers.len());
            self.start_dispatcher(home);
        }
        self.all_go_on();
    }

    pub fn all_go_on(&mut self) {
        self.dispatchers.iter_mut().flatten().for_each(|dispatcher| dispatcher.paused = false);
    }
}
