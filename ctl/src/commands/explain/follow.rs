//! `shunt explain --follow`: said again whenever it changes, until the job waits no more.

use reqwest::Method;
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::api::JobBody;

use super::{text, waits_no_more};
use crate::client::Client;
use crate::client_error::ClientError;
use crate::commands::of_job;
use crate::failure::Failure;
use crate::sse::SseParser;
use crate::terminal::{print, stdout_colour};

/// Prints each explanation that differs from the one before; then what became of the job.
///
/// # Errors
/// `Failure` when the stream breaks off while the job waits, or standard output fails.
pub(super) async fn run(client: &Client, id: JobId, json: bool) -> Result<u8, Failure> {
    let url = client.url(&format!("jobs/{id}/explain/streaming"), &[]);
    let (mut parser, mut said) = (SseParser::default(), String::new());
    // It may have been placed since it was looked at: the server refuses then, and what became of it is said below.
    let mut stream = match client.stream(Method::GET, &url, None, Vec::new()).await {
        Err(ClientError::Refused(refusal)) if refusal.status == reqwest::StatusCode::NOT_FOUND => None,
        answer => answer?,
    };
    while let Some(response) = &mut stream
        && let Some(bytes) = client.chunk(response).await?
    {
        let events = parser.feed(&bytes).map_err(|error| ClientError::Cut(error.to_string()))?;
        for event in events.into_iter().filter(|event| event.name == "explanation") {
            if event.data != said {
                print(shown(&event.data, json).as_bytes())?;
                said = event.data;
            }
        }
    }
    let job: JobBody = client.get(&format!("jobs/{id}")).await.map_err(|error| of_job(id, error))?;
    if job.state == "queued" {
        return Err(ClientError::Cut("the stream ended while the job waits".into()).into());
    }
    if json { Ok(0) } else { waits_no_more(&job, "waits no more") }
}

/// One line of JSON, or the text and an empty line behind it. What a later server says otherwise is shown as it is.
fn shown(data: &str, json: bool) -> String {
    match serde_json::from_str::<Explanation>(data) {
        Ok(told) if !json => text(&told, stdout_colour()) + "\n",
        _ => format!("{data}\n"),
    }
}
