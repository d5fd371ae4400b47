//! Retention: lets go of logs, artifacts and histories by age and size, the oldest end first.
//!
//! A reconciler: it looks seldom, has no memory, and works in small batches so that the store's writer serves others
//! between them. Files go first: after a crash in between the next look finds the job again.

use std::time::Duration;

use serde_json::json;
use shuntyard_domain::access::Place;
use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::retention::{KeptBody, RetentionBody};
use shuntyard_domain::wire::time_text::rfc3339;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::engine_error::told;
use super::{DispatchError, Dispatcher, Thing};
use crate::store::{
    Changed, Connection, JobPart, OldJob, StoreError, audit_note, fan_out_find, fan_out_forget, fan_out_to_forget,
    fan_outs_to_forget, job_find, jobs_forget, jobs_to_forget, jobs_with_part, part_bytes, parts_removed,
};

const FIRST_LOOK: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_secs(3600);
/// Jobs in one write: a few milliseconds of the writer.
const BATCH: i64 = 50;
const BREATH: Duration = Duration::from_millis(20);

/// How long and how much is kept; `None`: for ever, without bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    pub log_max_age: Option<Duration>,
    pub log_max_bytes: Option<u64>,
    pub artifact_max_age: Option<Duration>,
    pub artifact_max_bytes: Option<u64>,
    /// Of jobs that belong to no change.
    pub job_max_age: Option<Duration>,
}

impl Retention {
    const fn of(&self, part: JobPart) -> (Option<Duration>, Option<u64>) {
        match part {
            JobPart::Log => (self.log_max_age, self.log_max_bytes),
            JobPart::Artifacts => (self.artifact_max_age, self.artifact_max_bytes),
        }
    }

    fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether what is found goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Remove,
    /// Only counted.
    Plan,
}

/// Starts the task that looks, when anything has a bound.
pub(super) fn start(engine: &Dispatcher) {
    if engine.0.retention.is_off() {
        return;
    }
    let looking = engine.clone();
    engine.0.tasks.spawn(info_span!("retention"), move |stop| look_hourly(looking, stop));
}

async fn look_hourly(engine: Dispatcher, stop: CancellationToken) {
    let mut pause = FIRST_LOOK;
    while tokio::time::timeout(pause, stop.cancelled()).await.is_err() {
        pause = LOOK_EVERY;
        let done = tokio::select! {
            () = stop.cancelled() => return,
            done = engine.look(Purpose::Remove) => done,
        };
        match done {
            Ok(gone) if gone.is_something() => tracing::info!(
                logs = gone.logs.jobs,
                log_bytes = gone.logs.bytes,
                artifacts = gone.artifacts.jobs,
                artifact_bytes = gone.artifacts.bytes,
                jobs = gone.jobs.jobs,
                "retention has removed"
            ),
            Ok(_) => (),
            Err(error) => tracing::warn!(error = told(&error), "retention stopped half-way; it goes on in an hour"),
        }
    }
}

impl Dispatcher {
    /// What retention would remove now. Reads the history: for a person's question.
    ///
    /// # Errors
    /// `Store`
    pub async fn retention_plan(&self) -> Result<RetentionBody, DispatchError> {
        self.look(Purpose::Plan).await
    }

    /// Removes now what the hourly look would remove, and answers what it was.
    ///
    /// # Errors
    /// `Store`, `Log`; what went before the error is gone.
    pub async fn apply_retention(&self) -> Result<RetentionBody, DispatchError> {
        let engine = self.clone();
        self.to_the_end(async move { engine.look(Purpose::Remove).await }).await
    }

    async fn look(&self, purpose: Purpose) -> Result<RetentionBody, DispatchError> {
        // One at a time: two would count the same jobs.
        let _turn = self.0.retaining.lock().await;
        let kept = self.0.retention;
        let days = |age: Option<Duration>| age.map(|age| age.as_secs() / 86_400);
        let mut gone = RetentionBody {
            log_max_age_days: days(kept.log_max_age),
            log_max_mib: kept.log_max_bytes.map(|bytes| bytes >> 20),
            artifact_max_age_days: days(kept.artifact_max_age),
            artifact_max_mib: kept.artifact_max_bytes.map(|bytes| bytes >> 20),
            job_max_age_days: days(kept.job_max_age),
            ..RetentionBody::default()
        };
        gone.logs = self.look_at_part(JobPart::Log, purpose).await?;
        gone.artifacts = self.look_at_part(JobPart::Artifacts, purpose).await?;
        if let Some(age) = kept.job_max_age {
            let ended_before_ms = self.0.clock.now_ms() - millis(age);
            gone.jobs = self.forget_jobs(ended_before_ms, purpose).await?;
            let of_fan_outs = match purpose {
                Purpose::Remove => self.forget_fan_outs(ended_before_ms).await?,
                Purpose::Plan => self.count_fan_outs(ended_before_ms).await?,
            };
            gone.jobs.jobs += of_fan_outs.jobs;
            gone.jobs.bytes += of_fan_outs.bytes;
        }
        Ok(gone)
    }

    /// Walks from the oldest end until neither age nor size asks for more.
    async fn look_at_part(&self, part: JobPart, purpose: Purpose) -> Result<KeptBody, DispatchError> {
        let (max_age, max_bytes) = self.0.retention.of(part);
        let mut gone = KeptBody::default();
        if max_age.is_none() && max_bytes.is_none() {
            return Ok(gone);
        }
        let mut left = match max_bytes {
            Some(_) => self.0.store.read(move |c| part_bytes(c, part)).await?,
            None => 0,
        };
        let ended_before_ms = max_age.map(|age| self.0.clock.now_ms() - millis(age));
        let mut after = (i64::MIN, String::new());
        loop {
            let from = after.clone();
            let page = self.0.store.read(move |c| jobs_with_part(c, part, &from, BATCH)).await?;
            let Some(last) = page.last() else { return Ok(gone) };
            after = (last.ended_at_ms, last.id.to_string());
            let found = page.len();
            let mut going = Vec::new();
            for job in page {
                let too_old = ended_before_ms.is_some_and(|before| job.ended_at_ms < before);
                if !too_old && max_bytes.is_none_or(|most| left <= most) {
                    break;
                }
                left = left.saturating_sub(job.bytes);
                going.push(job);
            }
            gone.jobs += going.len() as u64;
            gone.bytes += going.iter().map(|job| job.bytes).sum::<u64>();
            let all = going.len() == found;
            if purpose == Purpose::Remove {
                self.remove_part(part, going).await?;
            }
            if !all {
                return Ok(gone);
            }
        }
    }

    async fn remove_part(&self, part: JobPart, going: Vec<OldJob>) -> Result<(), DispatchError> {
        if part == JobPart::Log {
            self.remove_logs(&going).await?;
        }
        let now_ms = self.0.clock.now_ms();
        let write = move |c: &mut Connection| {
            parts_removed(c, part, &going, now_ms)?;
            note(c, part.as_str(), &going)
        };
        self.0.store.write(write).await?;
        tokio::time::sleep(BREATH).await;
        Ok(())
    }

    /// Jobs of no change and no fan-out.
    async fn forget_jobs(&self, ended_before_ms: i64, purpose: Purpose) -> Result<KeptBody, DispatchError> {
        let mut gone = KeptBody::default();
        let mut after = (i64::MIN, String::new());
        loop {
            let from = after.clone();
            let page = self.0.store.read(move |c| jobs_to_forget(c, &from, BATCH)).await?;
            let Some(last) = page.last() else { return Ok(gone) };
            after = (last.ended_at_ms, last.id.to_string());
            let found = page.len();
            let going: Vec<OldJob> = page.into_iter().take_while(|job| job.ended_at_ms < ended_before_ms).collect();
            let all = going.len() == found;
            gone.jobs += going.len() as u64;
            gone.bytes += going.iter().map(|job| job.bytes).sum::<u64>();
            if purpose == Purpose::Remove {
                self.remove_logs(&going).await?;
                let write = move |c: &mut Connection| {
                    let removed = removed_jobs(c, &going)?;
                    jobs_forget(c, &going)?;
                    note(c, "jobs", &going)?;
                    Ok::<_, StoreError>(removed)
                };
                self.tell_removed(self.0.store.write(write).await?);
                tokio::time::sleep(BREATH).await;
            }
            if !all {
                return Ok(gone);
            }
        }
    }

    async fn count_fan_outs(&self, ended_before_ms: i64) -> Result<KeptBody, DispatchError> {
        let (jobs, bytes) = self.0.store.read(move |c| fan_outs_to_forget(c, ended_before_ms)).await?;
        Ok(KeptBody { jobs, bytes })
    }

    /// Whole fan-outs: their jobs first, a batch at a time.
    async fn forget_fan_outs(&self, ended_before_ms: i64) -> Result<KeptBody, DispatchError> {
        let mut gone = KeptBody::default();
        loop {
            let first = self.0.store.read(move |c| fan_out_to_forget(c, ended_before_ms, BATCH)).await?;
            let Some((id, going)) = first else { return Ok(gone) };
            gone.jobs += going.len() as u64;
            gone.bytes += going.iter().map(|job| job.bytes).sum::<u64>();
            self.remove_logs(&going).await?;
            let write = move |c: &mut Connection| {
                let mut removed = removed_jobs(c, &going)?;
                let place = fan_out_find(c, id)?.map(|found| Place::of(&found.org, &found.project));
                fan_out_forget(c, id, &going)?;
                note(c, "fan_outs", &going)?;
                if fan_out_find(c, id)?.is_none() {
                    removed.extend(place.map(|place| (Thing::FanOut(id), place)));
                }
                Ok::<_, StoreError>(removed)
            };
            self.tell_removed(self.0.store.write(write).await?);
            tokio::time::sleep(BREATH).await;
        }
    }

    fn tell_removed(&self, removed: Vec<(Thing, Place)>) {
        removed.into_iter().for_each(|(thing, was_at)| self.0.feed.removed(thing, was_at));
    }

    async fn remove_logs(&self, going: &[OldJob]) -> Result<(), DispatchError> {
        let (logs, going) = (self.0.logs.clone(), going.to_vec());
        let removed = tokio::task::spawn_blocking(move || {
            let attempts =
                |job: &OldJob| (1..=job.attempts).map(|attempt| AttemptId { job: job.id, attempt }).collect::<Vec<_>>();
            going.iter().flat_map(attempts).try_for_each(|attempt| logs.remove(attempt))
        });
        Ok(removed.await.map_err(|_| DispatchError::Interrupted)??)
    }
}

/// Jobs that are about to be forgotten, and where they lie.
fn removed_jobs(c: &mut Connection, going: &[OldJob]) -> Result<Vec<(Thing, Place)>, StoreError> {
    let mut removed = Vec::new();
    for job in going {
        let origin = job_find(c, job.id)?.map(|job| job.origin);
        removed.extend(origin.map(|origin| (Thing::Job(job.id), Place::of(&origin.org, &origin.project))));
    }
    Ok(removed)
}

/// One batch in the audit log, when a person asked for it: how much of what, up to which end.
fn note(c: &mut Connection, what: &str, gone: &[OldJob]) -> Result<(), StoreError> {
    let Some(last) = gone.last() else { return Ok(()) };
    let removed = || {
        let bytes: u64 = gone.iter().map(|job| job.bytes).sum();
        let told =
            json!({"what": what, "jobs": gone.len(), "bytes": bytes, "last_ended_at": rfc3339(last.ended_at_ms)});
        Changed::new("retention", None, Some(told))
    };
    audit_note(c, "retention.apply", removed)
}

fn millis(age: Duration) -> i64 {
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}
