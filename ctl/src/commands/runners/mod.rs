//! `shunt ctl`: enrol, list, show, change, test and remove runners, and accept their new host keys.

pub mod accept_host_key;
pub mod apply;
pub mod approve;
pub mod credential;
pub mod delete;
pub mod dial_out;
pub mod doctor;
pub mod export;
pub mod install;
pub mod label;
pub mod list;
pub mod rotate_key;
pub mod scope;
pub mod show;
pub mod state;
pub mod test;
pub mod via;

use reqwest::Method;
use shuntyard_domain::runner::check_hostname;
use shuntyard_domain::wire::api::{PatchRunner, RunnerBody};

use crate::client::{Client, encode, parse};
use crate::client_error::ClientError;
use crate::failure::Usage;

/// Refuses a runner's name that no host can have, before anything is sent.
///
/// # Errors
/// `Usage::BadName`
pub fn checked_hostname(text: &str) -> Result<&str, Usage> {
    check_hostname(text)?;
    Ok(text)
}

/// Changes a runner, and returns what it is then.
///
/// # Errors
/// `ClientError` when the server refuses; nothing is changed then.
pub async fn patch(client: &Client, hostname: &str, body: &PatchRunner) -> Result<RunnerBody, ClientError> {
    let url = client.url(&format!("runners/{hostname}"), &[]);
    let json = encode(&url, body)?;
    parse(&url, &client.answer(Method::PATCH, &url, Some(json)).await?.bytes)
}

/// Refuses a list of runners with one that does not exist, before any is changed.
///
/// # Errors
/// `ClientError` of the first that is not there.
pub async fn that_exist(client: &Client, hostnames: &[String]) -> Result<(), ClientError> {
    for hostname in hostnames {
        client.get::<RunnerBody>(&format!("runners/{hostname}")).await?;
    }
    Ok(())
}
