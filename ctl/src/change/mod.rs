//! Changes: made of a project's files, shown, followed, and moved on.

pub mod action;
pub mod follower;
pub mod place;
pub mod shown;
pub mod source;
pub mod standing;
pub mod watch;
pub mod words;

use reqwest::StatusCode;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::wire::change::ChangeBody;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::Failure;

/// Reads one change.
///
/// # Errors
/// `Failure::NoChange`, `Failure::Client`
pub async fn fetch(client: &Client, id: ChangeId) -> Result<ChangeBody, Failure> {
    client.get(&format!("changes/{id}")).await.map_err(|error| of_change(id, error))
}

/// Turns "not found" about one change into a sentence that names the next step.
pub fn of_change(id: ChangeId, error: ClientError) -> Failure {
    match error {
        ClientError::Refused(refusal)
            if refusal.status == StatusCode::NOT_FOUND && refusal.body.error == "not_found" =>
        {
            Failure::NoChange(id)
        }
        error => error.into(),
    }
}
