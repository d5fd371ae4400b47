//! An event stream of the server that goes on across cuts of the connection.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::header::HeaderName;
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::sse::{SseEvent, SseParser};

/// The server sends a comment every 15 s; three missing ones are a dead connection.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);
const BACK_OFF_FIRST: Duration = Duration::from_millis(250);
/// 250 ms doubled five times: 8 s at most between two tries.
const BACK_OFF_DOUBLINGS: u32 = 5;

/// What came.
#[derive(Debug)]
pub enum StreamNews {
    Event(SseEvent),
    /// The server is away; said once, until it is `Back`.
    Lost {
        why: String,
    },
    Back,
}

/// One stream, opened when it is asked, and again when it was cut.
pub struct EventStream {
    path: String,
    stream: Option<(Response, SseParser)>,
    events: VecDeque<SseEvent>,
    reached: bool,
    lost: bool,
    misses: u32,
}

impl EventStream {
    /// A stream below the enterprise; with `accepted` even the first contact is tried again, else it must succeed.
    #[must_use]
    pub fn new(path: String, accepted: bool) -> Self {
        Self { path, stream: None, events: VecDeque::new(), reached: accepted, lost: false, misses: 0 }
    }

    /// Waits for news; a new connection asks for what is behind `last_event_id`. Not cancel-safe: let it complete.
    ///
    /// # Errors
    /// `ClientError` that will not pass by itself: the object is unknown, the token denied, the answer not understood.
    pub async fn next(&mut self, client: &Client, last_event_id: Option<&str>) -> Result<StreamNews, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(StreamNews::Event(event));
            }
            match self.more_events(client, last_event_id).await {
                Ok(()) if std::mem::take(&mut self.lost) => return Ok(StreamNews::Back),
                Ok(()) => {}
                Err(error) if self.reached && error.is_passing() => {
                    self.stream = None;
                    // The first miss is an ordinary cut (a proxy's time limit): only a second one is worth a word.
                    let announce = self.misses > 0 && !self.lost;
                    self.misses += 1;
                    if announce {
                        self.lost = true;
                        return Ok(StreamNews::Lost { why: reason(error) });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the event again at the next call.
    pub fn put_back(&mut self, event: SseEvent) {
        self.events.push_front(event);
    }

    /// Reads an event's data.
    ///
    /// # Errors
    /// `ClientError::UnknownEvent`
    pub fn parse<T: DeserializeOwned>(&self, event: &SseEvent) -> Result<T, ClientError> {
        serde_json::from_str(&event.data).map_err(|source| self.unknown(source))
    }

    /// The event is not what this version understands.
    #[must_use]
    pub fn unknown(&self, source: serde_json::Error) -> ClientError {
        ClientError::UnknownEvent { path: self.path.clone(), source }
    }

    /// Connects when there is no connection, then reads until at least one event or the end of the stream.
    async fn more_events(&mut self, client: &Client, last_event_id: Option<&str>) -> Result<(), ClientError> {
        if self.stream.is_none() {
            if self.misses > 0 {
                tokio::time::sleep(back_off(self.misses)).await;
            }
            self.connect(client, last_event_id).await?;
        }
        let Some((response, parser)) = &mut self.stream else { return Ok(()) };
        let bytes = tokio::time::timeout(SILENCE_LIMIT, client.chunk(response))
            .await
            .map_err(|_| ClientError::Cut(format!("nothing came for {} s", SILENCE_LIMIT.as_secs())))??
            .ok_or_else(|| ClientError::Cut("the server closed the stream".into()))?;
        let too_large = |source| ClientError::EventTooLarge { path: self.path.clone(), source };
        self.events.extend(parser.feed(&bytes).map_err(too_large)?);
        if !self.events.is_empty() {
            self.misses = 0;
        }
        Ok(())
    }

    async fn connect(&mut self, client: &Client, last_event_id: Option<&str>) -> Result<(), ClientError> {
        let url = client.url(&self.path, &[]);
        let headers = last_event_id.map(|id| (HeaderName::from_static("last-event-id"), id)).into_iter().collect();
        let response = client.stream(Method::GET, &url, None, headers).await?;
        let nothing = || ClientError::NotStream { path: self.path.clone(), found: "an empty answer".into() };
        let response = response.ok_or_else(nothing)?;
        self.reached = true;
        self.stream = Some((response, SseParser::default()));
        Ok(())
    }
}

fn back_off(misses: u32) -> Duration {
    BACK_OFF_FIRST * 2_u32.pow(misses.saturating_sub(1).min(BACK_OFF_DOUBLINGS))
}

/// The reason without advice: the caller is already trying again.
fn reason(error: ClientError) -> String {
    match error {
        ClientError::Unreachable { why, .. } | ClientError::Cut(why) => why,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_between_two_tries_grows_to_eight_seconds() {
        let waits: Vec<u128> = (1..9).map(|misses| back_off(misses).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }
}
