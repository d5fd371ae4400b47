//! One change, live: a snapshot after every change of it.

use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::wire::change::ChangeBody;

use crate::snapshots::{SnapshotNews, Snapshots};

/// What is new.
pub type ChangeNews = SnapshotNews<ChangeBody>;
pub type ChangeFollower = Snapshots<ChangeBody>;

/// Follows one change that the server is known to have.
#[must_use]
pub fn follower(change: ChangeId) -> ChangeFollower {
    Snapshots::new(format!("changes/{change}/streaming"), "change")
}
