//! Explanations of a large house stay short, and their numbers stay complete.

use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Effect, Placement, QueuedJob};
use shuntyard_domain::explain::{Explanation, LISTED_MAX, NEAREST_MAX, Verdict, WhyNot};
use shuntyard_domain::facts::Facts;
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn queue(board: &mut Board, number: u128, filter: &str) -> Vec<Effect> {
    let filter: Filter = serde_json::from_str(filter).unwrap();
    board.step(BoardEvent::JobQueued(QueuedJob {
        id: job(number),
        filter,
        priority: 0,
        account: Account { org: "default".into(), ..Account::default() },
        workspace: None,
        avoid: Vec::new(),
    }))
}

/// 100 runners: 40 ubuntu, 30 of them away, 40 centos, 20 of another organisation. One has 30 slots.
fn house() -> Board {
    let mut board = Board::new(Placement::LeastLoaded);
    // The numbers go down so that the order of names is not the order of arrival.
    for number in (0..100_u32).rev() {
        board.step(BoardEvent::RunnerChanged(BoardRunner {
            id: RunnerId(Uuid::from_u128(number.into())),
            attributes: Attributes {
                hostname: format!("r{number:02}"),
                facts: Facts { platform: if number < 40 { "ubuntu" } else { "centos" }.into(), ..Facts::default() },
                ..Attributes::default()
            },
            scope: if number < 80 { Scope::Enterprise } else { Scope::Org("other".into()) },
            slots: if number == 5 { 30 } else { 1 },
            availability: if number < 30 && number != 5 { Availability::Unreachable } else { Availability::Ready },
        }));
    }
    board
}

fn explained(filter: &str) -> (Board, Explanation) {
    let mut board = house();
    let mut number = 1;
    while !queue(&mut board, number, filter).is_empty() {
        number += 1;
    }
    let told = board.explain(job(number)).unwrap();
    (board, told)
}

#[test]
fn lists_are_cut_in_the_order_of_names_and_numbers_are_not() {
    let (_, told) = explained(r#"{"platform":["ubuntu"]}"#);
    let platform = &told.clauses[0];
    assert_eq!((platform.matching, platform.excluded), (40, 40));
    let names: Vec<String> = (40..60).map(|number| format!("r{number}")).collect();
    assert_eq!(platform.excluded_runners, names);
    assert_eq!((told.scope_excluded_total, told.scope_excluded.len()), (20, LISTED_MAX));
    assert_eq!((told.candidates_total, told.candidates.len()), (40, LISTED_MAX));
    assert_eq!(told.summary, "waits for a free slot: 11 of 40 matching runners are busy, 29 are unreachable");
}

#[test]
fn busy_runners_come_first_among_the_candidates_with_at_most_twenty_of_their_jobs() {
    let (board, told) = explained(r#"{"platform":["ubuntu"]}"#);
    let busy: Vec<&str> =
        told.candidates.iter().filter(|c| c.why == WhyNot::Busy).map(|candidate| candidate.hostname.as_str()).collect();
    assert_eq!(busy, ["r05", "r30", "r31", "r32", "r33", "r34", "r35", "r36", "r37", "r38", "r39"]);
    assert_eq!(told.candidates[11].hostname, "r00");
    let mut running = board.running_on(RunnerId(Uuid::from_u128(5)));
    assert_eq!(running.len(), 30);
    running.truncate(LISTED_MAX);
    assert_eq!(told.candidates[0].busy_with, running);
}

#[test]
fn near_misses_are_few_and_available_ones_come_first() {
    let (_, told) = explained(r#"{"platform":["plan9"]}"#);
    assert_eq!(told.verdict, Verdict::Never);
    let nearest: Vec<&str> = told.nearest.iter().map(|miss| miss.hostname.as_str()).collect();
    assert_eq!(nearest, ["r05", "r30", "r31", "r32", "r33"]);
    assert_eq!(nearest.len(), NEAREST_MAX);
    assert_eq!(
        told.summary,
        "no runner in the inventory can match: platform [\"plan9\"] excludes all 80 runners in scope"
    );
}

#[test]
fn classes_without_jobs_are_forgotten_beyond_the_bound() {
    let mut board = house().keeping_idle_classes(10);
    for number in 0..1_000 {
        queue(&mut board, number, &format!(r#"{{"hostname":["none-{number}"]}}"#));
    }
    assert_eq!((board.waiting(), board.classes()), (1_000, 1_000), "classes with jobs are kept");
    for number in 0..1_000 {
        board.step(BoardEvent::JobDropped(job(number)));
    }
    assert_eq!((board.waiting(), board.classes()), (0, 10));
}

#[test]
fn a_paused_queue_keeps_jobs_from_free_runners_says_so_and_goes_on_with_the_best_job_first() {
    let mut board = house();
    assert!(board.step(BoardEvent::QueuePaused(true)).is_empty());
    for number in 1..=3 {
        assert!(queue(&mut board, number, r#"{"hostname":["r30","r31"]}"#).is_empty());
    }
    let told = board.explain(job(1)).unwrap();
    assert_eq!((told.verdict, told.paused), (Verdict::NotNow, true));
    assert_eq!(told.summary, "waits: the queue is paused");
    assert_eq!(told.unblock, "`shunt queue resume`");
    // What happens meanwhile changes nothing.
    let runner = RunnerId(Uuid::from_u128(30));
    let account = Account { org: "default".into(), ..Account::default() };
    board.step(BoardEvent::SlotTaken { runner, job: job(9), account });
    assert!(board.step(BoardEvent::SlotFreed { runner, job: job(9) }).is_empty());
    assert!(board.demand(&[]).is_empty());
    let resumed = board.step(BoardEvent::QueuePaused(false));
    let placed: Vec<JobId> = resumed.iter().map(|Effect::Assign { job, .. }| *job).collect();
    assert_eq!(placed, [job(1), job(2)], "{resumed:?}");
    assert!(board.step(BoardEvent::QueuePaused(false)).is_empty());
    assert!(!board.explain(job(3)).unwrap().paused);
}
