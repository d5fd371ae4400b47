//! The answer of `shunt config check`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Fault;
use crate::filter::Filter;
use crate::phase::Phase;

/// What a check of a config.json says: every fault, or what each phase resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    pub valid: bool,
    /// In the order of the text; empty when valid.
    pub errors: Vec<Fault>,
    /// All ten phases in pipeline order when valid; else none.
    pub phases: BTreeMap<Phase, PhaseReport>,
}

/// What one phase resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// One per job; never empty.
    pub filters: Vec<Filter>,
    /// Seconds a job may run; `None` = no limit.
    pub timeout_s: Option<u32>,
    pub skip: bool,
}

/// Checks the text of a config.json.
#[must_use]
pub fn check_report(text: &str) -> CheckReport {
    match super::parse(text) {
        Err(errors) => CheckReport { valid: false, errors, phases: BTreeMap::new() },
        Ok(config) => {
            let report = |phase: &Phase| {
                let of = config.phase(*phase);
                (*phase, PhaseReport { filters: of.filters, timeout_s: of.timeout_s, skip: of.skip })
            };
            CheckReport { valid: true, errors: Vec::new(), phases: Phase::ALL.iter().map(report).collect() }
        }
    }
}
