//! What hosts told about stopped jobs; written together with the job's end.

use diesel::prelude::*;

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::receipt::StopReceipt;

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::job_receipts;

const RECEIPT: &str = "receipt of job";

/// Inserts the receipt of the attempt with which the job ended.
///
/// # Errors
/// `Conflict` when the job has one: a job ends once.
pub fn job_receipt_insert(c: &mut StoreConnection, id: AttemptId, receipt: &StopReceipt) -> Result<(), StoreError> {
    let key = id.job.to_string();
    let about = About { what: RECEIPT, key: &key };
    let body = about.json("body", receipt)?;
    let row =
        (job_receipts::job_id.eq(&key), job_receipts::attempt.eq(i64::from(id.attempt)), job_receipts::body.eq(body));
    c.transaction(|c| diesel::insert_into(job_receipts::table).values(row).execute(c))
        .map(|_| ())
        .map_err(|source| about.insert(source))
}

/// Returns the job's receipt; `None` when it was not stopped, or its host told nothing.
pub fn job_receipt_find(c: &mut StoreConnection, id: JobId) -> Result<Option<StopReceipt>, StoreError> {
    let key = id.to_string();
    let found: Option<String> = job_receipts::table
        .find(&key)
        .select(job_receipts::body)
        .first(c)
        .optional()
        .map_err(|source| About { what: RECEIPT, key: &key }.find(source))?;
    found.map(|text| Row { table: "job_receipts", key: &key }.json("body", &text)).transpose()
}
