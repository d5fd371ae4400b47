//! The database: can it be opened, is it whole, and does the master key open what is sealed in it.

use super::{Findings, contents, count, shown};
use crate::config::{Config, DataPaths, Kept};
use crate::dispatch::open_sealed;
use crate::sealed::{SealError, Sealer, read_key_file};
use crate::store::{Connection, Inspected, StoreError, StoreUrl, inspect, sealed_values};

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

/// Every sealed value is opened; what is in them is dropped at once.
fn master_key(c: &mut Connection, paths: &DataPaths, findings: &mut Findings) -> Result<(), StoreError> {
    let (values, path) = (sealed_values(c)?, shown(&paths.master_key));
    if let Some(next) = paths.half_a_rotation() {
        let message = format!("a rotation of the master key was interrupted: {} is there", shown(&next));
        findings.fault("half_a_rotation", message, "run `shuntd rotate-master-key` again, which finishes it");
        return Ok(());
    }
    if !paths.master_key.exists() {
        no_master_key(&path, values.len(), paths.master_key_kept, findings);
        return Ok(());
    }
    let key = match read_key_file(&paths.master_key, paths.master_key_kept == Kept::BySystemd) {
        Ok(key) => key,
        Err(error) => {
            findings.fault("master_key", told(&error), "put it back from its backup, mode 0400");
            return Ok(());
        }
    };
    let sealer = Sealer::new(&key);
    let closed: Vec<SealError> =
        values.iter().filter_map(|(row, sealed)| open_sealed(&sealer, row, sealed).err()).collect();
    let all = count(values.len() as u64, "sealed value");
    match closed.first() {
        None => findings.note("master_key", format!("{path} opens {all}")),
        Some(first) => {
            let message = format!("{path} opens only {} of {all}; {}", values.len() - closed.len(), told(first));
            findings.fault("other_master_key", message, "put back the key that belongs to this database");
        }
    }
    Ok(())
}

fn no_master_key(path: &str, values: usize, kept: Kept, findings: &mut Findings) {
    if values == 0 && kept == Kept::InDataDir {
        findings.note("no_master_key", format!("{path} is not there yet; the first start makes it"));
    } else {
        let message =
            format!("{path} is missing, and only it opens {} of the database", count(values as u64, "sealed value"));
        let next = "put it back from its backup, mode 0400; where systemd keeps it, say so: \
                    SHUNTD_DATA_MASTER_KEY_FILE=/etc/credstore/shuntd-master-key shuntd check";
        findings.fault("master_key_missing", message, next);
    }
}

/// An error with its causes.
pub(super) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
