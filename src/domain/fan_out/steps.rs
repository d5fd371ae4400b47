//! What is to be done next about a fan-out, from what is stored: no memory, so a restart asks the same question.

use std::collections::BTreeSet;

use super::{FanOut, FanOutRow, FanOutStatus, RowNotRun, RowStanding};
use crate::ids::{JobId, RunnerId};
use crate::stage::JobStanding;

/// Rows that one commit starts, at most.
pub const START_MAX: usize = 500;

/// One thing to store or to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A job for each of these rows, in one commit.
    Start { rows: Vec<u32> },
    /// These rows get no job; of rows whose job waits for a runner that is gone: their jobs are ended next.
    LeaveOut { rows: Vec<u32>, reason: RowNotRun },
    /// The ends of these jobs.
    Cancel { jobs: Vec<JobId> },
    /// It has ended.
    Finish { status: FanOutStatus },
}

/// Says what to do next; nothing when it waits for jobs, or has ended. `gone` are those of its runners that are not in the
/// inventory any more.
///
/// Steps of one answer can be done in any order, and doing one twice is refused by what is stored.
#[must_use]
pub fn steps(fan_out: &FanOut, rows: &[FanOutRow], gone: &BTreeSet<RunnerId>) -> Vec<Step> {
    if fan_out.end.is_some() {
        return Vec::new();
    }
    let first = without_runner(rows, gone);
    if !first.is_empty() {
        // What is without a runner counts as failed: first it is stored, then the rest is decided.
        return first;
    }
    let mut steps: Vec<Step> = cancel(rows).filter(|_| fan_out.cancel.is_some()).into_iter().collect();
    let idle = || rows.iter().filter(|row| row.standing() == RowStanding::Idle && !gone.contains(&row.runner));
    if let Some(reason) = halted(fan_out, rows) {
        let rows: Vec<u32> = idle().map(|row| row.number).collect();
        steps.extend((!rows.is_empty()).then_some(Step::LeaveOut { rows, reason }));
    } else {
        let rows = startable(fan_out, rows, idle());
        steps.extend((!rows.is_empty()).then_some(Step::Start { rows }));
    }
    let is_open = |row: &FanOutRow| matches!(row.standing(), RowStanding::Idle | RowStanding::Live);
    if steps.is_empty() && !rows.iter().any(is_open) {
        steps.push(Step::Finish { status: status(fan_out, rows) });
    }
    steps
}

/// Why no further row is started; `None` while they are.
#[must_use]
pub fn halted(fan_out: &FanOut, rows: &[FanOutRow]) -> Option<RowNotRun> {
    if fan_out.cancel.is_some() {
        return Some(RowNotRun::Cancelled);
    }
    let has_failed = |row: &&FanOutRow| match row.standing() {
        RowStanding::Failed => true,
        // Its runner was deleted; the other reasons follow from a halt.
        RowStanding::NotRun => row.not_run == Some(RowNotRun::RunnerDeleted),
        RowStanding::Idle | RowStanding::Live | RowStanding::Succeeded => false,
    };
    if rows.iter().filter(|row| row.number < fan_out.pace.canary).any(|row| has_failed(&row)) {
        return Some(RowNotRun::CanaryFailed);
    }
    let failed = rows.iter().filter(has_failed).count();
    let most = fan_out.pace.max_failures_of(count(rows));
    (failed > most as usize).then_some(RowNotRun::MaxFailures)
}

fn count(rows: &[FanOutRow]) -> u32 {
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}

/// The rows whose turn it is.
fn startable<'a>(fan_out: &FanOut, rows: &[FanOutRow], idle: impl Iterator<Item = &'a FanOutRow>) -> Vec<u32> {
    let canary = fan_out.pace.canary;
    let canaries_passed =
        rows.iter().filter(|row| row.number < canary).all(|row| row.standing() == RowStanding::Succeeded);
    let live = rows.iter().filter(|row| row.standing() == RowStanding::Live).count();
    let room = (fan_out.pace.batch_of(count(rows)) as usize).saturating_sub(live);
    let turn = idle.filter(|row| canaries_passed || row.number < canary);
    turn.map(|row| row.number).take(room.min(START_MAX)).collect()
}

/// Rows whose runner is gone: not started ones are left out, and a job that waits for it would wait for ever.
fn without_runner(rows: &[FanOutRow], gone: &BTreeSet<RunnerId>) -> Vec<Step> {
    if gone.is_empty() {
        return Vec::new();
    }
    let (mut left_out, mut jobs) = (Vec::new(), Vec::new());
    for row in rows.iter().filter(|row| gone.contains(&row.runner)) {
        match &row.job {
            None if row.not_run.is_none() => left_out.push(row.number),
            Some(job) if job.standing == JobStanding::Waiting => {
                if row.not_run.is_none() {
                    left_out.push(row.number);
                }
                jobs.extend((!job.is_marked).then_some(job.id));
            }
            None | Some(_) => {}
        }
    }
    let reason = RowNotRun::RunnerDeleted;
    let left_out = (!left_out.is_empty()).then_some(Step::LeaveOut { rows: left_out, reason });
    left_out.into_iter().chain((!jobs.is_empty()).then_some(Step::Cancel { jobs })).collect()
}

fn cancel(rows: &[FanOutRow]) -> Option<Step> {
    let live = rows.iter().filter(|row| row.standing() == RowStanding::Live);
    let jobs: Vec<JobId> =
        live.filter_map(|row| row.job.as_ref()).filter(|job| !job.is_marked).map(|job| job.id).collect();
    (!jobs.is_empty()).then_some(Step::Cancel { jobs })
}

fn status(fan_out: &FanOut, rows: &[FanOutRow]) -> FanOutStatus {
    if rows.iter().all(|row| row.standing() == RowStanding::Succeeded) {
        FanOutStatus::Succeeded
    } else if fan_out.cancel.is_some() {
        FanOutStatus::Cancelled
    } else {
        FanOutStatus::Failed
    }
}
