//! Which other projects take part in a change's union, and with which of their changes.
//!
//! The rule, in full:
//!
//! - A *consumer* of project P is another project whose `dependencies` name P, in the configuration of its latest
//!   delivered change in a pipeline. A name alone means the same organisation and a pipeline of the same name.
//! - A run has one place for each project name: of several organisations or pipelines with consumers of one name
//!   the latest delivery takes part, and none that has the name of P itself.
//! - Its *latest delivered change* is the one with the latest delivery: that is what stands in the shared
//!   environments. A change that is only proposed or approved has not been there and proves nothing about it.
//! - A project without a delivered change takes no part, whatever its newer configurations say.
//! - Consumers are direct ones: the consumers of a consumer depend on the consumer, which does not change.
//! - A consumer runs the four phases of union from the source of that change, in the same groups as the
//!   change itself. Any failed row of any consumer that may not fail fails the run, and the change is not
//!   promoted to rehearsal until a run of union has passed.

use crate::ids::ChangeId;
use crate::project_config::ProjectConfig;
use crate::tenancy::PipelinePath;

/// A change that was delivered, with the configuration of its latest run.
#[derive(Clone, Debug)]
pub struct Delivered<'a> {
    pub at: &'a PipelinePath,
    pub change: ChangeId,
    pub delivered_at_ms: i64,
    pub config: &'a ProjectConfig,
}

/// A project that takes part in the union of another's change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Consumer<'a> {
    pub at: &'a PipelinePath,
    pub change: ChangeId,
    pub config: &'a ProjectConfig,
}

/// The consumers of the project, by name.
///
/// `delivered` may hold any delivered changes of the enterprise, in any order.
#[must_use]
pub fn consumers<'a>(of: &PipelinePath, delivered: &[Delivered<'a>]) -> Vec<Consumer<'a>> {
    let near = |at: &PipelinePath| at.enterprise == of.enterprise && at.project != of.project;
    let mut latest: Vec<&Delivered<'a>> = delivered.iter().filter(|change| near(change.at)).collect();
    // Of two deliveries in one millisecond the change with the later id counts.
    latest.sort_by_key(|change| (change.at, std::cmp::Reverse((change.delivered_at_ms, change.change))));
    latest.dedup_by_key(|change| change.at);
    latest.retain(|change| change.config.dependencies().iter().any(|needed| needed.leads(change.at, of)));
    latest.sort_by_key(|change| (&change.at.project, std::cmp::Reverse((change.delivered_at_ms, change.change))));
    latest.dedup_by_key(|change| &change.at.project);
    latest.iter().map(|change| Consumer { at: change.at, change: change.change, config: change.config }).collect()
}
