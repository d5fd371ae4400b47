//! Under which limits a job counts.

use crate::closed::closed_list;
use crate::job::Concurrency;

closed_list!(
    /// What a limit is about.
    LimitKind {
        /// The jobs of a project.
        Project = "project",
        /// The jobs of a named group.
        Group = "group",
    }
);

/// Whose limits a job counts under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub org: String,
    /// Empty for a job without a project, which no project's limit concerns.
    pub project: String,
    pub concurrency: Option<Concurrency>,
}
