//! Runners × jobs as a picture: a row for each runner, a bar for each job, as wide as it took.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};
use shuntyard_domain::runner::Runner;
use shuntyard_domain::wire::time_text::rfc3339;

use super::Window;
use crate::http::ui::parts;
use crate::store::JobSpan;

/// Rows of the picture; runners without jobs are left out when there are more.
const MOST_ROWS: usize = 40;
/// Units of the picture's width.
const WIDTH: i64 = 1000;
/// Lanes of a row, for jobs at the same time; further ones share the last.
const MOST_LANES: usize = 6;
const LANE: usize = 14;

/// `jobs` in the order of their starts.
pub(super) fn draw(jobs: &[JobSpan], runners: &[Arc<Runner>], window: Window) -> Markup {
    let mut rows: BTreeMap<&str, Vec<&JobSpan>> = BTreeMap::new();
    for job in jobs {
        rows.entry(job.runner.as_deref().unwrap_or("?")).or_default().push(job);
    }
    for runner in runners {
        if rows.len() < MOST_ROWS {
            rows.entry(&runner.hostname).or_default();
        }
    }
    html! {
        div.timeline {
            @for (runner, jobs) in rows.iter().take(MOST_ROWS) {
                div.row data-key=(runner) {
                    // One that is deleted has no page.
                    @if runners.iter().any(|known| known.hostname == **runner) {
                        a.name href={ "/runners/" (runner) } title=(runner) { (runner) }
                    } @else { span.name title=(runner) { (runner) } }
                    (bars(runner, jobs, window))
                }
            }
            div.row.axis {
                span.name {}
                div.ends { @for at_ms in [window.from_ms, (window.from_ms + window.to_ms) / 2, window.to_ms] { (parts::at(&rfc3339(at_ms))) } }
            }
        }
    }
}

fn bars(runner: &str, jobs: &[&JobSpan], window: Window) -> Markup {
    let lanes = lanes(jobs, window.to_ms);
    let height = (lanes.iter().max().map_or(0, |lane| *lane) + 1) * LANE;
    let x = |at_ms: i64| {
        (at_ms.clamp(window.from_ms, window.to_ms) - window.from_ms) * WIDTH / (window.to_ms - window.from_ms)
    };
    let told = format!("{} jobs of {runner}", jobs.len());
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height) } height=(height) preserveAspectRatio="none" role="group" aria-label=(told) {
            @for (job, lane) in jobs.iter().zip(&lanes) {
                @let from = x(job.started_at_ms);
                @let to = x(job.finished_at_ms.unwrap_or(window.to_ms));
                @let word = job.state.replace('_', " ");
                a href={ "/jobs/" (job.id) } tabindex="-1" aria-label={ (job.title) ", " (word) } {
                    title { (job.title) ", " (word) }
                    rect class={ "bar-" (job.state) } x=(from) y=(lane * LANE + 1) width=((to - from).max(2)) height=(LANE - 2) {}
                }
            }
        }
    }
}

/// A lane for each job, in the order of the jobs, which is that of their starts: the first that is free then.
fn lanes(jobs: &[&JobSpan], now_ms: i64) -> Vec<usize> {
    let mut free_at: Vec<i64> = Vec::new();
    let lane = |job: &&JobSpan| {
        let free = free_at.iter().position(|at| *at <= job.started_at_ms);
        let lane = free.unwrap_or(free_at.len().min(MOST_LANES - 1));
        let until = job.finished_at_ms.unwrap_or(now_ms);
        match free_at.get_mut(lane) {
            Some(at) => *at = until,
            None => free_at.push(until),
        }
        lane
    };
    jobs.iter().map(lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_at_the_same_time_have_lanes_of_their_own() {
        let job = |started: i64, finished: Option<i64>| JobSpan {
            id: String::new(),
            title: String::new(),
            state: "running".into(),
            runner: None,
            created_at_ms: 0,
            started_at_ms: started,
            finished_at_ms: finished,
        };
        let jobs = [job(0, Some(10)), job(5, None), job(10, Some(20)), job(12, Some(13)), job(20, Some(21))];
        let jobs: Vec<&JobSpan> = jobs.iter().collect();
        assert_eq!(lanes(&jobs, 100), [0, 1, 0, 2, 0]);
    }
}
