//! The project configuration `config.json`: Chef's `job_dispatch` and what each phase does.
//!
//! A text becomes a `ProjectConfig`, or the list of everything that is wrong with it. Layers, from the
//! text up: `fault` (paths and positions of faults), `json` and `reader` (values with positions), `shape`
//! (recurring types), `dispatch` and `settings` (the two big keys), `document` (the whole).

mod dependency;
mod dispatch;
mod document;
pub(crate) mod fault;
mod json;
mod local_phases;
mod reader;
#[cfg(test)]
mod reader_tests;
mod report;
mod secrets;
mod settings;
mod shape;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::document::Document;
use crate::filter::Filter;
use crate::job::{Concurrency, JobSpec};
use crate::phase::Phase;
use crate::secret::SecretUse;

pub use self::dependency::Dependency;
pub use self::dispatch::MAX_ROWS;
pub use self::document::MAX_BYTES;
pub use self::fault::Fault;
pub(crate) use self::fault::nearest;
pub(crate) use self::local_phases::kind as toml_kind;
pub use self::local_phases::{LOCAL_PHASES_CANDIDATES, LocalPhases, MAX_LOCAL_PHASES_BYTES, parse_local_phases};
pub use self::report::{CheckReport, LocalPhasesReport, PhaseReport, SaidIn, check_report};
pub use self::settings::SettingKey;

/// Where a project keeps its configuration, relative to its directory; the first that exists is read.
pub const CANDIDATES: [&str; 3] = [".shuntyard/config.json", ".delivery/config.json", "config.json"];

/// A configuration without faults.
#[derive(Clone, Debug, PartialEq)]
pub struct ProjectConfig {
    document: Document,
}

/// One phase, with every default applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhaseConfig {
    /// One row per job, in the order written; never empty.
    pub filters: Vec<Filter>,
    /// The filter was written as a list, even of one.
    pub is_matrix: bool,
    /// Seconds a job may run; `None` = no limit.
    pub timeout_s: Option<u32>,
    /// The phase has no jobs and counts as passed.
    pub skip: bool,
    /// A POSIX shell script; `None` when the configuration does not say what the phase does.
    pub run: Option<String>,
    pub env: BTreeMap<String, String>,
    /// Seconds a job may wait for its start; `None` = no limit.
    pub queue_s: Option<u32>,
    /// Seconds a job may write nothing; `None` = no limit.
    pub silence_s: Option<u32>,
    /// Seconds between TERM and KILL.
    pub stop_grace_s: u32,
    /// Bytes of a job's output that are kept; `None` = what the dispatcher's configuration says.
    pub output_cap_bytes: Option<u64>,
    /// Seconds a job goes on without a dispatcher; `None` = for ever.
    pub stop_after_disconnect_s: Option<u32>,
    /// The first failed row stops its siblings.
    pub fail_fast: bool,
    /// Jobs of one run of the phase that are unfinished at a time; `None` = all rows at once.
    pub max_parallel: Option<u32>,
    /// Row by row, whether it may fail without failing the phase.
    pub continue_on_error: Vec<bool>,
    /// Patterns of files to keep.
    pub artifacts: Vec<String>,
    /// A job whose result is lost may be started again.
    pub retry_on_lost: bool,
    /// The group under whose limit the jobs count.
    pub concurrency: Option<Concurrency>,
    /// The secrets that every job is handed.
    pub secrets: Vec<SecretUse>,
}

/// Reads the text of a config.json.
///
/// # Errors
/// Every fault of the text, in its order; never an empty list.
pub fn parse(text: &str) -> Result<ProjectConfig, Vec<Fault>> {
    document::read(text).map(|document| ProjectConfig { document })
}

impl ProjectConfig {
    /// What one phase resolves to.
    ///
    /// A phase's filter replaces the default one, without merging. Its time limit is
    /// `phases.<name>.timeout_s`, else `phase_timeouts.<name>`, else `phase_timeouts.default`.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> PhaseConfig {
        let Document { dispatch, skip, timeouts, settings, .. } = &self.document;
        let dispatch::Rows { filters, is_matrix } = dispatch.rows(phase);
        let settings = settings.get(&phase).cloned().unwrap_or_default();
        let continue_on_error = filters.iter().map(|row| settings.continue_on_error.holds(row)).collect();
        PhaseConfig {
            filters,
            is_matrix,
            timeout_s: settings.timeout_s.or(timeouts.phases.get(&phase).copied()).or(timeouts.default_s),
            skip: skip.contains(&phase),
            run: settings.run,
            env: settings.env,
            queue_s: settings.queue_s,
            silence_s: settings.silence_s,
            stop_grace_s: settings.stop_grace_s.unwrap_or(JobSpec::default_stop_grace_s()),
            output_cap_bytes: settings.output_cap_mib.map(|mib| u64::from(mib) << 20),
            stop_after_disconnect_s: settings.stop_after_disconnect_s,
            fail_fast: settings.fail_fast,
            max_parallel: settings.max_parallel,
            continue_on_error,
            artifacts: settings.artifacts,
            retry_on_lost: settings.retry_on_lost,
            concurrency: settings.concurrency,
            secrets: settings.secrets,
        }
    }

    /// Projects that this one needs at run time, in the order written, each once.
    #[must_use]
    pub fn dependencies(&self) -> &[Dependency] {
        &self.document.dependencies
    }

    /// Top-level keys that mean nothing here, as written: `version`, `build_cookbook` and any other.
    #[must_use]
    pub const fn ignored(&self) -> &Map<String, Value> {
        &self.document.ignored
    }

    /// Ignored keys that look like a misspelling: the JSON path of each, and the key that was probably meant.
    ///
    /// They are no faults, because Chef ignores them too; whoever shows a configuration may warn.
    #[must_use]
    pub fn misspelt(&self) -> Vec<(String, &'static str)> {
        self.document.misspelt()
    }
}

/// One line for people that tells the rows of a phase apart: `unit {"platform":["ubuntu"]}`.
#[must_use]
pub fn row_title(phase: Phase, filter: &Filter) -> String {
    format!("{phase} {filter}")
}
