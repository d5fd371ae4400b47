//! Runners × jobs as a picture: a row for each runner, a bar for each job, as wide as it took.

use std::collections::BTreeMap;

use maud::{Markup, html};
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

pub(super) fn draw(jobs: &[JobSpan], runners: &[String], window: Window) -> Markup {
    let mut rows: BTreeMap<&str, Vec<&JobSpan>> = BTreeMap::new();
    for job in jobs.iter().rev().filter(|job| job.started_at_ms.is_some()) {
        rows.entry(job.runner.as_deref().unwrap_or("?")).or_default().push(job);
    }
    for runner in runners {
        if rows.len() < MOST_ROWS {
            rows.entry(runner).or_default();
        }
    }
    html! {
        div.timeline {
            @for (runner, jobs) in rows.iter().take(MOST_ROWS) {
                div.row data-key=(runner) {
                    a.name href={ "/runners/" (runner) } title=(runner) { (runner) }
                    (bars(runner, jobs, window))
                }
            }
            div.row.axis {
                span.name {}
                div.ends { (parts::at(&rfc3339(window.from_ms))) (parts::at(&rfc3339((window.from_ms + window.to_ms) / 2))) (parts::at(&rfc3339(window.to_ms))) }
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
                @let from = x(job.started_at_ms.unwrap_or(window.from_ms));
                @let to = x(job.finished_at_ms.unwrap_or(window.to_ms));
                @let word = job.state.replace('_', " ");
                a href={ "/jobs/" (job.id) } aria-label={ (job.title) ", " (word) } {
                    title { (job.title) ", " (word) }
                    rect class={ "bar-" (job.state) } x=(from) y=(lane * LANE + 1) width=((to - from).max(2)) height=(LANE - 2) {}
                }
            }
        }
    }
}

/// A lane for each job, in the order of the jobs: the first that is free at its start.
fn lanes(jobs: &[&JobSpan], now_ms: i64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|n| jobs[*n].started_at_ms);
    let mut free_at: Vec<i64> = Vec::new();
    let mut lanes = vec![0; jobs.len()];
    for n in order {
        let started = jobs[n].started_at_ms.unwrap_or(0);
        let free = free_at.iter().position(|at| *at <= started);
        let lane = free.unwrap_or(free_at.len().min(MOST_LANES - 1));
        let until = jobs[n].finished_at_ms.unwrap_or(now_ms);
        match free_at.get_mut(lane) {
            Some(at) => *at = until,
            None => free_at.push(until),
        }
        lanes[n] = lane;
    }
    lanes
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
            started_at_ms: Some(started),
            finished_at_ms: finished,
        };
        let jobs = [job(0, Some(10)), job(5, None), job(10, Some(20)), job(12, Some(13)), job(20, Some(21))];
        let jobs: Vec<&JobSpan> = jobs.iter().collect();
        assert_eq!(lanes(&jobs, 100), [0, 1, 0, 2, 0]);
    }
}
