//! Fan-outs: one command on every matching runner, shown and followed.

pub mod shown;
pub mod watch;

use reqwest::{Method, StatusCode};
use shuntyard_domain::ids::FanOutId;
use shuntyard_domain::wire::fan_out::FanOutBody;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::run::watch::CANCEL_AGAIN;

/// Reads one fan-out with its rows.
///
/// # Errors
/// `Failure::NoFanOut`, `Failure::Client`
pub async fn fetch(client: &Client, id: FanOutId) -> Result<FanOutBody, Failure> {
    client.get(&format!("fan_outs/{id}")).await.map_err(|error| of_fan_out(id, error))
}

/// Turns "not found" about one fan-out into a sentence that names the next step.
pub fn of_fan_out(id: FanOutId, error: ClientError) -> Failure {
    match error {
        ClientError::Refused(refusal)
            if refusal.status == StatusCode::NOT_FOUND && refusal.body.error == "not_found" =>
        {
            Failure::NoFanOut(id)
        }
        error => error.into(),
    }
}

/// Names the flag where the server names a key of its body: what the user has typed.
pub fn with_flag(error: ClientError) -> ClientError {
    let ClientError::Refused(mut refusal) = error else { return error };
    let flag = match refusal.body.path.as_deref() {
        Some("canary") => "--canary",
        Some("batch") => "--batch",
        Some("max_failures") => "--max-failures",
        Some(path) if path.starts_with("job.filter") => "--filter",
        _ => return ClientError::Refused(refusal),
    };
    refusal.body.path = Some(flag.to_owned());
    ClientError::Refused(refusal)
}

/// Asks for its end until the server has answered: it may be restarting just now.
///
/// # Errors
/// `ClientError` that will not pass by itself.
pub async fn cancel(client: &Client, id: FanOutId) -> Result<(), ClientError> {
    let url = client.url(&format!("fan_outs/{id}"), &[]);
    loop {
        match client.answer(Method::DELETE, &url, None).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_passing() => tokio::time::sleep(CANCEL_AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}
