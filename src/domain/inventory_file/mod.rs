//! `inventory.toml`: runners as a file says them, and what there is to do about it.
//!
//! A table for each runner, `[runners."build-1.example.com"]`. A key that is absent is not the file's business: what
//! people set by hand stays.

mod plan;
mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use crate::closed::closed_list;
use crate::runner::{RunnerState, Scope};

pub use plan::{Action, KeyChange, Plan, PlanStep, plan, step};
pub use read::{MAX_INVENTORY_BYTES, parse};
pub use write::write;

closed_list!(
    /// The keys of a runner's table, in the order in which they are written.
    InventoryKey {
        /// Where to connect, when it is not the runner's name.
        Address = "address",
        Port = "port",
        /// The jump host through which it is reached; `""`: none.
        Jump = "jump",
        /// The login that does the bootstrap.
        User = "user",
        /// Jobs run as that login.
        NoSudo = "no_sudo",
        /// A file with the private key for the bootstrap.
        IdentityFile = "identity_file",
        /// `SHA256:…` that the host must show at the bootstrap.
        HostKey = "host_key",
        Labels = "labels", Capabilities = "capabilities",
        /// `enterprise`, or `org:NAME`.
        Scope = "scope",
        Slots = "slots", State = "state",
        /// Why it is in its state.
        Reason = "reason",
    }
);

/// What a file says about runners, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InventoryFile {
    pub runners: BTreeMap<String, Entry>,
}

/// What a file says about one runner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub address: Option<String>,
    pub port: Option<u16>,
    pub jump: Option<String>,
    pub user: Option<String>,
    pub no_sudo: Option<bool>,
    pub identity_file: Option<String>,
    pub host_key: Option<String>,
    pub labels: Option<BTreeSet<String>>,
    pub capabilities: Option<BTreeSet<String>>,
    pub scope: Option<Scope>,
    pub slots: Option<u32>,
    pub state: Option<RunnerState>,
    pub reason: Option<String>,
}
