//! How many machines pools have: promises over random histories of a small world.

use proptest::prelude::*;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::pool::PoolSpec;
use shuntyard_domain::pool::instance::{Instance, InstanceEvent, InstanceState, LeaveReason};
use shuntyard_domain::pool::scale::{Contact, Live, Plan, Seen, View, plan};
use uuid::Uuid;

const RUNNER: RunnerId = RunnerId(Uuid::from_u128(1));

fn spec(keys: &str) -> PoolSpec {
    let keys = format!(r#"{{"url":"https://a","enrol_url":"https://b"{keys}}}"#);
    serde_json::from_str(&keys).expect("a pool")
}

/// A pool, its machines, and jobs that wait for one: time passes in steps.
struct World {
    spec: PoolSpec,
    now_ms: i64,
    machines: Vec<Seen>,
    waiting: u32,
    failures: u32,
    failed_at_ms: i64,
    started: u32,
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    JobsArrive(u32),
    JobEnds(usize),
    Boots(usize),
    ConnectionLost(usize),
    ConnectionBack(usize),
    Drained(usize),
    Stopped(usize),
    RunnerDeleted(usize),
    Held(usize),
    TimePasses(u32),
}

impl World {
    fn new(spec: PoolSpec) -> Self {
        Self { spec, now_ms: 0, machines: Vec::new(), waiting: 0, failures: 0, failed_at_ms: 0, started: 0 }
    }

    fn live(&mut self, at: usize) -> Option<&mut Live> {
        let len = self.machines.len();
        self.machines.get_mut(at % len.max(1)).and_then(|seen| seen.live.as_mut())
    }

    fn event(&mut self, at: usize, event: &InstanceEvent) -> bool {
        let (len, now_ms) = (self.machines.len(), self.now_ms);
        let Some(seen) = self.machines.get_mut(at % len.max(1)) else { return false };
        match seen.instance.after(event, now_ms) {
            Ok(after) => seen.instance = after,
            Err(_) => return false,
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        let now_ms = self.now_ms;
        match happening {
            Happening::JobsArrive(jobs) => self.waiting += jobs,
            Happening::JobEnds(at) => {
                if let Some(live) = self.live(at).filter(|live| live.jobs > 0) {
                    live.jobs -= 1;
                    live.idle_since_ms = now_ms;
                }
            }
            Happening::Boots(at) => {
                if self.event(at, &InstanceEvent::Enrolled { runner: RUNNER }) {
                    let len = self.machines.len();
                    self.failures = 0;
                    let contact = Contact::Ready;
                    self.machines[at % len].live =
                        Some(Live { contact, jobs: 0, idle_since_ms: now_ms, spent: false, held: false });
                }
            }
            Happening::ConnectionLost(at) => {
                self.live(at).into_iter().for_each(|live| live.contact = Contact::Away { since_ms: now_ms });
            }
            Happening::ConnectionBack(at) => self.live(at).into_iter().for_each(|live| live.contact = Contact::Ready),
            Happening::Drained(at) => {
                if self.live(at).is_none_or(|live| live.jobs == 0) {
                    self.event(at, &InstanceEvent::Emptied);
                }
            }
            Happening::Stopped(at) => {
                self.event(at, &InstanceEvent::Gone);
            }
            Happening::RunnerDeleted(at) => {
                let len = self.machines.len();
                if let Some(seen) = self
                    .machines
                    .get_mut(at % len.max(1))
                    .filter(|seen| seen.live.as_ref().is_some_and(|live| live.jobs == 0))
                {
                    seen.live = None;
                }
            }
            Happening::Held(at) => self.live(at).into_iter().for_each(|live| live.held = !live.held),
            Happening::TimePasses(ms) => self.now_ms += i64::from(ms),
        }
        self.place();
        self.machines.retain(|seen| seen.instance.is_live());
    }

    /// As the board does it: nobody waits while somebody is free.
    fn place(&mut self) {
        let (slots, one_off, now_ms) = (self.spec.slots_at_a_time(), self.spec.one_off, self.now_ms);
        for seen in self.machines.iter_mut().filter(|seen| seen.instance.state == InstanceState::Enrolled) {
            let Some(live) = seen.live.as_mut() else { continue };
            while self.waiting > 0 && live.contact == Contact::Ready && !live.held && !live.spent && live.jobs < slots {
                self.waiting -= 1;
                live.jobs += 1;
                live.idle_since_ms = now_ms;
                live.spent = one_off;
            }
        }
    }

    fn plan(&self) -> Plan {
        plan(&View {
            spec: &self.spec,
            deleting: false,
            machines: &self.machines,
            demand: self.waiting,
            failures: self.failures,
            last_failed_at_ms: self.failed_at_ms,
            now_ms: self.now_ms,
        })
    }

    /// Plans, checks the plan, and carries it out.
    fn look(&mut self) -> Plan {
        let made = self.plan();
        let all = self.machines.len() as u32 + made.start;
        assert!(made.start == 0 || all <= self.spec.max, "{all} machines of {}", self.spec.max);
        for (at, reason) in &made.leave {
            let seen = self.machines[*at].clone();
            let jobs = seen.live.as_ref().map_or(0, |live| live.jobs);
            assert!(jobs == 0 || *reason == LeaveReason::Lifetime, "a machine with {jobs} jobs is left: {reason}");
            assert!(self.event(*at, &InstanceEvent::Left { reason: *reason }), "{reason} of {seen:?}");
            if *reason == LeaveReason::StartLimit {
                (self.failures, self.failed_at_ms) = (self.failures + 1, self.now_ms);
            }
        }
        assert!(made.look_again_at_ms.is_none_or(|at_ms| at_ms > self.now_ms), "{made:?} at {}", self.now_ms);
        for _ in 0..made.start {
            self.machines.push(Seen { instance: Instance::new(self.now_ms), live: None });
            self.started += 1;
        }
        // What was planned is done: the same look finds nothing more.
        let again = self.plan();
        assert_eq!((again.start, again.leave.len()), (0, 0), "{again:?} behind {made:?} for {:#?}", self.machines);
        made
    }
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let at = || 0_usize..8;
    let one = prop_oneof![
        3 => (1_u32..4).prop_map(Happening::JobsArrive),
        4 => at().prop_map(Happening::JobEnds),
        4 => at().prop_map(Happening::Boots),
        1 => at().prop_map(Happening::ConnectionLost),
        1 => at().prop_map(Happening::ConnectionBack),
        3 => at().prop_map(Happening::Drained),
        3 => at().prop_map(Happening::Stopped),
        1 => at().prop_map(Happening::RunnerDeleted),
        1 => at().prop_map(Happening::Held),
        4 => (1_u32..40_000).prop_map(Happening::TimePasses),
    ];
    prop::collection::vec(one, 1..60)
}

fn specs() -> impl Strategy<Value = PoolSpec> {
    let numbers = (1_u32..6, 0_u32..6, 0_u32..6, 1_u32..3, any::<bool>(), prop::option::of(20_u32..100));
    numbers.prop_map(|(max, min, warm, slots, one_off, lifetime_s)| PoolSpec {
        min: min.min(max),
        max,
        warm: warm.min(max),
        slots,
        one_off,
        lifetime_s,
        idle_limit_s: 10,
        start_limit_s: 30,
        ..spec("")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Never above `max`, never a busy one stopped, never the same twice: `look` checks each plan.
    #[test]
    fn every_plan_of_every_history_keeps_the_limits(spec in specs(), history in happenings()) {
        let mut world = World::new(spec);
        world.look();
        for happening in history {
            world.happen(happening);
            world.look();
        }
    }

    /// When nothing happens but that machines boot, end their jobs and stop, every job runs, and then there are as many
    /// machines as `min` and `warm` want, and no more are ever started.
    #[test]
    fn a_calm_world_comes_to_rest(spec in specs(), history in happenings()) {
        let mut world = World::new(PoolSpec { lifetime_s: None, ..spec });
        world.look();
        for happening in history {
            world.happen(happening);
            world.look();
        }
        let calm = |world: &mut World| {
            for at in 0..world.machines.len() {
                for happening in [
                    Happening::Boots(at), Happening::ConnectionBack(at), Happening::JobEnds(at), Happening::JobEnds(at),
                    Happening::Drained(at), Happening::Stopped(at),
                ] {
                    world.live(at).into_iter().for_each(|live| live.held = false);
                    let before = world.machines.len();
                    world.happen(happening);
                    if world.machines.len() < before {
                        break;
                    }
                }
                if at >= world.machines.len() {
                    break;
                }
            }
            world.happen(Happening::TimePasses(11_000));
            world.look();
        };
        (0..400).for_each(|_| calm(&mut world));
        prop_assert_eq!(world.waiting, 0, "jobs wait");
        let wanted = world.spec.min.max(world.spec.warm);
        prop_assert_eq!(world.machines.len() as u32, wanted, "{:#?}", world.machines);
        let started = world.started;
        (0..20).for_each(|_| calm(&mut world));
        prop_assert_eq!(world.started, started, "machines go and come for nothing");
    }
}

#[test]
fn failures_make_the_next_start_wait_longer_each_time() {
    let mut world = World::new(spec(r#","start_limit_s":30"#));
    world.waiting = 1;
    let mut pauses = Vec::new();
    let mut failed_at_ms = None;
    for _ in 0..2_000 {
        let made = world.look();
        if let Some(at_ms) = failed_at_ms.take_if(|_| made.start > 0) {
            pauses.push((world.now_ms - at_ms) / 1000);
        }
        if made.leave.iter().any(|(_, reason)| *reason == LeaveReason::StartLimit) {
            failed_at_ms = Some(world.now_ms);
            world.happen(Happening::Stopped(0));
        }
        world.happen(Happening::TimePasses(1_000));
    }
    assert_eq!(pauses[..6], [5, 10, 20, 40, 80, 160]);
}

#[test]
fn a_machine_changes_as_the_table_says() {
    use InstanceState as S;
    let events = [
        InstanceEvent::Accepted { provider_id: Some("i-1".into()) },
        InstanceEvent::Enrolled { runner: RUNNER },
        InstanceEvent::Left { reason: LeaveReason::Idle },
        InstanceEvent::Emptied,
        InstanceEvent::Gone,
    ];
    let table = [
        (S::Starting, [Some(S::Starting), Some(S::Enrolled), Some(S::Stopping), None, None]),
        (S::Enrolled, [Some(S::Enrolled), None, Some(S::Draining), None, None]),
        (S::Draining, [Some(S::Draining), None, None, Some(S::Stopping), None]),
        (S::Stopping, [Some(S::Stopping), None, None, None, Some(S::Stopped)]),
        (S::Stopped, [None; 5]),
        (S::Failed, [None; 5]),
    ];
    assert_eq!(table.len(), S::ALL.len());
    for (state, row) in table {
        let machine = Instance { state, enrolled_at_ms: Some(1), ..Instance::new(0) };
        for (event, expected) in events.iter().zip(row) {
            let after = machine.after(event, 2).ok();
            assert_eq!(after.as_ref().map(|after| after.state), expected, "{state} {}", event.name());
            let changed = after.filter(|after| after.state != state);
            assert!(changed.is_none_or(|after| after.state_at_ms == 2));
        }
    }
    let never = Instance { state: S::Stopping, ..Instance::new(0) };
    assert_eq!(never.after(&InstanceEvent::Gone, 2).unwrap().state, S::Failed);
}

#[test]
fn jobs_that_ask_for_what_is_not_known_start_no_machine() {
    use shuntyard_domain::filter::Filter;
    let template = spec(r#","labels":["cloud"],"facts":{"platform":"ubuntu","git":true}"#).template();
    let filter = |text: &str| serde_json::from_str::<Filter>(text).unwrap();
    for (wanted, fits) in [
        ("{}", true),
        (r#"{"platform":["debian","ubuntu"]}"#, true),
        (r#"{"platform_version":["24.04"]}"#, false),
        (r#"{"hostname":["cloud-1"]}"#, false),
        (r#"{"labels":["cloud"]}"#, true),
        (r#"{"labels":["cloud","gpu"]}"#, false),
        (r#"{"capabilities":["tool=git"]}"#, true),
    ] {
        assert_eq!(filter(wanted).matches(&template.attributes), fits, "{wanted}");
    }
}
