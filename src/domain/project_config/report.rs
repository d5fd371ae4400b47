//! The answer of `shunt config check`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fault, LocalPhases, ProjectConfig, parse, parse_local_phases};
use crate::closed::closed_list;
use crate::filter::Filter;
use crate::phase::Phase;

/// What a check of a project says: every fault, or what each phase resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Of both files.
    pub valid: bool,
    /// Of config.json, in the order of the text.
    pub errors: Vec<Fault>,
    /// All ten phases in pipeline order when valid; else none.
    pub phases: BTreeMap<Phase, PhaseReport>,
    /// Of project.toml, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_phases: Option<LocalPhasesReport>,
}

/// What a check of project.toml says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalPhasesReport {
    /// The path, as it was found.
    pub file: String,
    /// In the order of the text.
    pub errors: Vec<Fault>,
}

closed_list!(
    /// Which file of a project says what a phase does.
    SaidIn {
        Config = "config", LocalPhases = "local_phases",
    }
);

/// What one phase resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// One per job; never empty.
    pub filters: Vec<Filter>,
    /// Seconds a job may run; `None` = no limit.
    pub timeout_s: Option<u32>,
    pub skip: bool,
    /// Where its command stands; `None` when the project has none: what the dispatcher's template says, else nothing.
    #[serde(default)]
    pub said_in: Option<SaidIn>,
}

/// Checks the text of a config.json, and path and text of the project.toml that belongs to it.
#[must_use]
pub fn check_report(config: &str, local: Option<(&str, &str)>) -> CheckReport {
    let read = local.map(|(file, text)| (file, parse_local_phases(text)));
    let local_phases = read.as_ref().map(|(file, read)| LocalPhasesReport {
        file: (*file).to_owned(),
        errors: read.as_ref().err().cloned().unwrap_or_default(),
    });
    match (parse(config), read) {
        (Ok(config), None) => good(&config, None, local_phases),
        (Ok(config), Some((_, Ok(local)))) => good(&config, Some(&local), local_phases),
        (config, _) => CheckReport {
            valid: false,
            errors: config.err().unwrap_or_default(),
            phases: BTreeMap::new(),
            local_phases,
        },
    }
}

fn good(config: &ProjectConfig, local: Option<&LocalPhases>, local_phases: Option<LocalPhasesReport>) -> CheckReport {
    let report = |phase: &Phase| {
        let of = config.phase(*phase);
        let said_in = match (&of.run, local.and_then(|local| local.command(*phase))) {
            (Some(_), _) => Some(SaidIn::Config),
            (None, Some(_)) => Some(SaidIn::LocalPhases),
            (None, None) => None,
        };
        (*phase, PhaseReport { filters: of.filters, timeout_s: of.timeout_s, skip: of.skip, said_in })
    };
    CheckReport { valid: true, errors: Vec::new(), phases: Phase::ALL.iter().map(report).collect(), local_phases }
}
