//! Cases under fixtures/plans: a stage of a project, an inventory, and what would run where.

mod expected_json;
mod fixture_files;

use std::path::Path;

use expected_json::difference;
use fixture_files::fixture_files;
use serde::Deserialize;
use serde_json::Value;
use shuntyard_domain::board::{Account, Availability, Board, BoardEvent, BoardRunner, Placement, QueuedJob};
use shuntyard_domain::change::Source;
use shuntyard_domain::command_template::CommandTemplate;
use shuntyard_domain::facts::Facts;
use shuntyard_domain::filter::Attributes;
use shuntyard_domain::ids::{ChangeId, JobId, RunnerId};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::plan::{Delivered, Forecast, Planned, StagePlan, consumers, differences, forecast, stage_plan};
use shuntyard_domain::project_config::{ProjectConfig, parse, parse_local_phases};
use shuntyard_domain::runner::Scope;
use shuntyard_domain::tenancy::{Name, PipelinePath};
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    stage: Stage,
    config: Value,
    /// The text of project.toml.
    local_phases: Option<String>,
    template: Option<String>,
    /// Delivered changes of the enterprise.
    #[serde(default)]
    delivered: Vec<DeliveredTold>,
    #[serde(default)]
    runners: Vec<RunnerTold>,
    /// The configuration of the last run.
    last: Option<Value>,
    /// Keys that are not given may be anything.
    forecast: Option<Value>,
    /// The same of the plan itself.
    plan: Option<Value>,
    differences: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliveredTold {
    /// `ORG/PROJECT/PIPELINE`.
    at: String,
    delivered_at_ms: i64,
    config: Value,
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
    labels: Vec<String>,
    org: Option<String>,
    #[serde(default = "ready")]
    availability: Availability,
}

fn ready() -> Availability {
    Availability::Ready
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn path(text: &str) -> PipelinePath {
    let parts: Vec<&str> = text.split('/').collect();
    let [org, project, pipeline] = parts[..] else { panic!("`{text}` is not ORG/PROJECT/PIPELINE") };
    PipelinePath { enterprise: name("default"), org: name(org), project: name(project), pipeline: name(pipeline) }
}

fn inventory(told: &[RunnerTold]) -> Vec<BoardRunner> {
    let runner = |(number, told): (u128, &RunnerTold)| BoardRunner {
        id: RunnerId(Uuid::from_u128(number)),
        attributes: Attributes {
            hostname: told.hostname.clone(),
            facts: Facts { os: told.os.clone(), platform: told.platform.clone(), ..Facts::default() },
            labels: told.labels.iter().cloned().collect(),
            ..Attributes::default()
        },
        scope: told.org.clone().map_or(Scope::Enterprise, Scope::Org),
        slots: 1,
        availability: told.availability,
    };
    (1..).zip(told).map(runner).collect()
}

fn config(json: &Value) -> ProjectConfig {
    parse(&json.to_string()).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn planned(case: &Case, config: &ProjectConfig) -> StagePlan {
    let own = path("acme/hello/master");
    let local = case.local_phases.as_ref().map(|text| parse_local_phases(text).unwrap());
    let template = case.template.as_ref().map(|text| CommandTemplate::parse(text).unwrap());
    let others: Vec<(PipelinePath, i64, ProjectConfig)> =
        case.delivered.iter().map(|told| (path(&told.at), told.delivered_at_ms, self::config(&told.config))).collect();
    let delivered: Vec<Delivered<'_>> = (100..)
        .zip(&others)
        .map(|(id, (at, delivered_at_ms, config))| Delivered {
            at,
            change: ChangeId(Uuid::from_u128(id)),
            delivered_at_ms: *delivered_at_ms,
            config,
        })
        .collect();
    let of = |at, change, config, local| Planned {
        at,
        change,
        source: &Source::None,
        config,
        settings: None,
        local,
        template: template.as_ref(),
        output_cap_bytes: 1 << 20,
    };
    let own_id = ChangeId(Uuid::from_u128(1));
    let consumers = consumers(&own, &delivered);
    let consumers: Vec<Planned<'_>> = consumers.iter().map(|c| of(c.at, c.change, c.config, None)).collect();
    stage_plan(case.stage, of(&own, own_id, config, local.as_ref()), &consumers)
}

/// Every row of a forecast against the board: a job of that row is placed exactly when some runner is ready for it.
fn check_against_the_board(plan: &StagePlan, inventory: &[BoardRunner], told: &Forecast, place: &str) {
    let rows = plan.phases().flat_map(|(_, phase)| &phase.rows);
    let forecasts = told.groups.iter().flatten().flat_map(|phase| &phase.rows);
    for (row, forecast) in rows.zip(forecasts) {
        let mut board = Board::new(Placement::default());
        for runner in inventory {
            board.step(BoardEvent::RunnerChanged(runner.clone()));
        }
        let id = JobId(Uuid::from_u128(1));
        let (filter, org) = (row.filter.clone(), "acme".into());
        let account = Account { org, ..Account::default() };
        let job = QueuedJob { id, filter, priority: 0, account, avoid: Vec::new(), workspace: None };
        let assigned = board.step(BoardEvent::JobQueued(job)).len();
        assert_eq!(assigned, forecast.ready.min(1), "{place}: {}", forecast.description);
        if let Some(explanation) = board.explain(id) {
            assert_eq!(explanation.candidates_total, forecast.matching, "{place}");
            let never = forecast.matching == 0;
            assert_eq!(forecast.why_not, never.then_some(explanation.summary), "{place}");
            assert_eq!(forecast.unblock, never.then_some(explanation.unblock), "{place}");
        }
    }
}

fn check(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let case: Case = serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()));
    let place = format!("{} ({})", file.display(), case.about);
    let plan = planned(&case, &config(&case.config));
    let stored: StagePlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(stored, plan, "{place}: what is stored reads back otherwise");
    let inventory = inventory(&case.runners);
    let told = forecast(&plan, &name("acme"), &inventory);
    check_against_the_board(&plan, &inventory, &told, &place);
    let last = case.last.as_ref().map(|last| planned(&case, &config(last)));
    let found = [
        ("forecast", &case.forecast, serde_json::to_value(&told).unwrap()),
        ("plan", &case.plan, serde_json::to_value(&plan).unwrap()),
        ("differences", &case.differences, serde_json::to_value(last.map(|last| differences(&last, &plan))).unwrap()),
    ];
    for (what, expected, found) in found {
        if let Some(lack) = expected.as_ref().and_then(|expected| difference(what, expected, &found)) {
            panic!("{place}: {lack}");
        }
    }
}

#[test]
fn every_plan_says_what_would_run_where() {
    fixture_files("plans", "json", 7).iter().for_each(|file| check(file));
}
