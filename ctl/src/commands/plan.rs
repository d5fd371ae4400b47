//! `shunt plan`: what would run and where, and what could not, before anything runs.

mod shown;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::wire::pipelines::{PlanBody, PlanRequest};

use crate::change::of_change;
use crate::change::place::PlaceArgs;
use crate::client::{Client, encode, parse};
use crate::commands::change::act::stage_parser;
use crate::failure::{EXIT_ERROR, EXIT_USAGE, Failure};
use crate::pretty_json::pretty;
use crate::project::{InDirectory, settings};
use crate::short_id;
use crate::terminal::{note, print, stdout_colour};

const WARN_WITHIN: Duration = Duration::from_secs(5);

/// Show what a change would run and on which runners, and what could not, before anything runs
///
/// Reads the settings as they are in the project's directory, also uncommitted ones; with --change those of the change's
/// own source. Nothing is started.
///
/// Exit code 0: every row has a runner that may take it. 1: some row has none, or names a word that no runner has. 2: the
/// configuration has faults, which are all shown.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Only this stage [default: every stage]
    #[arg(long, value_parser = stage_parser())]
    stage: Option<Stage>,
    /// Directory of the project [default: the current one]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
    /// Plan this change instead: its id, or a part of its beginning or end
    #[arg(long, value_name = "ID", conflicts_with_all = ["project", "org", "pipeline", "name"])]
    change: Option<String>,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// `Failure`; a plan that cannot run is an exit code, not a failure.
pub async fn run(connect: impl Fn() -> Result<Client, Failure>, args: PlanArgs) -> Result<u8, Failure> {
    if let Some(change) = &args.change {
        let client = connect()?;
        let id = short_id::change(&client, change).await?;
        let query: Vec<_> = args.stage.iter().map(|stage| ("stage", stage.to_string())).collect();
        let url = client.url(&format!("changes/{id}/plan"), &query);
        let answer = client.answer(Method::GET, &url, None).await.map_err(|error| of_change(id, error))?;
        return show(&parse(&url, &answer.bytes)?, &parse(&url, &answer.bytes)?, args.json);
    }
    let dir = args.project.as_deref().unwrap_or(Path::new("."));
    let place = args.place.resolve(dir)?;
    let Some(settings) = settings(&mut InDirectory(dir))? else { return Ok(EXIT_USAGE) };
    let client = connect()?;
    let stages = args.stage.into_iter().collect();
    let request = PlanRequest { stages, config: settings.config, local_phases: settings.local_phases };
    let url = client.url(&format!("{}/plan", place.path()), &[]);
    let answer = client.answer(Method::POST, &url, Some(encode(&url, &request)?)).await?;
    show(&parse(&url, &answer.bytes)?, &parse(&url, &answer.bytes)?, args.json)
}

/// Warns of rows of a stage that can never run as things are. It is a courtesy: a server that cannot say it is not waited
/// for, and what was submitted goes on.
pub async fn warn_of_obstacles(client: &Client, id: ChangeId, stage: Stage) {
    let path = format!("changes/{id}/plan");
    let query = [("stage", stage.to_string())];
    let asked = tokio::time::timeout(WARN_WITHIN, client.get_with::<PlanBody>(&path, &query));
    let Ok(Ok(plan)) = asked.await else { return };
    for line in shown::obstacles(&plan).lines() {
        note(&line.strip_prefix("error: ").map_or_else(|| line.to_owned(), |said| format!("warning: {said}")));
    }
}

fn show(plan: &PlanBody, as_sent: &Value, json: bool) -> Result<u8, Failure> {
    if json {
        print(pretty(as_sent, stdout_colour()).as_bytes())?;
    } else {
        print(shown::text(plan, stdout_colour()).as_bytes())?;
        let obstacles = shown::obstacles(plan);
        if !obstacles.is_empty() {
            note(obstacles.trim_end_matches('\n'));
        }
    }
    Ok(if plan.stages.iter().all(|stage| stage.forecast.runnable) { 0 } else { EXIT_ERROR })
}
