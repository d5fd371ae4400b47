//! `shunt api`: any route of the API by hand; JSON is printed pretty, logs and event streams as they come.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, Url};
use serde_json::Value;

use crate::client::{Client, EVENT_STREAM, parse};
use crate::client_error::ClientError;
use crate::failure::{EXIT_ERROR, Failure, Usage};
use crate::pretty_json::pretty;
use crate::terminal::{note, print, stdout_colour};

/// Send one request to the API and print the answer as JSON, keys sorted
///
/// Logs (`jobs/ID/log`) and event streams (`jobs/streaming`) are printed as they come, until they end or Ctrl-C.
/// A POST has an Idempotency-Key of its own: it is sent again when the connection is cut, and what it makes is made once.
#[derive(Args, Debug)]
pub struct ApiArgs {
    method: Verb,
    /// Path below /api/v0/e/ENTERPRISE (`runners`, `jobs/ID`, `jobs?state=failed`), or from /api on
    path: String,
    /// Body: JSON text, @FILE, or - for standard input
    #[arg(short, long, value_name = "JSON")]
    data: Option<String>,
    /// On an error, print the server's error body too
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GET,
            Verb::Post => Self::POST,
            Verb::Put => Self::PUT,
            Verb::Patch => Self::PATCH,
            Verb::Delete => Self::DELETE,
        }
    }
}

/// # Errors
/// `Failure`, also for every error status.
pub async fn run(client: &Client, args: ApiArgs) -> Result<u8, Failure> {
    let url = address(client, &args.path)?;
    let body = args.data.as_deref().map(read_body).transpose()?;
    let answer = match args.method {
        Verb::Post => client.post_once(&url, body).await,
        method => client.any(method.into(), &url, body).await,
    };
    match answer {
        Ok(response) if is_raw(&response) => pass_through(client, response).await,
        Ok(response) => {
            let bytes = client.rest(response).await?;
            if !bytes.is_empty() {
                let value: Value = parse(&url, &bytes)?;
                print(pretty(&value, stdout_colour()).as_bytes())?;
            }
            Ok(0)
        }
        // Whatever the answer is about: the request was sent as it was written.
        Err(ClientError::Refused(refusal)) => {
            note(&format!("error: {refusal}"));
            if args.json {
                print(pretty(&refusal.json, stdout_colour()).as_bytes())?;
            }
            Ok(EXIT_ERROR)
        }
        Err(error) => Err(error.into()),
    }
}

/// Tells what is not JSON and yet right: output of jobs, and event streams.
fn is_raw(response: &Response) -> bool {
    let found = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["text/plain", "application/octet-stream", EVENT_STREAM].iter().any(|raw| found.starts_with(raw))
}

async fn pass_through(client: &Client, mut response: Response) -> Result<u8, Failure> {
    while let Some(bytes) = client.chunk(&mut response).await? {
        print(&bytes)?;
    }
    Ok(0)
}

/// Paths from `/api` (or `/workflow/api`, Chef's older tree) on are the server's; others are the enterprise's.
fn address(client: &Client, path: &str) -> Result<Url, Usage> {
    let bad = |why| Usage::BadPath { found: crate::terminal::plain(path), why };
    if path.contains("://") {
        return Err(bad("name the server with --server"));
    }
    if path.chars().any(|c| c.is_control() || c == '#' || c == ' ') {
        return Err(bad("it has a blank, a `#` or a control character; write them as %20 and so on"));
    }
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Err(bad("it is empty"));
    }
    if path.split('/').any(|segment| segment == "..") {
        return Err(bad("it has a `..`"));
    }
    let from_root = ["api", "workflow/api"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    let mut url = if from_root { client.connection().server.clone() } else { client.url("", &[]) };
    url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
    url.set_query(query);
    Ok(url)
}

fn read_body(data: &str) -> Result<Vec<u8>, Failure> {
    let text = if data == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(Failure::ReadInput)?
    } else if let Some(path) = data.strip_prefix('@') {
        let path = PathBuf::from(path);
        std::fs::read_to_string(&path).map_err(|source| Failure::ReadFile { path, source })?
    } else {
        data.to_owned()
    };
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(Usage::BadBody)?;
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Connection, Token};

    #[test]
    fn paths_are_the_enterprises_unless_they_begin_at_api() {
        let server = Url::parse("http://h/").unwrap();
        let (token, trust) = (Token::Missing(String::new()), crate::trust::Trust::default());
        let connection = Connection { server, enterprise: "acme".into(), token, trust };
        let client = Client::new(connection).unwrap();
        for (path, expected) in [
            ("runners", "http://h/api/v0/e/acme/runners"),
            ("/jobs/7/", "http://h/api/v0/e/acme/jobs/7"),
            ("jobs?state=failed&limit=3", "http://h/api/v0/e/acme/jobs?state=failed&limit=3"),
            ("/api/_status", "http://h/api/_status"),
            ("api/v0/e/other/jobs", "http://h/api/v0/e/other/jobs"),
            ("workflow/api/v0", "http://h/workflow/api/v0"),
            ("apiary", "http://h/api/v0/e/acme/apiary"),
            ("runners/a%20b", "http://h/api/v0/e/acme/runners/a%20b"),
        ] {
            assert_eq!(address(&client, path).unwrap().as_str(), expected, "{path}");
        }
        for bad in ["", "/", "http://elsewhere/x", "a b", "a#b", "a/../b", "a\nb"] {
            assert!(address(&client, bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_body_is_json_or_is_not_sent() {
        assert_eq!(read_body(r#"{"a":1}"#).unwrap(), br#"{"a":1}"#);
        assert!(read_body("{a:1}").is_err());
        assert!(read_body("@/no/such/file").is_err());
    }
}
