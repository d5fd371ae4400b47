//! What people do about a change: sent to the address that the server offers, or to Chef's when it offers none.

use reqwest::Method;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::Action;
use shuntyard_domain::wire::change::ChangeBody;

use super::standing::latest;
use crate::client::Client;
use crate::client_error::ClientError;

/// Asks for the action. What is not offered is asked for all the same: the server's answer says why not.
///
/// # Errors
/// `ClientError`, with the server's sentence when the action is not allowed.
pub async fn send(client: &Client, change: &ChangeBody, action: Action) -> Result<(), ClientError> {
    let stands = latest(change).map_or(Stage::Verify, |run| run.stage);
    send_at(client, change, action, stands).await
}

/// As `send`; a trigger is one of `stage`, where the change may not stand.
///
/// # Errors
/// As `send`.
pub async fn send_at(client: &Client, change: &ChangeBody, action: Action, stage: Stage) -> Result<(), ClientError> {
    let stands = latest(change).map_or(Stage::Verify, |run| run.stage);
    let offered = change.links.get(action.as_str()).filter(|_| stage == stands);
    let offered = offered.and_then(|link| Some((link.method.parse().ok()?, client.join(&link.href)?)));
    let (method, url) = offered.unwrap_or_else(|| {
        let (method, tail, query) = chefs(action, stage);
        let base = format!("orgs/{}/projects/{}/changes/{}", change.org, change.project, change.id);
        (method, client.url(&format!("{base}{tail}"), &query))
    });
    client.answer(method, &url, None).await.map(drop)
}

type Address = (Method, String, Vec<(&'static str, String)>);

fn chefs(action: Action, stage: Stage) -> Address {
    match action {
        Action::Approve => (Method::POST, "/merge".into(), Vec::new()),
        Action::Deliver => (Method::POST, "/accept".into(), Vec::new()),
        Action::Trigger => (Method::POST, format!("/trigger/{stage}"), Vec::new()),
        Action::RerunFailed => (Method::POST, format!("/trigger/{stage}"), vec![("failed_only", "true".into())]),
        Action::Cancel => (Method::POST, "/cancel".into(), Vec::new()),
        Action::Close => (Method::DELETE, String::new(), Vec::new()),
    }
}
