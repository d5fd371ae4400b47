//! How many machines a pool is to have, and which of them are to go.
//!
//! A machine that runs a job is never stopped: past its lifetime it takes no more and goes when it has none. One without a
//! job goes when its idle limit has passed, nobody waits, and neither `min` nor `warm` needs it; so what is stopped is
//! not started again for the same reason. After failures the next start waits, longer each time.

use super::PoolSpec;
use super::instance::{Instance, InstanceState, LeaveReason};

/// The pause after the first failed start, doubled by each one after it.
const PAUSE_FIRST_MS: i64 = 5_000;
const PAUSE_MAX_MS: i64 = 600_000;

/// Whether jobs reach an enrolled machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    Ready,
    /// For the first time.
    Connecting,
    /// There is no connection since then, or its Test failed.
    Away {
        since_ms: i64,
    },
}

/// One machine as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub instance: Instance,
    /// Of an enrolled one; `None`: its runner is not in the inventory.
    pub live: Option<Live>,
}

/// The runner of a machine as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub contact: Contact,
    /// Jobs that it has.
    pub jobs: u32,
    /// Since when it has none; meaningless while it has some.
    pub idle_since_ms: i64,
    /// It takes one job and was given it.
    pub spent: bool,
    /// People took it out of service: it is theirs to decide.
    pub held: bool,
}

/// A pool as it is now.
#[derive(Clone, Debug)]
pub struct View<'a> {
    pub spec: &'a PoolSpec,
    pub deleting: bool,
    /// Live machines, oldest first.
    pub machines: &'a [Seen],
    /// Waiting jobs that this pool has to start machines for.
    pub demand: u32,
    /// Machines that failed since the last one that enrolled, and when the last of them did.
    pub failures: u32,
    pub last_failed_at_ms: i64,
    pub now_ms: i64,
}

/// What is to be done now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Machines to start.
    pub start: u32,
    /// Machines to leave, by their place in the view.
    pub leave: Vec<(usize, LeaveReason)>,
    /// When to look again if nothing happens before; Unix milliseconds.
    pub look_again_at_ms: Option<i64>,
}

/// When the next machine may be started, Unix milliseconds; in the past when nothing has failed.
#[must_use]
pub fn next_start_at_ms(failures: u32, last_failed_at_ms: i64) -> i64 {
    if failures == 0 {
        return i64::MIN;
    }
    let pause_ms = PAUSE_FIRST_MS.saturating_mul(1_i64 << (failures - 1).min(10)).min(PAUSE_MAX_MS);
    last_failed_at_ms.saturating_add(pause_ms)
}

/// Jobs that the pool can serve beside what it runs: those whose machines are on the way, and those that it may start.
#[must_use]
pub fn room(spec: &PoolSpec, machines: &[Seen]) -> u32 {
    if !spec.enabled {
        return 0;
    }
    let coming = machines.iter().filter(|seen| seen.is_coming() || seen.is_idle()).count();
    let startable = spec.max.saturating_sub(number(machines.len()));
    (number(coming).saturating_add(startable)).saturating_mul(spec.slots_at_a_time())
}

/// Says what is to be done for the pool.
#[must_use]
pub fn plan(view: &View<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut stays = vec![true; view.machines.len()];
    for (at, seen) in view.machines.iter().enumerate() {
        if let Some(reason) = seen.must_go(view, &mut plan) {
            plan.leave.push((at, reason));
            stays[at] = false;
        }
    }
    if view.deleting || !view.spec.enabled {
        return plan;
    }
    leave_what_is_not_needed(view, &mut stays, &mut plan);
    let wanted = wanted(view, &stays);
    let may_start_at_ms = next_start_at_ms(view.failures, view.last_failed_at_ms);
    if wanted > 0 && view.now_ms < may_start_at_ms {
        plan.look_again_at(may_start_at_ms);
    } else {
        plan.start = wanted;
    }
    plan
}

/// Machines that are missing, within what `max` leaves.
fn wanted(view: &View<'_>, stays: &[bool]) -> u32 {
    let spec = view.spec;
    let staying = || view.machines.iter().zip(stays).filter(|(_, stays)| **stays).map(|(seen, _)| seen);
    let there = number(staying().filter(|seen| seen.is_there()).count());
    let unused = number(staying().filter(|seen| seen.is_coming() || seen.is_idle()).count());
    let needed = view.demand.div_ceil(spec.slots_at_a_time().max(1)).saturating_add(spec.warm);
    let missing = needed.saturating_sub(unused).max(spec.min.saturating_sub(there));
    // Those that are being stopped are still somebody's cost: they count.
    missing.min(spec.max.saturating_sub(number(view.machines.len())))
}

/// Leaves machines that were idle for long enough, longest idle first, and those above `max`.
fn leave_what_is_not_needed(view: &View<'_>, stays: &mut [bool], plan: &mut Plan) {
    let spec = view.spec;
    let count = |stays: &[bool], of: fn(&Seen) -> bool| {
        number(view.machines.iter().zip(stays).filter(|(seen, stays)| **stays && of(seen)).count())
    };
    let mut idle: Vec<(i64, usize)> = view
        .machines
        .iter()
        .enumerate()
        .filter_map(|(at, seen)| {
            let live = seen.live.as_ref().filter(|_| seen.is_idle() && stays[at])?;
            Some((live.idle_since_ms, at))
        })
        .collect();
    idle.sort_unstable();
    for (idle_since_ms, at) in idle {
        let there = count(stays, Seen::is_there);
        let unused = count(stays, |seen| seen.is_idle() || seen.is_coming());
        let ends_at_ms = idle_since_ms.saturating_add(i64::from(spec.idle_limit_s) * 1000);
        let reason = if there > spec.max {
            LeaveReason::AboveMax
        } else if view.demand == 0 && there > spec.min && unused > spec.warm {
            if view.now_ms < ends_at_ms {
                plan.look_again_at(ends_at_ms);
                continue;
            }
            LeaveReason::Idle
        } else {
            continue;
        };
        plan.leave.push((at, reason));
        stays[at] = false;
    }
}

impl Plan {
    fn look_again_at(&mut self, at_ms: i64) {
        self.look_again_at_ms = Some(self.look_again_at_ms.map_or(at_ms, |before| before.min(at_ms)));
    }
}

impl Seen {
    /// It is, or will be, of use: not on its way out.
    fn is_there(&self) -> bool {
        match self.instance.state {
            InstanceState::Starting => true,
            InstanceState::Enrolled => self
                .live
                .as_ref()
                .is_some_and(|live| !live.spent && !live.held && !matches!(live.contact, Contact::Away { .. })),
            InstanceState::Draining | InstanceState::Stopping | InstanceState::Stopped | InstanceState::Failed => false,
        }
    }

    /// It will take jobs soon.
    fn is_coming(&self) -> bool {
        match (self.instance.state, &self.live) {
            (InstanceState::Starting, _) => true,
            (InstanceState::Enrolled, Some(live)) => {
                !live.spent && !live.held && live.jobs == 0 && live.contact == Contact::Connecting
            }
            _ => false,
        }
    }

    /// It could take a job now and has none.
    fn is_idle(&self) -> bool {
        let ready = |live: &Live| !live.spent && !live.held && live.jobs == 0 && live.contact == Contact::Ready;
        self.instance.state == InstanceState::Enrolled && self.live.as_ref().is_some_and(ready)
    }

    /// Why it must go whatever the demand is; else notes when it may have to.
    fn must_go(&self, view: &View<'_>, plan: &mut Plan) -> Option<LeaveReason> {
        if !matches!(self.instance.state, InstanceState::Starting | InstanceState::Enrolled) {
            return None;
        }
        if view.deleting {
            return Some(LeaveReason::Deleted);
        }
        if !view.spec.enabled {
            return Some(LeaveReason::Disabled);
        }
        let mut over = |since_ms: i64, limit_s: u32| {
            let ends_at_ms = since_ms.saturating_add(i64::from(limit_s) * 1000);
            let is_over = view.now_ms >= ends_at_ms;
            if !is_over {
                plan.look_again_at(ends_at_ms);
            }
            is_over
        };
        if self.instance.state == InstanceState::Starting {
            let late = over(self.instance.created_at_ms, view.spec.start_limit_s);
            return late.then_some(LeaveReason::StartLimit);
        }
        let Some(live) = &self.live else { return Some(LeaveReason::RunnerGone) };
        if live.spent && live.jobs == 0 {
            return Some(LeaveReason::OneOff);
        }
        if view.spec.lifetime_s.is_some_and(|limit_s| over(self.instance.created_at_ms, limit_s)) {
            return Some(LeaveReason::Lifetime);
        }
        match live.contact {
            // A quiet host with a job may be well: only its own word ends the job.
            Contact::Away { since_ms } if live.jobs == 0 && !live.held => {
                over(since_ms, view.spec.start_limit_s).then_some(LeaveReason::Unreachable)
            }
            Contact::Away { .. } | Contact::Connecting | Contact::Ready => None,
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
