//! Nobody waits for ever: streams of other jobs that never end, and how long one job is overtaken by them.

use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Effect, Placement, QueuedJob};
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::queue::PRIORITY_POINT_MS;
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

const MINUTE_MS: i64 = 60_000;

fn job(at_ms: i64, number: u128) -> JobId {
    JobId(Uuid::from_u128(u128::try_from(at_ms).unwrap() << 80 | number))
}

fn queue(board: &mut Board, id: JobId, priority: i32, account: Account) -> Vec<Effect> {
    let (filter, workspace, avoid) = (Filter::default(), None, Vec::new());
    board.step(BoardEvent::JobQueued(QueuedJob { id, filter, priority, account, workspace, avoid }))
}

fn runner(number: u128, slots: u32) -> BoardRunner {
    BoardRunner {
        id: RunnerId(Uuid::from_u128(number)),
        attributes: Attributes { hostname: format!("r{number}"), ..Attributes::default() },
        scope: Scope::Enterprise,
        slots,
        availability: Availability::Ready,
    }
}

/// One slot; every minute two urgent jobs come and one ends. Tells after how many minutes the patient job starts.
fn minutes_until_placed(priority: i32) -> i64 {
    let mut board = Board::new(Placement::LeastLoaded);
    board.step(BoardEvent::RunnerChanged(runner(1, 1)));
    let mut running = vec![job(0, 0)];
    assert_eq!(queue(&mut board, running[0], 0, Account::default()).len(), 1);
    let patient = job(0, 1);
    assert!(queue(&mut board, patient, 0, Account::default()).is_empty());
    for minute in 1..10_000 {
        for urgent in 0..2 {
            let id = job(minute * MINUTE_MS, 10 + urgent);
            assert!(queue(&mut board, id, priority, Account::default()).is_empty(), "the slot is taken");
        }
        let ended = running.pop().expect("one job runs");
        for Effect::Assign { job, .. } in board.step(BoardEvent::SlotFreed { runner: runner(1, 1).id, job: ended }) {
            if job == patient {
                return minute;
            }
            running.push(job);
        }
    }
    panic!("it starves")
}

#[test]
fn a_stream_of_urgent_jobs_is_let_through_for_ten_minutes_a_point_and_no_longer() {
    assert_eq!(minutes_until_placed(0), 1, "of equal priority the first goes first");
    let minutes = |points: i32| i64::from(points) * PRIORITY_POINT_MS / MINUTE_MS;
    for points in [1, 3] {
        // Two come for each that ends: those that came before it was the patient job's turn go first.
        let waited = minutes_until_placed(points);
        assert!((minutes(points)..=2 * minutes(points) + 2).contains(&waited), "{points} points: {waited} minutes");
    }
}

#[test]
fn a_job_that_wants_its_group_for_itself_is_not_kept_out_by_those_that_share_it() {
    let mut board = Board::new(Placement::LeastLoaded);
    board.step(BoardEvent::RunnerChanged(runner(1, 50)));
    let group = |limit| Account { concurrency: Some(Concurrency { group: "db".into(), limit }), ..Account::default() };
    let mut running: Vec<JobId> = (0..3).map(|number| job(0, number)).collect();
    for id in &running {
        assert_eq!(queue(&mut board, *id, 0, group(3)).len(), 1);
    }
    let alone = job(1, 0);
    queue(&mut board, alone, 0, group(1));
    // Whenever one ends, another one has come that would share.
    for number in 0..10 {
        queue(&mut board, job(2, number), 0, group(3));
        let ended = running.pop().expect("some run until it is its turn");
        let placed = board.step(BoardEvent::SlotFreed { runner: runner(1, 50).id, job: ended });
        running.extend(placed.iter().map(|Effect::Assign { job, .. }| *job));
        if running.contains(&alone) {
            assert_eq!(running, [alone], "it has the group for itself");
            return;
        }
    }
    panic!("it starves");
}

/// With 9 degrees of freedom chi-square is above 27.9 once in a thousand; the seeds are fixed.
#[test]
fn random_placement_has_no_favourite_among_runners_of_equal_right() {
    for seed in [1, 2, 3] {
        let mut board = Board::new(Placement::Random { seed });
        for number in 0..10 {
            board.step(BoardEvent::RunnerChanged(runner(number, 4)));
        }
        let mut taken = [0_u32; 10];
        for number in 0..5_000 {
            let id = job(0, number);
            let effects = queue(&mut board, id, 0, Account::default());
            let [Effect::Assign { runner, .. }] = effects[..] else { panic!("{effects:?}") };
            taken[usize::try_from(runner.0.as_u128()).unwrap()] += 1;
            assert!(board.step(BoardEvent::SlotFreed { runner, job: id }).is_empty());
        }
        let expected = 500.0;
        let chi_square: f64 = taken.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        assert!(chi_square < 27.9, "seed {seed}: {chi_square}, {taken:?}");
    }
}
