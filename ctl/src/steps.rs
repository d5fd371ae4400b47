//! The step streams of install, delete and test: read, shown, and what they ended with.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::header::HeaderName;
use reqwest::{Method, Url};
use shuntyard_domain::wire::api::{RunnerBody, StepEvent};

use crate::client::{Client, RequestKey};
use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::sse::SseParser;
use crate::terminal::{self, note, paint, plain, style};

/// The last event of a step stream.
pub enum StepsEnd {
    Finished { runner: Option<Box<RunnerBody>>, left_behind: Vec<String> },
    HostKeyUnconfirmed { fingerprint: String, key_type: String },
    Failed(FailedStep),
}

/// A step that failed; what was done before it was undone.
pub struct FailedStep {
    pub step: String,
    pub why: String,
    pub try_next: String,
    pub rolled_back: Vec<String>,
    pub left_behind: Vec<String>,
}

/// Sends the request and shows each step as it comes; `if_cut` says what to do should the stream end early.
///
/// # Errors
/// `Failure::StepsCut` when the stream ends without a last event.
pub async fn follow(
    client: &Client,
    method: Method,
    url: &Url,
    json: Option<Vec<u8>>,
    if_cut: &'static str,
) -> Result<StepsEnd, Failure> {
    let mut view = StepView::new();
    each(client, method, url, json, if_cut, |event| view.show(event)).await
}

/// Sends the request and gives each event to `take`, which tells the last one; shows nothing.
///
/// # Errors
/// As `follow`.
pub async fn each(
    client: &Client,
    method: Method,
    url: &Url,
    json: Option<Vec<u8>>,
    if_cut: &'static str,
    mut take: impl FnMut(StepEvent) -> Option<StepsEnd>,
) -> Result<StepsEnd, Failure> {
    // Only a bootstrap makes something; all else is asked for once, and its stream is the only one.
    let mut key = url.path().ends_with("/install").then(RequestKey::fresh);
    loop {
        let headers = key.iter().map(RequestKey::header).collect();
        match once(client, method.clone(), url, json.clone(), headers, &mut take).await {
            Ok(Some(end)) => return Ok(end),
            Ok(None) => return Err(Failure::StepsCut(if_cut)),
            Err(error) => match &mut key {
                Some(key) => key.again(error).await?,
                None => return Err(error.into()),
            },
        }
    }
}

/// One request, to the last event of its stream.
async fn once(
    client: &Client,
    method: Method,
    url: &Url,
    json: Option<Vec<u8>>,
    headers: Vec<(HeaderName, &str)>,
    mut take: impl FnMut(StepEvent) -> Option<StepsEnd>,
) -> Result<Option<StepsEnd>, ClientError> {
    let Some(mut response) = client.stream(method, url, json, headers).await? else {
        return Ok(Some(StepsEnd::Finished { runner: None, left_behind: Vec::new() }));
    };
    let mut parser = SseParser::default();
    while let Some(bytes) = client.chunk(&mut response).await? {
        let path = || url.path().to_owned();
        let events = parser.feed(&bytes).map_err(|source| ClientError::EventTooLarge { path: path(), source })?;
        for event in events {
            let event: StepEvent = serde_json::from_str(&event.data)
                .map_err(|source| ClientError::UnknownEvent { path: path(), source })?;
            if let Some(end) = take(event) {
                return Ok(Some(end));
            }
        }
    }
    Ok(None)
}

/// What the last event of a stream says; `None` for any other.
#[must_use]
pub fn end_of(event: StepEvent) -> Option<StepsEnd> {
    match event {
        StepEvent::Began { .. } | StepEvent::Done { .. } | StepEvent::Probed { .. } => None,
        StepEvent::HostKeyUnconfirmed { fingerprint, key_type } => {
            Some(StepsEnd::HostKeyUnconfirmed { fingerprint: plain(&fingerprint), key_type: plain(&key_type) })
        }
        StepEvent::Failed { step, why, try_next, rolled_back, left_behind } => {
            Some(StepsEnd::Failed(FailedStep { step, why, try_next, rolled_back, left_behind }))
        }
        StepEvent::Finished { runner, left_behind } => Some(StepsEnd::Finished { runner, left_behind }),
    }
}

/// Steps on standard error: a spinner each on a terminal, plain lines elsewhere.
struct StepView {
    colour: bool,
    terminal: bool,
    spinner: Option<ProgressBar>,
    title: String,
}

impl StepView {
    fn new() -> Self {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self { colour: terminal::stderr_colour(), terminal, spinner: None, title: String::new() }
    }

    fn show(&mut self, event: StepEvent) -> Option<StepsEnd> {
        match &event {
            StepEvent::Began { title, .. } => self.begin(plain(title)),
            StepEvent::Done { detail, .. } => self.end(style::GREEN, "✔", &plain(detail)),
            StepEvent::Probed { .. } => {}
            StepEvent::HostKeyUnconfirmed { .. } | StepEvent::Finished { .. } => self.drop_spinner(),
            StepEvent::Failed { step, .. } => {
                if self.title.is_empty() {
                    self.title.clone_from(step);
                }
                self.end(style::RED, "✖", "");
            }
        }
        end_of(event)
    }

    fn begin(&mut self, title: String) {
        self.drop_spinner();
        if self.terminal {
            let spinner = ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner());
            spinner.set_message(title.clone());
            spinner.enable_steady_tick(Duration::from_millis(100));
            self.spinner = Some(spinner);
        }
        self.title = title;
    }

    fn end(&mut self, colour: &str, mark: &str, detail: &str) {
        self.drop_spinner();
        let title = std::mem::take(&mut self.title);
        let line = [title.as_str(), detail].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(": ");
        note(&format!("{} {line}", paint(self.colour, colour, mark)));
    }

    fn drop_spinner(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

impl FailedStep {
    /// Tells the user which step failed, why, what to try, what was undone and what was left.
    pub fn report(&self) {
        note(&self.text(terminal::stderr_colour()));
    }

    fn text(&self, colour: bool) -> String {
        let mut text =
            format!("{} step {}: {}", paint(colour, style::RED, "failed:"), plain(&self.step), plain(&self.why));
        if !self.try_next.is_empty() {
            text += &format!("\n  try: {}", plain(&self.try_next));
        }
        for (heading, lines) in [("rolled back", &self.rolled_back), ("left behind", &self.left_behind)] {
            text.extend(lines.iter().map(|line| format!("\n  {heading}: {}", plain(line))));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_says_why_what_to_try_what_was_undone_and_what_is_left() {
        let failed = FailedStep {
            step: "sudo".into(),
            why: "sudo asks for a password".into(),
            try_next: "--no-sudo".into(),
            rolled_back: vec!["removed the key line".into()],
            left_behind: vec!["user job_runner".into()],
        };
        assert_eq!(
            failed.text(false),
            "failed: step sudo: sudo asks for a password\n  try: --no-sudo\n  rolled back: removed the key line\n  \
             left behind: user job_runner"
        );
    }
}
