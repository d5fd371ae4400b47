//! Numbers over a window: the queue, how long jobs waited, how much of the runners was used.

use std::sync::Arc;

use maud::{Markup, html};
use shuntyard_domain::runner::{Runner, RunnerState};

use super::Window;
use crate::http::ui::parts::clock;
use crate::store::{JobCounts, JobSpan};

pub(super) struct Figures {
    counts: JobCounts,
    /// Sorted: how long each job that started in the window had waited.
    waits_ms: Vec<i64>,
    busy_ms: i64,
    slots: i64,
    window_ms: i64,
}

impl Figures {
    pub(super) fn of(counts: JobCounts, jobs: &[JobSpan], runners: &[Arc<Runner>], window: Window) -> Self {
        let started = jobs.iter().filter(|job| job.started_at_ms >= window.from_ms);
        let mut waits_ms: Vec<i64> = started.map(|job| (job.started_at_ms - job.created_at_ms).max(0)).collect();
        waits_ms.sort_unstable();
        let served = runners.iter().filter(|runner| runner.state == RunnerState::Enrolled);
        Self {
            counts,
            waits_ms,
            busy_ms: jobs.iter().map(|job| busy_ms(job, window)).sum(),
            slots: served.map(|runner| i64::from(runner.slots)).sum(),
            window_ms: window.to_ms - window.from_ms,
        }
    }

    /// The wait that `percent` of the jobs did not exceed; nearest rank.
    fn wait_ms(&self, percent: usize) -> Option<i64> {
        let rank = (self.waits_ms.len() * percent).div_ceil(100).max(1);
        self.waits_ms.get(rank - 1).copied()
    }

    /// Hundredths of the slots' time that jobs had.
    fn used(&self) -> Option<i64> {
        (self.slots > 0).then(|| (100 * self.busy_ms / (self.slots * self.window_ms)).min(100))
    }

    pub(super) fn cards(&self) -> Markup {
        let wait = |percent| self.wait_ms(percent).map_or_else(|| "–".to_owned(), clock);
        html! { dl.figures {
            div { dt { "Waiting" } dd { a href="/queue" { (self.counts.waiting) } } }
            div { dt { "Running" } dd { a href="/queue" { (self.counts.placed) } } }
            div { dt { "Ended" } dd { (self.counts.ended) } }
            div { dt { "Failed" } dd { a href="/history?state=failed" { (self.counts.failed) } } }
            div { dt { "Wait, half of them" } dd { (wait(50)) } }
            div { dt { "Wait, 95 %" } dd { (wait(95)) } }
            div { dt { "Slots used" } dd { (self.used().map_or_else(|| "–".to_owned(), |used| format!("{used} %"))) } }
        } }
    }
}

/// How long it had a slot within the window.
fn busy_ms(job: &JobSpan, window: Window) -> i64 {
    (job.finished_at_ms.unwrap_or(window.to_ms).min(window.to_ms) - job.started_at_ms.max(window.from_ms)).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(created_at_ms: i64, started_at_ms: i64, finished_at_ms: Option<i64>) -> JobSpan {
        JobSpan {
            id: created_at_ms.to_string(),
            title: "t".into(),
            state: "running".into(),
            runner: Some("r".into()),
            created_at_ms,
            started_at_ms,
            finished_at_ms,
        }
    }

    #[test]
    fn waits_are_ranked_and_only_the_time_inside_of_the_window_counts() {
        let window = Window { from_ms: 1000, to_ms: 2000 };
        let jobs = [job(0, 500, Some(1100)), job(1000, 1001, Some(1201)), job(1000, 1100, None)];
        let figures = Figures::of(JobCounts::default(), &jobs, &[], window);
        assert_eq!(figures.busy_ms, 100 + 200 + 900);
        assert_eq!((figures.wait_ms(50), figures.wait_ms(95)), (Some(1), Some(100)));
        assert_eq!(Figures::of(JobCounts::default(), &[], &[], window).wait_ms(50), None);
        assert_eq!(figures.used(), None);
    }
}
