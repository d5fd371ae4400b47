//! Random histories of events: the board against the naive reference.

mod board_naive;

use board_naive::Reference;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Placement, QueuedJob};
use shuntyard_domain::facts::Facts;
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

/// One step of a history; indices choose among what exists at that moment.
#[derive(Clone, Debug)]
enum Step {
    Queue {
        filter: Filter,
        account: Account,
        priority: i32,
    },
    /// A job that was seen before is queued (again), whether it waits, runs or has ended.
    QueueAgain {
        job: Index,
        filter: Filter,
        priority: i32,
    },
    /// The placement is given back: slot freed, job queued again.
    GiveBack {
        runner: u128,
        slot: Index,
    },
    Drop {
        job: Index,
    },
    Change(BoardRunner),
    Remove {
        runner: u128,
    },
    Free {
        runner: u128,
        slot: Index,
    },
    FreeUnknown {
        runner: u128,
        job: Index,
    },
    Take {
        runner: u128,
        job: Index,
    },
    Limit {
        org: &'static str,
        project: &'static str,
        running: Option<u32>,
    },
    Pause(bool),
}

const RUNNERS: std::ops::Range<u128> = 1..7;

fn filters() -> impl Strategy<Value = Filter> {
    let texts = [
        "{}",
        r#"{"platform":["ubuntu"]}"#,
        r#"{"platform":["centos","ubuntu"]}"#,
        r#"{"platform":["ubuntu","centos","ubuntu"]}"#,
        r#"{"platform":["centos"],"labels":["gpu"]}"#,
        r#"{"labels":["gpu","big"]}"#,
        r#"{"hostname":["r1","r2"]}"#,
        r#"{"platform":["plan9"]}"#,
    ];
    select(texts.to_vec()).prop_map(|text| serde_json::from_str(text).unwrap())
}

/// Mostly without limits; else of few projects and groups, so that they meet.
fn accounts() -> impl Strategy<Value = Account> {
    let group =
        (select(vec!["g", "h"]), 1..4_u32).prop_map(|(group, limit)| Concurrency { group: group.into(), limit });
    let concurrency = prop_oneof![3 => Just(None), 2 => group.prop_map(Some)];
    (select(vec!["a", "b"]), select(vec!["", "p", "q"]), concurrency).prop_map(|(org, project, concurrency)| Account {
        org: org.into(),
        project: project.into(),
        concurrency,
    })
}

fn runners() -> impl Strategy<Value = BoardRunner> {
    let labels = select(vec![vec![], vec!["gpu"], vec!["big"], vec!["big", "gpu"]]);
    let scope = select(vec![Scope::Enterprise, Scope::Enterprise, Scope::Org("a".into()), Scope::Org("b".into())]);
    let availability = prop_oneof![3 => Just(Availability::Ready), 1 => select(Availability::ALL.to_vec())];
    (RUNNERS, select(vec!["ubuntu", "centos"]), labels, scope, 0..4_u32, availability).prop_map(
        |(id, platform, labels, scope, slots, availability)| BoardRunner {
            id: RunnerId(Uuid::from_u128(id)),
            attributes: Attributes {
                hostname: format!("r{id}"),
                facts: Facts { platform: platform.into(), ..Facts::default() },
                labels: labels.into_iter().map(String::from).collect(),
                ..Attributes::default()
            },
            scope,
            slots,
            availability,
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let queue = (filters(), accounts(), -1..2_i32);
    let limit = (select(vec!["a", "b"]), select(vec!["p", "q"]), proptest::option::weighted(0.7, 0..4_u32));
    let index = any::<Index>;
    prop_oneof![
        8 => queue.prop_map(|(filter, account, priority)| Step::Queue { filter, account, priority }),
        1 => (index(), filters(), -1..2_i32).prop_map(|(job, filter, priority)| Step::QueueAgain { job, filter, priority }),
        1 => (RUNNERS, index()).prop_map(|(runner, slot)| Step::GiveBack { runner, slot }),
        1 => index().prop_map(|job| Step::Drop { job }),
        4 => runners().prop_map(Step::Change),
        1 => RUNNERS.prop_map(|runner| Step::Remove { runner }),
        6 => (RUNNERS, index()).prop_map(|(runner, slot)| Step::Free { runner, slot }),
        1 => (RUNNERS, index()).prop_map(|(runner, job)| Step::FreeUnknown { runner, job }),
        1 => (RUNNERS, index()).prop_map(|(runner, job)| Step::Take { runner, job }),
        1 => limit.prop_map(|(org, project, running)| Step::Limit { org, project, running }),
        1 => proptest::bool::weighted(0.3).prop_map(Step::Pause),
    ]
}

/// The boards under test, the reference, and every job that was ever seen.
struct History {
    board: Board,
    /// The same board, forgetting classes at once: it must decide the same.
    forgetful: Board,
    reference: Reference,
    jobs: Vec<QueuedJob>,
}

impl History {
    fn new(placement: Placement) -> Self {
        Self {
            board: Board::new(placement),
            forgetful: Board::new(placement).keeping_idle_classes(1),
            reference: Reference::new(placement),
            jobs: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        for event in self.events(step) {
            let effects = self.board.step(event.clone());
            assert_eq!(self.forgetful.step(event.clone()), effects, "a forgotten class changed a decision");
            self.reference.judge(&event, &effects);
            self.reference.agrees_with(&self.board);
            let distinct: std::collections::BTreeSet<_> =
                self.reference.waiting.values().map(|job| (job.filter.canonical(), &job.account.org)).collect();
            assert!(self.forgetful.classes() <= distinct.len() + 1, "classes without jobs were kept");
        }
    }

    fn events(&mut self, step: Step) -> Vec<BoardEvent> {
        let runner_id = |runner| RunnerId(Uuid::from_u128(runner));
        match step {
            Step::Queue { filter, account, priority } => {
                // Seven minutes apart, so that a point of priority overtakes one job and not two.
                let number = self.jobs.len() as u128;
                let id = JobId(Uuid::from_u128((number * 7 * 60_000) << 80 | number));
                self.jobs.push(QueuedJob { id, filter, priority, account, avoid: Vec::new(), workspace: None });
                self.jobs.last().cloned().map(BoardEvent::JobQueued).into_iter().collect()
            }
            Step::QueueAgain { job, filter, priority } => {
                let queued = |old: QueuedJob| BoardEvent::JobQueued(QueuedJob { filter, priority, ..old });
                self.job(&job).map(queued).into_iter().collect()
            }
            Step::GiveBack { runner, slot } => {
                let Some(job) = self.held(runner, &slot) else { return Vec::new() };
                let queued = self.jobs.iter_mut().find(|queued| queued.id == job).map(|queued| {
                    // It is tried elsewhere, as long as there is an elsewhere.
                    queued.avoid.push(runner_id(runner));
                    BoardEvent::JobQueued(queued.clone())
                });
                std::iter::once(BoardEvent::SlotFreed { runner: runner_id(runner), job }).chain(queued).collect()
            }
            Step::Drop { job } => self.job(&job).map(|job| BoardEvent::JobDropped(job.id)).into_iter().collect(),
            Step::Change(runner) => vec![BoardEvent::RunnerChanged(runner)],
            Step::Remove { runner } => vec![BoardEvent::RunnerRemoved(runner_id(runner))],
            Step::Free { runner, slot } => {
                let freed = |job| BoardEvent::SlotFreed { runner: runner_id(runner), job };
                self.held(runner, &slot).map(freed).into_iter().collect()
            }
            Step::FreeUnknown { runner, job } => {
                let freed = |job: QueuedJob| BoardEvent::SlotFreed { runner: runner_id(runner), job: job.id };
                self.job(&job).map(freed).into_iter().collect()
            }
            Step::Take { runner, job } => {
                let runner = runner_id(runner);
                let taken = |job: QueuedJob| BoardEvent::SlotTaken { runner, job: job.id, account: job.account };
                self.job(&job).map(taken).into_iter().collect()
            }
            Step::Pause(paused) => vec![BoardEvent::QueuePaused(paused)],
            Step::Limit { org, project, running } => {
                vec![BoardEvent::LimitChanged { org: org.into(), project: project.into(), running }]
            }
        }
    }

    fn job(&self, index: &Index) -> Option<QueuedJob> {
        (!self.jobs.is_empty()).then(|| index.get(&self.jobs).clone())
    }

    fn held(&self, runner: u128, slot: &Index) -> Option<JobId> {
        let held = &self.reference.hosts.get(&RunnerId(Uuid::from_u128(runner)))?.held;
        (!held.is_empty()).then(|| *slot.get(held))
    }
}

fn placements() -> impl Strategy<Value = Placement> {
    let random = any::<u64>().prop_map(|seed| Placement::Random { seed });
    prop_oneof![3 => Just(Placement::LeastLoaded), 1 => Just(Placement::Pack), 1 => random]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_history_makes_the_board_differ_from_the_naive_reference(
        placement in placements(),
        history in vec(steps(), 1..120),
    ) {
        let mut under_test = History::new(placement);
        for step in history {
            under_test.take(step);
        }
    }
}
