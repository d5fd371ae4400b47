//! New fan-outs, and those that run the rest of an earlier one again.

use shuntyard_domain::board::BoardRunner;
use shuntyard_domain::change::Signed;
use shuntyard_domain::fan_out::{
    Chosen, FanOut, FanOutRow, LeftOut, Pace, QUEUE_LIMIT_S, RowStanding, choose, choose_of,
};
use shuntyard_domain::filter::Filter;
use shuntyard_domain::ids::{FanOutId, RunnerId};
use shuntyard_domain::job::JobOrigin;
use shuntyard_domain::wire::api::SubmitJob;
use shuntyard_domain::wire::fan_out::{FanOutPlanBody, RerunFanOut, SubmitFanOut};

use super::Ask;
use crate::dispatch::engine_error::bad;
use crate::dispatch::quotas::Asked;
use crate::dispatch::submit::Checked;
use crate::dispatch::{DispatchError, Dispatcher, new_id};
use crate::store::{Connection, MadeKind, fan_out_insert, fan_out_rows_insert};

impl Dispatcher {
    /// Stores a fan-out over the runners that match now; its first jobs follow at once.
    ///
    /// # Errors
    /// `BadRequest` names the offending key, also when no runner matches; nothing is stored then.
    pub async fn submit_fan_out(&self, request: SubmitFanOut, by: &str) -> Result<FanOutId, DispatchError> {
        let pace = request.pace();
        let checked = self.checked_for_all(request.job).await?;
        let chosen = self.chosen(&checked)?;
        check_pace(pace, chosen.rows.len())?;
        let fan_out = self.new_fan_out(checked, pace, by);
        self.store_fan_out(fan_out, chosen).await
    }

    /// Says what would become of a fan-out; nothing is stored.
    ///
    /// # Errors
    /// As `submit_fan_out`.
    pub async fn plan_fan_out(&self, request: SubmitFanOut) -> Result<FanOutPlanBody, DispatchError> {
        let pace = request.pace();
        let chosen = self.chosen(&self.checked_for_all(request.job).await?)?;
        check_pace(pace, chosen.rows.len())?;
        let rows = u32::try_from(chosen.rows.len()).unwrap_or(u32::MAX);
        Ok(FanOutPlanBody {
            batch: pace.batch_of(rows),
            max_failures: pace.max_failures_of(rows),
            hostnames: chosen.rows.into_iter().map(|(_, hostname)| hostname).collect(),
            left_out: chosen.left_out,
        })
    }

    /// Stores a new fan-out over the rows of an ended one that have not succeeded.
    ///
    /// # Errors
    /// `NoFanOut`; `FanOutRuns` when it has not ended; `BadRequest` when there is nothing to repeat.
    pub async fn rerun_fan_out(&self, id: FanOutId, request: RerunFanOut, by: &str) -> Result<FanOutId, DispatchError> {
        let (earlier, rows) = self.fan_out_view(id).await?;
        if earlier.end.is_none() {
            return Err(DispatchError::FanOutRuns(id));
        }
        let wanted: Vec<&FanOutRow> = rows.iter().filter(|row| row.standing() != RowStanding::Succeeded).collect();
        if wanted.is_empty() {
            return Err(bad("id", "every row of the fan-out has succeeded", &["one with rows that have not"]));
        }
        let chosen = self.chosen_again(&wanted);
        if chosen.rows.is_empty() {
            return Err(no_runner("id", "none of the runners that did not succeed takes jobs", &chosen.left_out));
        }
        let count = u32::try_from(chosen.rows.len()).unwrap_or(u32::MAX);
        let pace = Pace {
            canary: request.canary.unwrap_or(earlier.pace.canary.min(count)),
            batch: request.batch.or(earlier.pace.batch),
            max_failures: request.max_failures.or(earlier.pace.max_failures),
        };
        check_pace(pace, chosen.rows.len())?;
        let (id, created) = (FanOutId(new_id()), Signed { at_ms: self.0.clock.now_ms(), by: by.to_owned() });
        let repeats = Some(earlier.id);
        let fan_out = FanOut { id, pace, repeats, created, cancel: None, end: None, version: 0, ..earlier };
        self.store_fan_out(fan_out, chosen).await
    }

    /// The runners of rows that are to run again, as they are now.
    fn chosen_again(&self, rows: &[&FanOutRow]) -> Chosen {
        let known = |row: &&FanOutRow| self.0.inventory.get(row.runner).map(|known| known.for_board());
        let mut runners: Vec<BoardRunner> = rows.iter().filter_map(known).collect();
        runners.sort_by(|a, b| a.attributes.hostname.cmp(&b.attributes.hostname));
        let mut chosen = choose_of(runners.iter());
        let found: Vec<RunnerId> = runners.iter().map(|runner| runner.id).collect();
        let deleted = rows.iter().filter(|row| !found.contains(&row.runner));
        let deleted = deleted.map(|row| LeftOut { hostname: row.hostname.clone(), why: "deleted".into() });
        chosen.left_out.extend(deleted);
        chosen
    }

    async fn checked_for_all(&self, job: SubmitJob) -> Result<Checked, DispatchError> {
        let mut checked = self.checked(job).await.map_err(|error| match error {
            DispatchError::BadRequest { path, message, allowed } => {
                DispatchError::BadRequest { path: format!("job.{path}"), message, allowed }
            }
            error => error,
        })?;
        checked.spec.queue_limit_s.get_or_insert(QUEUE_LIMIT_S);
        Ok(checked)
    }

    fn chosen(&self, checked: &Checked) -> Result<Chosen, DispatchError> {
        let filter: Filter = checked.spec.needs(&checked.filter);
        let runners: Vec<BoardRunner> = self.0.inventory.all().iter().map(|known| known.for_board()).collect();
        let chosen = choose(&runners, &filter, &checked.origin.org);
        if chosen.rows.is_empty() {
            let message = format!("no runner that takes jobs matches {filter}");
            return Err(no_runner("job.filter", &message, &chosen.left_out));
        }
        Ok(chosen)
    }

    fn new_fan_out(&self, checked: Checked, pace: Pace, by: &str) -> FanOut {
        FanOut {
            id: FanOutId(new_id()),
            enterprise: checked.origin.enterprise,
            org: checked.origin.org,
            project: checked.origin.project,
            title: checked.origin.title,
            spec: checked.spec,
            filter: checked.filter,
            priority: checked.priority,
            pace,
            left_out: Vec::new(),
            repeats: None,
            created: Signed { at_ms: self.0.clock.now_ms(), by: by.to_owned() },
            cancel: None,
            end: None,
            version: 0,
        }
    }

    /// Stores it with its rows in one commit; also when the caller goes away.
    async fn store_fan_out(&self, fan_out: FanOut, chosen: Chosen) -> Result<FanOutId, DispatchError> {
        let (engine, id) = (self.clone(), fan_out.id);
        let fan_out = FanOut { left_out: chosen.left_out, ..fan_out };
        let rows = (0..).zip(chosen.rows).map(|(number, (runner, hostname))| FanOutRow::new(number, runner, hostname));
        let rows: Vec<FanOutRow> = rows.collect();
        tracing::info!(fan_out.id = %id, rows = rows.len(), "a fan-out begins");
        let quotas = self.0.quotas;
        let script = ("job.script".to_owned(), fan_out.spec.script.len());
        // Its jobs are stored later, and not refused then.
        let asked = Asked { later_jobs: rows.len() as u64, script: Some(script), ..Asked::default() };
        let (org, project) = (fan_out.org.clone(), fan_out.project.clone());
        let origin = JobOrigin { enterprise: fan_out.enterprise.clone(), org, project, ..JobOrigin::default() };
        self.to_the_end(async move {
            let insert = move |c: &mut Connection| {
                quotas.check(c, &origin, &asked)?;
                fan_out_insert(c, &fan_out)?;
                Ok::<_, DispatchError>(fan_out_rows_insert(c, id, &rows)?)
            };
            let stored: Result<(), DispatchError> = engine.0.store.create(MadeKind::FanOut, id, insert).await;
            // Also when it failed: a commit may have failed in appearance only.
            engine.ask_about_fan_outs(Ask::One(id));
            stored?;
            engine.0.feed.fan_out_changed(id);
            Ok(id)
        })
        .await
    }
}

fn no_runner(path: &str, message: &str, left_out: &[LeftOut]) -> DispatchError {
    let named: Vec<String> = left_out.iter().take(5).map(|l| format!("{} ({})", l.hostname, l.why)).collect();
    let more = if left_out.len() > named.len() { ", …" } else { "" };
    let others = if named.is_empty() { String::new() } else { format!("; left out: {}{more}", named.join(", ")) };
    bad(path, format!("{message}{others}"), &["what at least one enrolled runner matches"])
}

fn check_pace(pace: Pace, rows: usize) -> Result<(), DispatchError> {
    if pace.canary as usize > rows {
        let message = format!("{} canaries are more than the {rows} runner(s) that there are", pace.canary);
        return Err(bad("canary", message, &[&format!("0 to {rows}")]));
    }
    if pace.batch.is_some_and(|batch| batch.is_nothing()) {
        return Err(bad("batch", "a batch of nothing would never end", &["1 or more", "1% to 100%"]));
    }
    Ok(())
}
