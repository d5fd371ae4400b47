//! What one event costs the board: 10,000 runners, 1,000,000 waiting jobs, 200 classes; and the same with limits.
//!
//! With limits: jobs of 100 projects, every tenth of which may run 20 jobs at a time; one job in twenty belongs to one
//! of 50 groups that run 1 to 3 at a time; half of the jobs bring one of 200 trees of files.
//!
//! `cargo bench -p shuntyard-domain --bench board` prints median, 99th percentile and maximum for each kind
//! of event. Without `--bench` (as `cargo test --all-targets` runs it) the house is a hundred times smaller.
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Effect, Placement, QueuedJob};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::facts::Facts;
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

const PLATFORMS: [&str; 8] = ["ubuntu", "debian", "centos", "redhat", "suse", "fedora", "arch", "alpine"];
const LABELS: [&str; 4] = ["gpu", "big", "ssd", "region=eu"];
const PROJECTS: usize = 100;
const GOAL: Duration = Duration::from_micros(20);

/// The events of which the goal speaks; the others are printed to be seen.
const STREAM: [&str; 4] = [FREED_AND_ASSIGNED, QUEUED_BUSY, QUEUED_AND_ASSIGNED, FREED_IDLE];
const FREED_AND_ASSIGNED: &str = "SlotFreed -> Assign";
const QUEUED_BUSY: &str = "JobQueued, everybody busy";
const QUEUED_AND_ASSIGNED: &str = "JobQueued -> Assign";
const FREED_IDLE: &str = "SlotFreed, nobody waits";

/// A deterministic source of choices (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// The 200 filters: 25 choices of platforms times 8 of labels; a runner satisfies about 30 of them.
fn filters() -> Vec<Filter> {
    let around =
        |first: usize, count: usize| (first..first + count).map(|at| PLATFORMS[at % PLATFORMS.len()].to_owned());
    let mut platforms: Vec<Vec<String>> = vec![Vec::new()];
    for count in [1, 2, 4] {
        platforms.extend((0..PLATFORMS.len()).map(|first| around(first, count).collect()));
    }
    let labels: [&[&str]; 8] =
        [&[], &LABELS[..1], &LABELS[1..2], &LABELS[2..3], &LABELS[3..], &LABELS[..2], &LABELS[1..3], &LABELS[2..]];
    let with = |platform: &Vec<String>, labels: &[&str]| Filter {
        platform: platform.clone(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        ..Filter::default()
    };
    platforms.iter().flat_map(|platform| labels.map(|labels| with(platform, labels))).collect()
}

fn runner(number: usize, dice: &mut Dice) -> BoardRunner {
    let labels = LABELS.iter().filter(|_| dice.below(2) == 0).map(|label| (*label).to_owned()).collect();
    BoardRunner {
        id: RunnerId(Uuid::from_u128(number as u128 + 1)),
        attributes: Attributes {
            hostname: format!("runner-{number:05}.example.com"),
            facts: Facts {
                os: "linux".into(),
                platform: PLATFORMS[number % PLATFORMS.len()].into(),
                ..Facts::default()
            },
            labels,
            ..Attributes::default()
        },
        scope: Scope::Enterprise,
        slots: 1 + u32::try_from(dice.below(4)).unwrap_or(0),
        availability: Availability::Ready,
    }
}

/// What jobs bring beside their filters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Jobs {
    Plain,
    Limited,
}

/// A board, what runs on it, and the time that each kind of event took.
struct House {
    board: Board,
    dice: Dice,
    jobs: Jobs,
    filters: Vec<Filter>,
    submitted: u128,
    placed: Vec<(JobId, RunnerId)>,
    took: BTreeMap<&'static str, Vec<Duration>>,
}

impl House {
    fn new(runners: usize, jobs: Jobs) -> Self {
        let mut house = Self {
            board: Board::new(Placement::LeastLoaded),
            dice: Dice(1),
            jobs,
            filters: filters(),
            submitted: 0,
            placed: Vec::new(),
            took: BTreeMap::new(),
        };
        for number in 0..runners {
            let runner = runner(number, &mut house.dice);
            house.step("RunnerChanged, a new runner", BoardEvent::RunnerChanged(runner));
        }
        for project in (0..PROJECTS).step_by(10).filter(|_| jobs == Jobs::Limited) {
            let (org, project) = ("default".into(), format!("project-{project:03}"));
            house.step("LimitChanged", BoardEvent::LimitChanged { org, project, running: Some(20) });
        }
        house
    }

    fn account(&mut self) -> Account {
        let mut account = Account { org: "default".into(), ..Account::default() };
        if self.jobs == Jobs::Limited {
            account.project = format!("project-{:03}", self.dice.below(PROJECTS));
            if self.dice.below(20) == 0 {
                let group = self.dice.below(50);
                let limit = 1 + u32::try_from(group % 3).unwrap_or(0);
                account.concurrency = Some(Concurrency { group: format!("group-{group:02}"), limit });
            }
        }
        account
    }

    fn workspace(&mut self) -> Option<Digest> {
        let brings = self.jobs == Jobs::Limited && self.dice.below(2) == 0;
        brings.then(|| Digest::of_sha256([u8::try_from(self.dice.below(200)).unwrap_or(0); 32]))
    }

    fn step(&mut self, kind: &'static str, event: BoardEvent) -> usize {
        let start = Instant::now();
        let effects = self.board.step(event);
        self.took.entry(kind).or_default().push(start.elapsed());
        self.placed.extend(effects.iter().map(|Effect::Assign { job, runner }| (*job, *runner)));
        effects.len()
    }

    fn queue(&mut self, kind: &'static str) -> usize {
        self.submitted += 1;
        let filter = self.filters[self.dice.below(self.filters.len())].clone();
        let priority = i32::try_from(self.dice.below(3)).unwrap_or(0);
        let id = JobId(Uuid::from_u128(self.submitted));
        let (account, workspace) = (self.account(), self.workspace());
        self.step(
            kind,
            BoardEvent::JobQueued(QueuedJob { id, filter, priority, account, avoid: Vec::new(), workspace }),
        )
    }

    fn free(&mut self, kind: &'static str) -> usize {
        let ended = self.dice.below(self.placed.len());
        let (job, runner) = self.placed.swap_remove(ended);
        self.step(kind, BoardEvent::SlotFreed { runner, job })
    }

    fn report(&self) {
        for (kind, took) in &self.took {
            let mut took = took.clone();
            took.sort_unstable();
            let micros = |at: usize| took[at.min(took.len() - 1)].as_secs_f64() * 1e6;
            let goal = match (STREAM.contains(kind), took[took.len() / 2] <= GOAL) {
                (true, true) => "goal <= 20 µs median: met",
                (true, false) => "goal <= 20 µs median: MISSED",
                (false, _) => "",
            };
            println!(
                "{kind:<36} n {:>8}  median {:>8.2} µs  p99 {:>8.2} µs  max {:>9.1} µs  {goal}",
                took.len(),
                micros(took.len() / 2),
                micros(took.len() * 99 / 100),
                micros(took.len() - 1),
            );
        }
    }
}

/// Every slot is taken and `jobs` wait: what the design size means.
fn busy_house(kind: Jobs, runners: usize, jobs: usize, events: usize) {
    let mut house = House::new(runners, kind);
    while house.board.waiting() < jobs {
        house.queue("JobQueued while the house fills up");
    }
    println!("{runners} runners, {} waiting jobs, {} running", house.board.waiting(), house.placed.len());
    for _ in 0..events {
        let placed = house.free(FREED_AND_ASSIGNED);
        assert!(placed == 1 || kind == Jobs::Limited && placed > 0, "a waiting job takes the slot");
        assert_eq!(house.queue(QUEUED_BUSY), 0, "nobody is free");
    }
    for _ in 0..events / 10 {
        let job = JobId(Uuid::from_u128(1 + house.dice.below(usize::try_from(house.submitted).unwrap_or(1)) as u128));
        house.step("JobDropped", BoardEvent::JobDropped(job));
    }
    house.report();
    let asked = Instant::now();
    let told = house.board.explain(JobId(Uuid::from_u128(house.submitted)));
    println!(
        "explain: {:.1} ms, {}",
        asked.elapsed().as_secs_f64() * 1e3,
        told.map_or_else(String::new, |t| t.summary)
    );
}

/// Half of the slots are free and nobody waits: a job starts at once.
fn idle_house(kind: Jobs, runners: usize, events: usize) {
    let mut house = House::new(runners, kind);
    for _ in 0..runners {
        house.queue(QUEUED_AND_ASSIGNED);
    }
    println!("{runners} runners, {} waiting jobs, {} running", house.board.waiting(), house.placed.len());
    for _ in 0..events {
        // With limits some wait, and are placed by the end of another.
        let kind = if house.queue(QUEUED_AND_ASSIGNED) == 1 { FREED_IDLE } else { "SlotFreed, somebody waits" };
        house.free(kind);
    }
    for number in 0..runners {
        let runner = runner(number, &mut house.dice);
        house.step("RunnerChanged, other labels", BoardEvent::RunnerChanged(runner));
    }
    for number in 0..events.min(100) {
        let hostname = vec![format!("runner-{number:05}.example.com")];
        let job = QueuedJob {
            id: JobId(Uuid::from_u128(house.submitted + 1 + number as u128)),
            filter: Filter { hostname, ..Filter::default() },
            priority: 0,
            account: Account { org: "default".into(), ..Account::default() },
            workspace: None,
            avoid: Vec::new(),
        };
        house.step("JobQueued, first of its class", BoardEvent::JobQueued(job));
    }
    house.report();
}

fn main() {
    let scale = if std::env::args().any(|argument| argument == "--bench") { 1 } else { 100 };
    for (kind, title) in [(Jobs::Plain, "without limits"), (Jobs::Limited, "with limits and trees")] {
        println!("\n{title}");
        busy_house(kind, 10_000 / scale, 1_000_000 / scale, 200_000 / scale);
        idle_house(kind, 10_000 / scale, 100_000 / scale);
    }
}
