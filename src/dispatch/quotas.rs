//! What one project may have at a time, decided in the transaction that stores what it asks for.

use shuntyard_domain::job::JobOrigin;

use super::DispatchError;
use crate::store::{Connection, QuotaRow, project_quotas_find, project_unfinished};

/// What a project may have that nobody has said otherwise of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Jobs that have not ended; `None`: any number.
    pub unfinished_jobs: Option<u32>,
    /// Of the script of one job.
    pub script_bytes: u32,
    /// Jobs of one phase run.
    pub matrix_rows: u32,
    /// What a job may ask to keep of its output.
    pub job_log_bytes: u64,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { unfinished_jobs: Some(100_000), script_bytes: 1 << 20, matrix_rows: 500, job_log_bytes: 1 << 40 }
    }
}

/// Which quota is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    UnfinishedJobs,
    ScriptBytes,
    MatrixRows,
    JobLogBytes,
}

/// A project asks for more than it may have; nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct OverQuota {
    pub quota: Quota,
    pub project: String,
    /// Where it stands in the request.
    pub path: String,
    pub found: u64,
    pub allowed: u64,
}

impl OverQuota {
    fn sentence(&self) -> String {
        let Self { project, found, allowed, .. } = self;
        match self.quota {
            Quota::UnfinishedJobs => format!(
                "project {project} would have {found} unfinished jobs and may have {allowed}: wait until some have ended, cancel \
                 some, or have an admin raise it (shunt project limit {project} --unfinished N)"
            ),
            Quota::ScriptBytes => format!("the script has {found} bytes; of project {project} it may have {allowed}"),
            Quota::MatrixRows => format!("the matrix has {found} rows; of project {project} it may have {allowed}"),
            Quota::JobLogBytes => {
                format!("{found} bytes of output are to be kept; of a job of project {project} up to {allowed} are")
            }
        }
    }

    /// What would be taken.
    #[must_use]
    pub fn allowed(&self) -> String {
        let unit = match self.quota {
            Quota::UnfinishedJobs => "unfinished jobs",
            Quota::ScriptBytes | Quota::JobLogBytes => "bytes",
            Quota::MatrixRows => "rows",
        };
        format!("up to {} {unit}", self.allowed)
    }
}

/// What somebody asks for on behalf of a project.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Jobs that are not counted yet, as they are stored later.
    pub later_jobs: u64,
    /// Where the script stands, and its bytes.
    pub script: Option<(String, usize)>,
    pub rows: usize,
    /// Where it stands, and how much is to be kept.
    pub log: Option<(String, u64)>,
}

impl Quotas {
    /// Refuses what is too much, within the transaction that has inserted the jobs: none of them stays then.
    ///
    /// # Errors
    /// `OverQuota` for the first that is exceeded, `Store`.
    pub(super) fn check(&self, c: &mut Connection, origin: &JobOrigin, asked: &Asked) -> Result<(), DispatchError> {
        let key = (origin.enterprise.as_str(), origin.org.as_str(), origin.project.as_str());
        let own = project_quotas_find(c, key)?;
        self.check_sizes(&own, &origin.project, asked)?;
        self.check_queue(c, origin, &own, asked.later_jobs)
    }

    /// Refuses what is too large by itself; `own` are the quotas of the project.
    ///
    /// # Errors
    /// `OverQuota` for the first that is exceeded.
    pub(super) fn check_sizes(&self, own: &QuotaRow, project: &str, asked: &Asked) -> Result<(), OverQuota> {
        let over = |quota, path: &str, found: u64, allowed: u64| {
            Err(OverQuota { quota, project: project.to_owned(), path: path.to_owned(), found, allowed })
        };
        if let Some((path, bytes)) = &asked.script {
            let (found, allowed) = (*bytes as u64, u64::from(own.script_bytes.unwrap_or(self.script_bytes)));
            if found > allowed {
                return over(Quota::ScriptBytes, path, found, allowed);
            }
        }
        let (rows, allowed) = (asked.rows as u64, u64::from(own.matrix_rows.unwrap_or(self.matrix_rows)));
        if rows > allowed {
            return over(Quota::MatrixRows, "config", rows, allowed);
        }
        if let Some((path, found)) = &asked.log {
            let allowed = own.job_log_bytes.unwrap_or(self.job_log_bytes);
            if *found > allowed {
                return over(Quota::JobLogBytes, path, *found, allowed);
            }
        }
        Ok(())
    }

    fn check_queue(
        &self,
        c: &mut Connection,
        origin: &JobOrigin,
        own: &QuotaRow,
        later: u64,
    ) -> Result<(), DispatchError> {
        let Some(allowed) = own.unfinished_jobs.or(self.unfinished_jobs).map(u64::from) else { return Ok(()) };
        let found = project_unfinished(c, origin)? + later;
        if found <= allowed {
            return Ok(());
        }
        let (quota, project, path) = (Quota::UnfinishedJobs, origin.project.clone(), "project".to_owned());
        Err(OverQuota { quota, project, path, found, allowed }.into())
    }
}
