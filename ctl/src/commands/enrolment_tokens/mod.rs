//! Tokens by which hosts enrol themselves: make, list, revoke.

pub mod create;
pub mod list;
pub mod revoke;

use shuntyard_domain::runner::Scope;

/// `-` for the enterprise, else the organisation.
fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Enterprise => String::new(),
        Scope::Org(org) => org.clone(),
    }
}
