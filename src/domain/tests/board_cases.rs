//! Scripts of events under fixtures/boards, each with the assignments and explanations that must follow.

mod expected_json;
mod fixture_files;

use std::collections::BTreeMap;
use std::path::Path;

use expected_json::difference;
use fixture_files::fixture_files;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Effect, Placement, QueuedJob};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::facts::Facts;
use shuntyard_domain::filter::{Attributes, Filter};
use shuntyard_domain::ids::{JobId, RunnerId};
use shuntyard_domain::job::Concurrency;
use shuntyard_domain::runner::Scope;
use uuid::Uuid;

/// One file. Jobs and runners have names; a job's first mention is its submission.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default)]
    placement: Placement,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(try_from = "BTreeMap<String, Value>")]
struct Step {
    event: Told,
    /// `JOB RUNNER`, in order; nothing else may be assigned.
    assign: Vec<String>,
}

/// A step is one event beside `assign`: a misspelt key is a second or an unknown event.
impl TryFrom<BTreeMap<String, Value>> for Step {
    type Error = serde_json::Error;
    fn try_from(mut keys: BTreeMap<String, Value>) -> Result<Self, Self::Error> {
        let assign = keys.remove("assign").map(serde_json::from_value).transpose()?.unwrap_or_default();
        Ok(Self { event: serde_json::from_value(serde_json::to_value(keys)?)?, assign })
    }
}

/// `PLACE` is `JOB RUNNER`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Runner(RunnerTold),
    RunnerRemoved(String),
    Queue(JobTold),
    Drop(String),
    Taken(TakenTold),
    Freed(String),
    Limit(LimitTold),
    /// What the explanation must hold; `null` for a job that does not wait. Keys that are not given may be anything.
    Explain(BTreeMap<String, Value>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobTold {
    job: String,
    #[serde(default)]
    filter: Filter,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    org: String,
    #[serde(default)]
    project: String,
    /// `GROUP` or `GROUP=N`.
    group: Option<String>,
    /// Which tree of files it starts in.
    tree: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitTold {
    #[serde(default)]
    org: String,
    project: String,
    running: Option<u32>,
}

/// A slot that was taken before: `PLACE`, or with what the job counts under.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum TakenTold {
    Place(String),
    Under {
        place: String,
        #[serde(default)]
        project: String,
        group: Option<String>,
    },
}

fn account(org: String, project: String, group: Option<String>) -> Account {
    let concurrency = group.map(|told| told.parse::<Concurrency>().expect("a group is `GROUP` or `GROUP=N`"));
    Account { org, project, concurrency }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunnerTold {
    hostname: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    platform: String,
    #[serde(default)]
    platform_version: String,
    #[serde(default)]
    labels: Vec<String>,
    /// The one organisation that it serves; else all.
    org: Option<String>,
    #[serde(default = "one")]
    slots: u32,
    #[serde(default = "ready")]
    availability: Availability,
}

fn one() -> u32 {
    1
}

fn ready() -> Availability {
    Availability::Ready
}

/// Gives names their identifiers, in the order in which they come up.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn id(&mut self, name: &str) -> Uuid {
        let at = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.into());
            self.0.len() - 1
        });
        Uuid::from_u128(at as u128 + 1)
    }

    fn name(&self, id: Uuid) -> &str {
        &self.0[usize::try_from(id.as_u128()).unwrap() - 1]
    }

    fn place(&mut self, text: &str) -> (JobId, RunnerId) {
        let (job, runner) = text.split_once(' ').expect("a place is `JOB RUNNER`");
        (JobId(self.id(job)), RunnerId(self.id(runner)))
    }

    /// The explanation as JSON, with the names of jobs.
    fn told(&self, explanation: Option<Explanation>) -> Value {
        let mut json = serde_json::to_value(&explanation).unwrap();
        if let Some(explanation) = explanation {
            assert_eq!(serde_json::from_value::<Explanation>(json.clone()).unwrap(), explanation);
            json["job"] = self.name(explanation.job.0).into();
            for (at, candidate) in explanation.candidates.iter().enumerate() {
                let names = candidate.busy_with.iter().map(|job| self.name(job.0)).collect::<Vec<_>>();
                json["candidates"][at]["busy_with"] = names.into();
            }
            for (at, limit) in explanation.limits.iter().enumerate() {
                for (nth, holder) in limit.holders.iter().enumerate() {
                    json["limits"][at]["holders"][nth]["job"] = self.name(holder.job.0).into();
                }
            }
        }
        json
    }
}

fn event(told: Told, names: &mut Names) -> Result<BoardEvent, BTreeMap<String, Value>> {
    Ok(match told {
        Told::Runner(told) => BoardEvent::RunnerChanged(BoardRunner {
            id: RunnerId(names.id(&told.hostname)),
            attributes: Attributes {
                hostname: told.hostname,
                facts: Facts {
                    os: told.os,
                    platform: told.platform,
                    platform_version: told.platform_version,
                    ..Facts::default()
                },
                labels: told.labels.into_iter().collect(),
                ..Attributes::default()
            },
            scope: told.org.map_or(Scope::Enterprise, Scope::Org),
            slots: told.slots,
            availability: told.availability,
        }),
        Told::RunnerRemoved(runner) => BoardEvent::RunnerRemoved(RunnerId(names.id(&runner))),
        Told::Queue(told) => {
            let id = JobId(names.id(&told.job));
            BoardEvent::JobQueued(QueuedJob {
                id,
                filter: told.filter,
                priority: told.priority,
                account: account(told.org, told.project, told.group),
                workspace: told.tree.map(|n| Digest::of_sha256([n; 32])),
                avoid: Vec::new(),
            })
        }
        Told::Drop(job) => BoardEvent::JobDropped(JobId(names.id(&job))),
        Told::Taken(told) => {
            let (place, account) = match told {
                TakenTold::Place(place) => (place, Account::default()),
                TakenTold::Under { place, project, group } => (place, account(String::new(), project, group)),
            };
            let (job, runner) = names.place(&place);
            BoardEvent::SlotTaken { runner, job, account }
        }
        Told::Limit(told) => BoardEvent::LimitChanged { org: told.org, project: told.project, running: told.running },
        Told::Freed(place) => {
            let (job, runner) = names.place(&place);
            BoardEvent::SlotFreed { runner, job }
        }
        Told::Explain(expected) => return Err(expected),
    })
}

fn check(file: &Path) {
    let case: Case = serde_json::from_str(&std::fs::read_to_string(file).unwrap())
        .unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    let (mut board, mut names) = (Board::new(case.placement), Names::default());
    for (nth, step) in (1..).zip(case.steps) {
        let place = format!("{} ({}), step {nth}", file.display(), case.about);
        match event(step.event, &mut names) {
            Ok(event) => {
                let made = board
                    .step(event)
                    .into_iter()
                    .map(|Effect::Assign { job, runner }| format!("{} {}", names.name(job.0), names.name(runner.0)));
                assert_eq!(made.collect::<Vec<_>>(), step.assign, "{place}");
            }
            Err(explanations) => {
                for (job, expected) in explanations {
                    let told = board.explain(JobId(names.id(&job)));
                    if let Some(lack) = difference(&job, &expected, &names.told(told)) {
                        panic!("{place}: {lack}");
                    }
                }
            }
        }
    }
}

#[test]
fn every_script_of_events_gives_its_assignments_and_explanations() {
    fixture_files("boards", "json", 10).iter().for_each(|file| check(file));
}
