//! `/jobs/:id/log/lines` and `/jobs/:id/log/search`: a job's output as lines, for pages.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::sse::Event;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use schemars::JsonSchema;
use serde::Deserialize;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::Job;
use shuntyard_domain::wire::api::{LogGrowth, LogLine, LogLines, LogMatch, LogMatches};
use shuntyard_domain::wire::time_text::rfc3339;
use tokio::sync::watch;

use super::Api;
use super::error::ApiError;
use super::pages::bad;
use super::path::PathId;
use super::query::ApiQuery;
use super::sse::{self, EventStream};
use crate::dispatch::{DispatchError, JobPulse};
use crate::logs::{Line, LogError, LogStore, Match, Wanted, Words};

/// Lines that are answered unless `count` says otherwise, and the most that it may say.
const DEFAULT_LINES: u32 = 1_000;
const MAX_LINES: u32 = 2_000;
/// The same of matches.
const DEFAULT_MATCHES: u32 = 100;
const MAX_MATCHES: u32 = 1_000;
/// Characters that may be looked for.
const MAX_WORDS: usize = 200;
/// A listener is told of growth at most once in this time.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct LinesQuery {
    /// The first line; they count from 1.
    #[schemars(range(min = 1))]
    from: Option<u64>,
    #[schemars(range(min = 1, max = 2000))]
    count: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct SearchQuery {
    /// Plain text, to be found within one line as it is shown.
    #[schemars(length(min = 1, max = 200))]
    q: String,
    /// The first line that is looked at; they count from 1.
    #[schemars(range(min = 1))]
    from: Option<u64>,
    /// The most matches that are answered.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Whether `a` finds `A`.
    #[serde(default)]
    ignore_case: bool,
}

/// Reads the number of a line.
fn first_line(from: Option<u64>) -> Result<u64, ApiError> {
    let from = from.unwrap_or(1).checked_sub(1);
    from.ok_or_else(|| bad("from", "lines count from 1".into(), &["1 or more"]))
}

/// Reads how many are asked for.
fn how_many(key: &str, asked: Option<u32>, default: u32, most: u32) -> Result<u32, ApiError> {
    let asked = asked.unwrap_or(default);
    if (1..=most).contains(&asked) {
        return Ok(asked);
    }
    Err(bad(key, format!("{asked} at once"), &[&format!("1 to {most}")]))
}

fn line_body(line: Line) -> LogLine {
    LogLine {
        line: line.number + 1,
        offset: line.offset,
        at: line.at_ms.map(rfc3339),
        runs: line.runs,
        cut_bytes: line.cut_bytes,
        elided_bytes: line.elided_bytes,
        reattached_at: line.reattached_at_ms.map(rfc3339),
    }
}

/// Where a listener is.
struct Growing {
    api: Api,
    id: JobId,
    pulse: watch::Receiver<JobPulse>,
    told: Option<LogGrowth>,
}

impl Growing {
    /// What is now, when that is another thing than was told last.
    async fn next(mut self) -> Option<(Event, Self)> {
        if self.told.is_some_and(|told| told.complete) {
            return None;
        }
        if self.told.is_some() {
            tokio::time::sleep(PAUSE).await;
        }
        loop {
            // Marked as seen before looking: whatever comes later wakes us again.
            self.pulse.borrow_and_update();
            let job = self.api.dispatcher.job(self.id).await.ok()?;
            let growth = self.api.log_growth(&job).await.ok()?;
            if self.told != Some(growth) {
                self.told = Some(growth);
                return Some((sse::event("grown", &growth), self));
            }
            self.pulse.changed().await.ok()?;
        }
    }
}

impl Api {
    async fn on_logs<T: Send + 'static>(
        &self,
        look: impl FnOnce(&LogStore) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let logs = self.dispatcher.logs().clone();
        let looked = tokio::task::spawn_blocking(move || look(&logs)).await;
        Ok(looked.map_err(|_| DispatchError::Interrupted)?.map_err(DispatchError::from)?)
    }

    async fn log_growth(&self, job: &Job) -> Result<LogGrowth, ApiError> {
        let (attempt, complete) = (job.attempt_id(), job.state.is_finished());
        let bytes = self.dispatcher.logs().stored_bytes(attempt);
        let lines = self.on_logs(move |logs| logs.lines(attempt, Wanted::Last, 0)).await?;
        Ok(LogGrowth {
            attempt: job.attempt,
            total: lines.total,
            bytes,
            complete,
            elided_line: lines.elided_line.map(|line| line + 1),
            elided_bytes: lines.elided_bytes,
        })
    }

    /// Lines of the output of the job's attempt as it was when `job` was read.
    pub(super) async fn log_lines(&self, job: &Job, wanted: Wanted, count: u32) -> Result<LogLines, ApiError> {
        let (attempt, complete) = (job.attempt_id(), job.state.is_finished());
        let lines = self.on_logs(move |logs| logs.lines(attempt, wanted, count.into())).await?;
        Ok(LogLines {
            attempt: job.attempt,
            total: lines.total,
            complete,
            elided_line: lines.elided_line.map(|line| line + 1),
            lines: lines.lines.into_iter().map(line_body).collect(),
        })
    }
}

/// Tells at once and again after every change how many lines there are; what is in them is to be asked for.
pub(super) async fn growth(State(api): State<Api>, PathId(id): PathId<JobId>) -> Result<EventStream, ApiError> {
    let stop = api.dispatcher.stop_signal();
    Ok(sse::answer(grown(api, id).await?, stop))
}

/// The events of `growth`.
///
/// # Errors
/// `NotFound`; `Gone` when the log was removed.
pub(super) async fn grown(api: Api, id: JobId) -> Result<BoxStream<'static, Event>, ApiError> {
    let job = api.dispatcher.job(id).await?;
    api.log_is_kept(&job).await?;
    let pulse = api.dispatcher.feed().job(id);
    Ok(stream::unfold(Growing { api, id, pulse, told: None }, Growing::next).boxed())
}

/// Some lines, rendered: what escape sequences say of colours is told as styles, and the rest of them is left out.
pub(super) async fn lines(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    ApiQuery(query): ApiQuery<LinesQuery>,
) -> Result<Json<LogLines>, ApiError> {
    let wanted = Wanted::From(first_line(query.from)?);
    let count = how_many("count", query.count, DEFAULT_LINES, MAX_LINES)?;
    // Read before the log is: what has ended by now is all there.
    let job = api.dispatcher.job(id).await?;
    api.log_is_kept(&job).await?;
    Ok(Json(api.log_lines(&job, wanted, count).await?))
}

/// Lines in which words stand. One request looks at 8 MiB; `next` says where another one goes on.
pub(super) async fn search(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    ApiQuery(query): ApiQuery<SearchQuery>,
) -> Result<Json<LogMatches>, ApiError> {
    let from = first_line(query.from)?;
    let limit = how_many("limit", query.limit, DEFAULT_MATCHES, MAX_MATCHES)?;
    if !(1..=MAX_WORDS).contains(&query.q.chars().count()) {
        return Err(bad("q", "there must be something to look for".into(), &["1 to 200 characters"]));
    }
    let job = api.dispatcher.job(id).await?;
    api.log_is_kept(&job).await?;
    let (attempt, words) = (job.attempt_id(), Words::new(&query.q, query.ignore_case));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = api.on_logs(move |logs| logs.search(attempt, &words, from, limit)).await?;
    let told = |found: Match| LogMatch { line: found.number + 1, offset: found.offset, text: found.text };
    Ok(Json(LogMatches {
        attempt: job.attempt,
        total: found.total,
        complete: job.state.is_finished(),
        matches: found.matches.into_iter().map(told).collect(),
        next: found.next.map(|line| line + 1),
    }))
}
