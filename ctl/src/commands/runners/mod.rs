//! `shunt ctl`: enrol, list, test and remove runners, and accept their new host keys.

pub mod accept_host_key;
pub mod approve;
pub mod credential;
pub mod delete;
pub mod install;
pub mod list;
pub mod test;

use shuntyard_domain::runner::check_hostname;

use crate::failure::Usage;

/// Refuses a runner's name that no host can have, before anything is sent.
///
/// # Errors
/// `Usage::BadName`
pub fn checked_hostname(text: &str) -> Result<&str, Usage> {
    check_hostname(text)?;
    Ok(text)
}
