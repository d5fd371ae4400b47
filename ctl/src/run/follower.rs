//! One job's live output: by offset, across cuts of the connection.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::output::new_part;
use shuntyard_domain::wire::api::{JobBody, LogChunk};

use crate::client::Client;
use crate::client_error::ClientError;
use crate::event_stream::{EventStream, StreamNews};
use crate::sse::SseEvent;

/// What is new about a job.
#[derive(Debug)]
pub enum Followed {
    /// The next bytes of its output; never repeated, never with a gap.
    Output(Vec<u8>),
    /// So many bytes of its output follow here that the server has not kept.
    Elided(u64),
    /// What comes from here on is the output of another attempt, from its first byte.
    Again {
        attempt: u32,
    },
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
    /// Whose output is given.
    attempt: u32,
    /// Bytes of it that were given.
    offset: u64,
    stream: EventStream,
}

impl Follower {
    /// Follows from the first byte; the first contact must succeed.
    #[must_use]
    pub fn new(job: JobId) -> Self {
        Self { job, attempt: 1, offset: 0, stream: EventStream::new(path(job), false) }
    }

    /// Follows a job that the server has just accepted: even the first contact is tried again.
    #[must_use]
    pub fn of_accepted(job: JobId) -> Self {
        Self { stream: EventStream::new(path(job), true), ..Self::new(job) }
    }

    /// Waits for news. Not cancel-safe: let it complete.
    ///
    /// # Errors
    /// `ClientError` that will not pass by itself: the job is unknown, the token denied, the answer not understood.
    pub async fn next(&mut self, client: &Client) -> Result<Followed, ClientError> {
        loop {
            let last = (self.offset > 0).then(|| format!("{}-{}", self.offset, self.attempt));
            match self.stream.next(client, last.as_deref()).await? {
                StreamNews::Lost { why } => return Ok(Followed::Lost { why }),
                StreamNews::Back => return Ok(Followed::Back),
                StreamNews::Event(event) => {
                    if let Some(followed) = self.read(&event)? {
                        return Ok(followed);
                    }
                }
            }
        }
    }

    fn read(&mut self, event: &SseEvent) -> Result<Option<Followed>, ClientError> {
        match event.name.as_str() {
            "chunk" => {
                let chunk: LogChunk = self.stream.parse(event)?;
                let attempt = chunk.attempt.unwrap_or(1);
                if std::mem::replace(&mut self.attempt, attempt) != attempt && std::mem::take(&mut self.offset) > 0 {
                    self.stream.put_back(event.clone());
                    return Ok(Some(Followed::Again { attempt }));
                }
                let bytes =
                    STANDARD.decode(&chunk.base64).map_err(|e| self.stream.unknown(serde::de::Error::custom(e)))?;
                if chunk.elided_bytes > 0 && chunk.offset > self.offset {
                    let elided_bytes = chunk.offset - self.offset;
                    self.offset = chunk.offset;
                    self.stream.put_back(event.clone());
                    return Ok(Some(Followed::Elided(elided_bytes)));
                }
                let gap = |source| ClientError::Gap { job: self.job.to_string(), source };
                let new = new_part(self.offset, chunk.offset, &bytes).map_err(gap)?;
                self.offset += new.len() as u64;
                Ok((!new.is_empty()).then(|| Followed::Output(new.to_vec())))
            }
            "state" => Ok(Some(Followed::State(self.stream.parse(event)?))),
            "end" => Ok(Some(Followed::End(self.stream.parse(event)?))),
            // Newer servers may say more.
            _ => Ok(None),
        }
    }
}

fn path(job: JobId) -> String {
    format!("jobs/{job}/log/streaming")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(offset: u64, bytes: &[u8]) -> SseEvent {
        let chunk = LogChunk { offset, attempt: None, elided_bytes: 0, base64: STANDARD.encode(bytes) };
        let data = serde_json::to_string(&chunk).unwrap();
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
    fn the_output_of_another_attempt_begins_at_its_first_byte() {
        let mut follower = follower();
        follower.read(&chunk(0, b"abc")).unwrap();
        let data = serde_json::to_string(&LogChunk {
            offset: 0,
            attempt: Some(2),
            elided_bytes: 0,
            base64: STANDARD.encode(b"xy"),
        })
        .unwrap();
        let again = SseEvent { name: "chunk".into(), data, id: None };
        assert!(matches!(follower.read(&again).unwrap(), Some(Followed::Again { attempt: 2 })));
        assert!(matches!(follower.read(&again).unwrap(), Some(Followed::Output(bytes)) if bytes == b"xy"));
        assert_eq!((follower.attempt, follower.offset), (2, 2));
    }

    #[test]
    fn events_of_newer_servers_are_passed_over_and_broken_ones_are_errors() {
        let event = |name: &str, data: &str| SseEvent { name: name.into(), data: data.into(), id: None };
        assert!(follower().read(&event("novelty", "{}")).unwrap().is_none());
        for broken in [event("chunk", "{}"), event("chunk", r#"{"offset":0,"base64":"*"}"#), event("end", "null")] {
            assert!(matches!(follower().read(&broken), Err(ClientError::UnknownEvent { .. })), "{broken:?}");
        }
    }
}
