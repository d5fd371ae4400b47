//! What the board tells those who start machines.

use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Placement, QueuedJob, Use};
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::pool::{ClassDemand, Template};
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

fn attributes(label: &str) -> Attributes {
    Attributes { labels: [label.to_owned()].into(), ..Attributes::default() }
}

fn queue(board: &mut Board, number: u128, label: &str, account: Account) {
    let filter = Filter { labels: vec![label.into()], ..Filter::default() };
    let id = JobId(Uuid::from_u128(number));
    board.step(BoardEvent::JobQueued(QueuedJob { id, filter, priority: 0, account, workspace: None, avoid: vec![] }));
}

fn of(org: &str, group: Option<(&str, u32)>) -> Account {
    let concurrency = group.map(|(group, limit)| Concurrency { group: group.into(), limit });
    Account { org: org.into(), project: String::new(), concurrency }
}

#[test]
fn only_jobs_that_no_limit_keeps_back_and_that_a_machine_could_take_are_demand() {
    let mut board = Board::new(Placement::LeastLoaded);
    let template = |label: &str, scope| Template { attributes: attributes(label), scope };
    let templates = [
        template("gpu", Scope::Enterprise),
        template("gpu", Scope::Org("acme".into())),
        template("arm", Scope::Enterprise),
    ];
    assert_eq!(board.demand(&templates), []);
    for number in 1..=4 {
        queue(&mut board, number, "gpu", of("acme", None));
    }
    assert_eq!(board.demand(&templates), [ClassDemand { jobs: 4, pools: vec![0, 1] }]);
    assert_eq!(board.demand(&templates[1..]), [ClassDemand { jobs: 4, pools: vec![0] }]);
    // Of five under a limit of two, two; of another organisation's, none that the second template serves.
    for number in 11..=15 {
        queue(&mut board, number, "gpu", of("other", Some(("deploy", 2))));
    }
    let mut demand = board.demand(&templates);
    demand.sort_by_key(|class| class.jobs);
    assert_eq!(demand, [ClassDemand { jobs: 2, pools: vec![0] }, ClassDemand { jobs: 4, pools: vec![0, 1] }]);
    queue(&mut board, 21, "riscv", of("acme", None));
    assert_eq!(board.demand(&templates).len(), 2, "a class that no machine could take");

    let runner = RunnerId(Uuid::from_u128(7));
    let ready = BoardRunner {
        id: runner,
        attributes: attributes("gpu"),
        scope: Scope::Org("acme".into()),
        slots: 3,
        availability: Availability::Ready,
    };
    assert_eq!(board.use_of(&[runner]), [None]);
    board.step(BoardEvent::RunnerChanged(ready));
    assert_eq!(board.demand(&templates[1..2]), [ClassDemand { jobs: 1, pools: vec![0] }]);
    let before = board.use_of(&[runner])[0].unwrap();
    assert!(matches!(before, Use { jobs: 3, .. }), "{before:?}");
    board.step(BoardEvent::SlotFreed { runner, job: JobId(Uuid::from_u128(1)) });
    let after = board.use_of(&[runner])[0].unwrap();
    assert!(after.jobs == 3 && after.last_used > before.last_used, "a job between two looks leaves no trace");
    assert_eq!(board.demand(&templates[1..2]), []);
}
