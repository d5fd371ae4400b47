//! One job's live output: by offset, across cuts of the connection.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::output::new_part;
use shuntyard_domain::wire::api::{JobBody, LogChunk};

use crate::client::Client;
use crate::client_error::ClientError;
use crate::sse::{SseEvent, SseParser};

/// The server sends a comment every 15 s; three missing ones are a dead connection.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);
const BACK_OFF_FIRST: Duration = Duration::from_millis(250);
/// 250 ms doubled five times: 8 s at most between two tries.
const BACK_OFF_DOUBLINGS: u32 = 5;

/// What is new about a job.
#[derive(Debug)]
pub enum Followed {
    /// The next bytes of its output; never repeated, never with a gap.
    Output(Vec<u8>),
    /// So many bytes of its output follow here that the server has not kept.
    Elided(u64),
    State(Box<JobBody>),
    /// The job is finished and all of its output was given.
    End(Box<JobBody>),
    /// The server is away; said once, until it is `Back`.
    Lost {
        why: String,
    },
    Back,
}

/// Follows one job. The server going away for a while is no error once it was reached.
pub struct Follower {
    job: JobId,
    /// Bytes of output that were given.
    offset: u64,
    stream: Option<(Response, SseParser)>,
    events: VecDeque<SseEvent>,
    reached: bool,
    lost: bool,
    misses: u32,
}

impl Follower {
    /// Follows from the first byte; the first contact must succeed.
    #[must_use]
    pub fn new(job: JobId) -> Self {
        Self { job, offset: 0, stream: None, events: VecDeque::new(), reached: false, lost: false, misses: 0 }
    }

    /// Follows a job that the server has just accepted: even the first contact is tried again.
    #[must_use]
    pub fn of_accepted(job: JobId) -> Self {
        Self { reached: true, ..Self::new(job) }
    }

    /// Waits for news. Not cancel-safe: let it complete.
    ///
    /// # Errors
    /// `ClientError` that will not pass by itself: the job is unknown, the token denied, the answer not understood.
    pub async fn next(&mut self, client: &Client) -> Result<Followed, ClientError> {
        loop {
            while let Some(event) = self.events.pop_front() {
                if let Some(followed) = self.read(&event)? {
                    return Ok(followed);
                }
            }
            match self.more_events(client).await {
                Ok(()) if std::mem::take(&mut self.lost) => return Ok(Followed::Back),
                Ok(()) => {}
                Err(error) if self.reached && error.is_passing() => {
                    self.stream = None;
                    // The first miss is an ordinary cut (a proxy's time limit): only a second one is worth a word.
                    let announce = self.misses > 0 && !self.lost;
                    self.misses += 1;
                    if announce {
                        self.lost = true;
                        return Ok(Followed::Lost { why: reason(error) });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Connects when there is no connection, then reads until at least one event or the end of the stream.
    async fn more_events(&mut self, client: &Client) -> Result<(), ClientError> {
        if self.stream.is_none() {
            if self.misses > 0 {
                tokio::time::sleep(back_off(self.misses)).await;
            }
            self.connect(client).await?;
        }
        let Some((response, parser)) = &mut self.stream else { return Ok(()) };
        let bytes = tokio::time::timeout(SILENCE_LIMIT, client.chunk(response))
            .await
            .map_err(|_| ClientError::Cut(format!("nothing came for {} s", SILENCE_LIMIT.as_secs())))??
            .ok_or_else(|| ClientError::Cut("the server closed the stream".into()))?;
        let too_large = |source| ClientError::EventTooLarge { path: path(self.job), source };
        self.events.extend(parser.feed(&bytes).map_err(too_large)?);
        if !self.events.is_empty() {
            self.misses = 0;
        }
        Ok(())
    }

    async fn connect(&mut self, client: &Client) -> Result<(), ClientError> {
        let url = client.url(&path(self.job), &[]);
        let last = (self.offset > 0).then(|| self.offset.to_string());
        let response = client.stream(Method::GET, &url, None, last.as_deref()).await?;
        let response =
            response.ok_or_else(|| ClientError::NotStream { path: path(self.job), found: "an empty answer".into() })?;
        self.reached = true;
        self.stream = Some((response, SseParser::default()));
        Ok(())
    }

    fn read(&mut self, event: &SseEvent) -> Result<Option<Followed>, ClientError> {
        match event.name.as_str() {
            "chunk" => {
                let chunk: LogChunk = self.parse(event)?;
                let bytes = STANDARD.decode(&chunk.base64).map_err(|e| self.unknown(serde::de::Error::custom(e)))?;
                if chunk.elided_bytes > 0 && chunk.offset > self.offset {
                    let elided_bytes = chunk.offset - self.offset;
                    self.offset = chunk.offset;
                    self.events.push_front(event.clone());
                    return Ok(Some(Followed::Elided(elided_bytes)));
                }
                let gap = |source| ClientError::Gap { job: self.job.to_string(), source };
                let new = new_part(self.offset, chunk.offset, &bytes).map_err(gap)?;
                self.offset += new.len() as u64;
                Ok((!new.is_empty()).then(|| Followed::Output(new.to_vec())))
            }
            "state" => Ok(Some(Followed::State(self.parse(event)?))),
            "end" => Ok(Some(Followed::End(self.parse(event)?))),
            // Newer servers may say more.
            _ => Ok(None),
        }
    }

    fn parse<T: DeserializeOwned>(&self, event: &SseEvent) -> Result<T, ClientError> {
        serde_json::from_str(&event.data).map_err(|source| self.unknown(source))
    }

    fn unknown(&self, source: serde_json::Error) -> ClientError {
        ClientError::UnknownEvent { path: path(self.job), source }
    }
}

fn path(job: JobId) -> String {
    format!("jobs/{job}/log/streaming")
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

    fn chunk(offset: u64, bytes: &[u8]) -> SseEvent {
        let data =
            serde_json::to_string(&LogChunk { offset, elided_bytes: 0, base64: STANDARD.encode(bytes) }).unwrap();
        SseEvent { name: "chunk".into(), data, id: None }
    }

    fn follower() -> Follower {
        Follower::new("00000000-0000-7000-8000-000000000001".parse().unwrap())
    }

    #[test]
    fn repeated_bytes_are_given_once_and_a_gap_is_an_error() {
        let mut follower = follower();
        let mut seen = Vec::new();
        for event in [chunk(0, b"abc"), chunk(1, b"bcd"), chunk(0, b"ab"), chunk(4, b"\xff\0")] {
            if let Some(Followed::Output(bytes)) = follower.read(&event).unwrap() {
                seen.extend(bytes);
            }
        }
        assert_eq!(seen, b"abcd\xff\0");
        assert!(matches!(follower.read(&chunk(9, b"x")), Err(ClientError::Gap { .. })));
    }

    #[test]
    fn events_of_newer_servers_are_passed_over_and_broken_ones_are_errors() {
        let event = |name: &str, data: &str| SseEvent { name: name.into(), data: data.into(), id: None };
        assert!(follower().read(&event("novelty", "{}")).unwrap().is_none());
        for broken in [event("chunk", "{}"), event("chunk", r#"{"offset":0,"base64":"*"}"#), event("end", "null")] {
            assert!(matches!(follower().read(&broken), Err(ClientError::UnknownEvent { .. })), "{broken:?}");
        }
    }

    #[test]
    fn the_wait_between_two_tries_grows_to_eight_seconds() {
        let waits: Vec<u128> = (1..9).map(|misses| back_off(misses).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
    }
}
