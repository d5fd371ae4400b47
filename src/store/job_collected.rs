//! What jobs have left: outputs and files that are kept; written together with the job's end.

use std::collections::BTreeMap;

use diesel::dsl::count_star;
use diesel::prelude::*;

use shuntyard_domain::artifacts::{Artifact, Collected};
use shuntyard_domain::digest::Digest;
use shuntyard_domain::ids::{AttemptId, JobId};

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::{job_artifacts, job_collected};

const COLLECTED: &str = "what was collected of job";
const ARTIFACT: &str = "artifact of job";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = job_artifacts)]
struct ArtifactRow {
    job_id: String,
    path: String,
    size: i64,
    digest: String,
    executable: bool,
}

impl ArtifactRow {
    fn into_artifact(self) -> Result<Artifact, StoreError> {
        let row = Row { table: "job_artifacts", key: &self.job_id };
        Ok(Artifact {
            size: row.number("size", self.size)?,
            digest: row.parse("digest", &self.digest)?,
            executable: self.executable,
            path: self.path,
        })
    }
}

/// Inserts what the attempt has left with which the job ended.
///
/// # Errors
/// `Conflict` when there is something: a job ends once.
pub fn job_collected_insert(c: &mut StoreConnection, id: AttemptId, collected: &Collected) -> Result<(), StoreError> {
    let key = id.job.to_string();
    let about = About { what: COLLECTED, key: &key };
    let outputs = about.json("outputs", &collected.outputs)?;
    let row = (
        job_collected::job_id.eq(&key),
        job_collected::attempt.eq(i64::from(id.attempt)),
        job_collected::outputs.eq(outputs),
        job_collected::outputs_fault.eq(&collected.outputs_fault),
        job_collected::artifacts_fault.eq(&collected.artifacts_fault),
    );
    c.transaction(|c| {
        diesel::insert_into(job_collected::table).values(row).execute(c)?;
        collected.artifacts.iter().try_for_each(|artifact| {
            let row = ArtifactRow {
                job_id: key.clone(),
                path: artifact.path.clone(),
                size: i64::try_from(artifact.size).unwrap_or(i64::MAX),
                digest: artifact.digest.to_string(),
                executable: artifact.executable,
            };
            diesel::insert_into(job_artifacts::table).values(row).execute(c).map(|_| ())
        })
    })
    .map_err(|source| about.insert(source))
}

/// Returns what a job has left, with the number of its files in place of them; `None` when there was nothing to collect.
pub fn job_collected_find(c: &mut StoreConnection, id: JobId) -> Result<Option<(Collected, u64)>, StoreError> {
    let key = id.to_string();
    let about = About { what: COLLECTED, key: &key };
    let found: Option<(String, Option<String>, Option<String>)> = job_collected::table
        .find(&key)
        .select((job_collected::outputs, job_collected::outputs_fault, job_collected::artifacts_fault))
        .first(c)
        .optional()
        .map_err(|source| about.find(source))?;
    let Some((outputs, outputs_fault, artifacts_fault)) = found else { return Ok(None) };
    let row = Row { table: "job_collected", key: &key };
    let outputs = row.json("outputs", &outputs)?;
    let of_job = job_artifacts::table.filter(job_artifacts::job_id.eq(&key));
    let count: i64 = of_job.select(count_star()).first(c).map_err(|source| about.find(source))?;
    let collected = Collected { outputs, outputs_fault, artifacts: Vec::new(), artifacts_fault };
    Ok(Some((collected, row.number("count", count)?)))
}

/// Returns a job's files in the order of their paths.
pub fn job_artifacts(c: &mut StoreConnection, id: JobId) -> Result<Vec<Artifact>, StoreError> {
    let key = id.to_string();
    let rows: Vec<ArtifactRow> = job_artifacts::table
        .filter(job_artifacts::job_id.eq(&key))
        .select(ArtifactRow::as_select())
        .load(c)
        .map_err(|source| About { what: "artifacts of job", key: &key }.find(source))?;
    let mut artifacts: Vec<Artifact> = rows.into_iter().map(ArtifactRow::into_artifact).collect::<Result<_, _>>()?;
    // Not left to the database: its order depends on its locale.
    artifacts.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(artifacts)
}

/// How many files each of these jobs has kept; those that kept none are left out.
///
/// # Errors
/// `StoreError::List`
pub fn jobs_artifact_counts(c: &mut StoreConnection, ids: &[JobId]) -> Result<BTreeMap<JobId, i64>, StoreError> {
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let counts: Vec<(String, i64)> = job_artifacts::table
        .filter(job_artifacts::job_id.eq_any(keys))
        .group_by(job_artifacts::job_id)
        .select((job_artifacts::job_id, count_star()))
        .load(c)
        .map_err(|source| StoreError::List { what: "artifacts", source })?;
    let parsed = |(id, count): (String, i64)| {
        let row = Row { table: "job_artifacts", key: &id };
        Ok((row.parse("job_id", &id)?, count))
    };
    counts.into_iter().map(parsed).collect()
}

/// Returns one of a job's files.
pub fn job_artifact_find(c: &mut StoreConnection, id: JobId, path: &str) -> Result<Option<Artifact>, StoreError> {
    let key = id.to_string();
    let row: Option<ArtifactRow> = job_artifacts::table
        .find((&key, path))
        .select(ArtifactRow::as_select())
        .first(c)
        .optional()
        .map_err(|source| About { what: ARTIFACT, key: &key }.find(source))?;
    row.map(ArtifactRow::into_artifact).transpose()
}

/// Returns the contents that some job's file has, each once: these stay in the blob store.
pub fn artifact_contents(c: &mut StoreConnection) -> Result<Vec<Digest>, StoreError> {
    let texts: Vec<String> = job_artifacts::table
        .select(job_artifacts::digest)
        .distinct()
        .load(c)
        .map_err(|source| StoreError::List { what: "contents of artifacts", source })?;
    let row = Row { table: "job_artifacts", key: "" };
    texts.iter().map(|text| row.parse("digest", text)).collect()
}
