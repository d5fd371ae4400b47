//! The three clocks of a job as the dispatcher keeps them: queue, run, silence.
//!
//! Run and silence are the runner's to keep, so that a lost link changes nothing. The dispatcher acts only when a
//! host should have stopped its job long before and has not.

use std::collections::BTreeSet;

use crate::ids::JobId;
use crate::job::{Job, JobSpec};

/// How long beyond limit and grace a host may take before the dispatcher steps in.
pub const MARGIN_MS: i64 = 5_000;

fn ms(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000
}

/// When a job that still waits has waited too long, in unix milliseconds; `None` = never.
///
/// Counted from the submission, also for a job that came back to the queue.
#[must_use]
pub fn expires_at_ms(job: &Job) -> Option<i64> {
    job.spec.queue_limit_s.map(|limit_s| job.created_at_ms.saturating_add(ms(limit_s)))
}

/// How long after its start a job should be over, in milliseconds, if its host keeps the run limit.
#[must_use]
pub fn run_overdue_ms(spec: &JobSpec) -> Option<i64> {
    spec.run_limit_s.map(|limit_s| ms(limit_s) + ms(spec.stop_grace_s) + MARGIN_MS)
}

/// How long after its last output a job should be over, in milliseconds, if its host keeps the silence limit.
#[must_use]
pub fn silence_overdue_ms(spec: &JobSpec) -> Option<i64> {
    spec.silence_limit_s.map(|limit_s| ms(limit_s) + ms(spec.stop_grace_s) + MARGIN_MS)
}

/// How long after more output than its host may hold a job should be over, in milliseconds.
#[must_use]
pub fn output_overdue_ms(spec: &JobSpec) -> i64 {
    ms(spec.stop_grace_s) + MARGIN_MS
}

/// Jobs by the time at which they are to be looked at; every change costs the logarithm of their number.
#[derive(Clone, Debug, Default)]
pub struct Deadlines(BTreeSet<(i64, JobId)>);

impl Deadlines {
    /// Notes that the job is to be looked at; true when it is now the first.
    pub fn watch(&mut self, at_ms: i64, job: JobId) -> bool {
        self.0.insert((at_ms, job)) && self.0.first() == Some(&(at_ms, job))
    }

    /// The time of the first.
    #[must_use]
    pub fn next_ms(&self) -> Option<i64> {
        self.0.first().map(|(at_ms, _)| *at_ms)
    }

    /// Takes out the jobs whose time has come, earliest first.
    pub fn due(&mut self, now_ms: i64) -> Vec<JobId> {
        let mut due = Vec::new();
        while let Some(&(at_ms, job)) = self.0.first()
            && at_ms <= now_ms
        {
            self.0.pop_first();
            due.push(job);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn job(number: u128) -> JobId {
        JobId(Uuid::from_u128(number))
    }

    #[test]
    fn jobs_are_due_in_the_order_of_their_times_and_once() {
        let mut deadlines = Deadlines::default();
        assert_eq!((deadlines.next_ms(), deadlines.due(i64::MAX)), (None, vec![]));
        assert!(deadlines.watch(20, job(1)));
        assert!(!deadlines.watch(30, job(2)), "a later one wakes nobody");
        assert!(deadlines.watch(10, job(3)));
        assert!(!deadlines.watch(10, job(3)), "known already");
        assert_eq!((deadlines.next_ms(), deadlines.due(9)), (Some(10), vec![]));
        assert_eq!(deadlines.due(20), [job(3), job(1)]);
        assert_eq!(deadlines.due(i64::MAX), [job(2)]);
        assert_eq!(deadlines.next_ms(), None);
    }

    #[test]
    fn the_dispatcher_waits_for_limit_grace_and_a_margin() {
        let spec = JobSpec { run_limit_s: Some(60), silence_limit_s: Some(7), ..JobSpec::shell("true") };
        assert_eq!(run_overdue_ms(&spec), Some(60_000 + 10_000 + MARGIN_MS));
        assert_eq!(silence_overdue_ms(&spec), Some(7_000 + 10_000 + MARGIN_MS));
        let longest = JobSpec { run_limit_s: Some(u32::MAX), stop_grace_s: u32::MAX, ..JobSpec::shell("true") };
        assert!(run_overdue_ms(&longest) > Some(0));
        let endless = JobSpec::shell("true");
        assert_eq!((run_overdue_ms(&endless), silence_overdue_ms(&endless)), (None, None));
    }
}
