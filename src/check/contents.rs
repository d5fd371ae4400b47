//! What lies beside the database: logs that no row knows, and rows whose files are gone.

use std::collections::HashMap;

use shuntyard_domain::ids::{AttemptId, JobId};

use super::database::told;
use super::{Findings, count, shown};
use crate::blobs::content_path;
use crate::config::DataPaths;
use crate::logs::survey;
use crate::store::{Connection, LogHolding, StoreError, artifact_contents, log_holdings};

/// A daemon that runs may change both sides while they are compared: only what is finished is missed.
pub(super) fn check(c: &mut Connection, paths: &DataPaths, findings: &mut Findings) {
    let done = logs(c, paths, findings).and_then(|()| artifacts(c, paths, findings));
    if let Err(error) = done {
        findings.fault("unreadable_rows", told(&error), "restore the last backup");
    }
}

#[derive(Default)]
struct Tally {
    jobs: u64,
    unfinished: u64,
    missing: u64,
    short: u64,
}

fn logs(c: &mut Connection, paths: &DataPaths, findings: &mut Findings) -> Result<(), StoreError> {
    let stored = match survey(&paths.logs) {
        Ok(stored) => stored,
        Err(error) => {
            let next = "run the check as the account that runs shuntd, or as root";
            findings.fault("logs_unreadable", format!("{}: {error}", shown(&paths.logs)), next);
            return Ok(());
        }
    };
    let bytes: u64 = stored.iter().map(|log| log.bytes).sum();
    let mut by_job: HashMap<JobId, Vec<(AttemptId, u64)>> = HashMap::new();
    stored.iter().for_each(|log| by_job.entry(log.attempt.job).or_default().push((log.attempt, log.bytes)));
    let mut tally = Tally::default();
    log_holdings(c, |holding| tally.look_at(holding, &mut by_job))?;
    let unknown: u64 = by_job.values().map(|logs| logs.len() as u64).sum();
    let told = format!(
        "{} ({} unfinished), {} in {} MiB",
        count(tally.jobs, "job"),
        tally.unfinished,
        count(stored.len() as u64, "log"),
        bytes >> 20
    );
    findings.note("contents", told);
    if unknown > 0 {
        let message = format!("{} below {} belong to no job", count(unknown, "log"), shown(&paths.logs));
        findings.warning("unknown_logs", message, "an older database was put back, perhaps; they do no harm");
    }
    if tally.missing + tally.short > 0 {
        let message =
            format!("of finished jobs {} missing, and {} cut", is_or_are(tally.missing), is_or_are(tally.short));
        findings.warning("missing_logs", message, "their jobs show no or a shorter output; a backup may have it");
    }
    Ok(())
}

fn is_or_are(logs: u64) -> String {
    format!("{} {}", count(logs, "log"), if logs == 1 { "is" } else { "are" })
}

impl Tally {
    fn look_at(&mut self, holding: LogHolding, stored: &mut HashMap<JobId, Vec<(AttemptId, u64)>>) {
        let logs = stored.remove(&holding.attempt.job).unwrap_or_default();
        self.jobs += 1;
        self.unfinished += u64::from(!holding.finished);
        if !holding.finished || holding.log_bytes == 0 {
            return;
        }
        match logs.iter().find(|(attempt, _)| *attempt == holding.attempt) {
            None => self.missing += 1,
            Some((_, bytes)) => self.short += u64::from(*bytes < holding.log_bytes),
        }
    }
}

fn artifacts(c: &mut Connection, paths: &DataPaths, findings: &mut Findings) -> Result<(), StoreError> {
    let known = artifact_contents(c)?;
    let missing = known.iter().filter(|digest| !content_path(&paths.blobs, **digest).exists()).count() as u64;
    if missing > 0 {
        let message = format!("of {} of artifacts {missing} are missing", count(known.len() as u64, "content"));
        findings.warning("missing_artifacts", message, "they cannot be downloaded; a backup may have them");
    }
    Ok(())
}
