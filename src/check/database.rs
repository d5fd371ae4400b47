//! The database: can it be opened, is it whole, and does the master key open what is sealed in it.

use shuntyard_domain::ids::RunnerId;

use super::{Findings, contents, shown};
use crate::config::{Config, DataPaths};
use crate::dispatch::key_context;
use crate::sealed::Sealer;
use crate::store::{Connection, Inspected, StoreError, StoreUrl, inspect, runner_sealed_key, sealed_runners};

pub(super) fn check(config: &Config, paths: &DataPaths, findings: &mut Findings) {
    let url = match StoreUrl::parse(&config.store.url) {
        Ok(url) => url,
        Err(error) => return findings.fault("store_url", error.to_string(), "see [store] url"),
    };
    if let StoreUrl::Sqlite(path) = &url
        && !path.exists()
    {
        findings.note("no_database", format!("{} is not there yet; the first start makes it", shown(path)));
        return;
    }
    match inspect(&url) {
        Ok(found) => look_into(found, &url, paths, findings),
        Err(error) => {
            let (code, next) = match &error {
                StoreError::FromTheFuture { .. } => ("newer_database", "upgrade shuntd; there is no way back"),
                StoreError::List { .. } => ("not_a_database", "restore a backup (shuntd restore), or move it away"),
                _ => ("database_closed", "see [store] url, and whether the account may read it"),
            };
            findings.fault(code, told(&error), next);
        }
    }
}

fn look_into(found: Inspected, url: &StoreUrl, paths: &DataPaths, findings: &mut Findings) {
    let Inspected { mut connection, pending, faults } = found;
    for fault in faults {
        findings.fault("damaged", format!("{url}: {fault}"), "stop shuntd, keep a copy, and restore the last backup");
    }
    if !pending.is_empty() {
        let (first, last) = (&pending[0], &pending[pending.len() - 1]);
        let message = format!("{url} is of an older version; the next start migrates it ({first} to {last})");
        // Its rows are not what this version reads.
        return findings.note("older_database", message);
    }
    findings.note("database", format!("{url} is of this version"));
    if let Err(error) = master_key(&mut connection, paths, findings) {
        findings.fault("unreadable_rows", told(&error), "restore the last backup");
    }
    contents::check(&mut connection, paths, findings);
}

/// One key is opened: all are sealed alike.
fn master_key(c: &mut Connection, paths: &DataPaths, findings: &mut Findings) -> Result<(), StoreError> {
    let runners = sealed_runners(c)?;
    let path = shown(&paths.master_key);
    if !paths.master_key.exists() {
        if runners.is_empty() {
            findings.note("no_master_key", format!("{path} is not there yet; the first start makes it"));
        } else {
            let message = format!("{path} is missing, and only it opens the keys of {} runner(s)", runners.len());
            findings.fault("master_key_missing", message, "put it back from its backup, mode 0400");
        }
        return Ok(());
    }
    let sealer = match Sealer::from_key_file(&paths.master_key) {
        Ok(sealer) => sealer,
        Err(error) => {
            findings.fault("master_key", told(&error), "put it back from its backup, mode 0400");
            return Ok(());
        }
    };
    let Some(first) = runners.first() else { return Ok(()) };
    if opens(c, &sealer, *first)? {
        findings.note("master_key", format!("{path} opens the runners' keys"));
    } else {
        let message = format!("{path} does not open the key of runner {first}");
        findings.fault("other_master_key", message, "put back the key that belongs to this database");
    }
    Ok(())
}

fn opens(c: &mut Connection, sealer: &Sealer, runner: RunnerId) -> Result<bool, StoreError> {
    let sealed = runner_sealed_key(c, runner)?;
    Ok(sealed.is_none_or(|sealed| sealer.open(&key_context(runner), &sealed).is_ok()))
}

/// An error with its causes.
pub(super) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
