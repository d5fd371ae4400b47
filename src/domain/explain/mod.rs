//! Why a job waits.
//!
//! The answer is made from the same `Filter::clause_matches` by which the board places. Lists of names
//! are short on purpose (a house may have 10,000 runners); the numbers beside them are complete.

mod inquiry;
mod offers;
mod sentence;

use serde::{Deserialize, Serialize};

use crate::board::LimitKind;
use crate::closed::closed_list;
use crate::ids::JobId;

pub use offers::PoolOffer;

pub(crate) use inquiry::{Asked, Seen, answer};

/// Names and jobs that one list of an explanation holds at most.
pub const LISTED_MAX: usize = 20;
/// Near misses that an explanation holds at most.
pub const NEAREST_MAX: usize = 5;

closed_list!(
    /// Whether the job can run at all.
    Verdict {
        /// No runner of the inventory may take it, whatever its availability.
        Never = "never",
        /// Some runner may take it, but none will take it next.
        NotNow = "not_now",
        /// The next slot that becomes free on one of its runners is its own.
        Next = "next",
    }
);

closed_list!(
    /// Why a runner that matches does not take the job now.
    WhyNot {
        /// It has a free slot: a limit keeps the job from it, or it is being placed.
        Free = "free",
        /// Available, and all its slots are taken.
        Busy = "busy",
        /// The dispatcher has no contact with it.
        Unreachable = "unreachable",
        /// Its last Test failed.
        Unhealthy = "unhealthy",
        Draining = "draining",
        Disabled = "disabled",
        Quarantined = "quarantined",
        /// It takes one job only, and has had it.
        Spent = "spent",
        /// Its bootstrap has not passed Test.
        Pending = "pending",
    }
);

/// The whole answer to "why does this job wait?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Explanation {
    pub job: JobId,
    /// Its place among the waiting jobs with the same filter and organisation, from 1.
    pub position: usize,
    /// Waiting jobs that one of its runners would take before it, those of the same class included, and those not that
    /// a limit keeps back unless it is the job's own.
    pub ahead: usize,
    pub verdict: Verdict,
    /// One for each key of the filter, in the order of `FilterKey`.
    pub clauses: Vec<ClauseExplanation>,
    /// Host names of runners that serve another organisation only; the first 20 by name.
    pub scope_excluded: Vec<String>,
    pub scope_excluded_total: usize,
    /// Runners that match scope and filter; the first 20, busy ones first, then by name.
    pub candidates: Vec<CandidateExplanation>,
    pub candidates_total: usize,
    /// The limits that it counts under, reached or not.
    #[serde(default)]
    pub limits: Vec<LimitExplanation>,
    /// How many runners in scope match all clauses but this one, by the clause's key; the most first.
    #[serde(default)]
    pub nearest_by_key: Vec<NearCount>,
    /// Runners in scope that match all clauses but one; at most 5, available ones first, then by name.
    pub nearest: Vec<NearMiss>,
    /// Pools that could start a machine for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolOffer>,
    /// The whole queue is paused: nothing starts, whoever is free.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paused: bool,
    /// One sentence for people: why it waits.
    pub summary: String,
    /// One sentence for people: what would let it start.
    pub unblock: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_false(word: &bool) -> bool {
    !*word
}

/// What one clause of the filter does, counted over the runners in scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ClauseExplanation {
    /// The key's word, as in `FilterKey`.
    pub key: String,
    /// The values asked for, sorted.
    pub wanted: Vec<String>,
    pub matching: usize,
    pub excluded: usize,
    /// Host names of the excluded runners; the first 20 by name.
    pub excluded_runners: Vec<String>,
}

/// A runner that may take the job, but not now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct CandidateExplanation {
    pub hostname: String,
    pub why: WhyNot,
    /// Jobs that hold its slots, in order of submission; at most 20.
    pub busy_with: Vec<JobId>,
    /// Since when it is so, by whom and why, when somebody has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A runner that one clause keeps from the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NearMiss {
    pub hostname: String,
    /// The key of that clause.
    pub key: String,
    /// What the runner has there; labels and capabilities joined by `, `.
    pub has: String,
}

/// What a limit does to the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LimitExplanation {
    pub kind: LimitKind,
    /// The project's or the group's name.
    pub name: String,
    /// Jobs that may run at a time.
    pub limit: u32,
    /// Jobs that hold a slot now.
    pub running: u32,
    /// It keeps the job back now.
    pub reached: bool,
    /// Waiting jobs under the same limit that go before it.
    pub ahead: usize,
    /// The jobs that hold a slot, in order of submission; at most 20.
    pub holders: Vec<HolderExplanation>,
}

/// A job that holds a place under a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct HolderExplanation {
    pub job: JobId,
    /// Empty for a job without a project.
    pub project: String,
    /// When it was placed, RFC 3339 in UTC; `None` when that is not known.
    #[serde(default)]
    pub since: Option<String>,
}

/// Runners that one clause alone keeps from the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct NearCount {
    pub key: String,
    pub runners: usize,
}
