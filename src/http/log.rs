//! `/jobs/:id/log`: a job's output as bytes, by range or live.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::wire::api::LogChunk;
use tokio::sync::watch;

use super::Api;
use super::error::ApiError;
use super::query::PathId;
use super::sse::{self, EventStream};
use crate::dispatch::{DispatchError, JobPulse};

const CHUNK_BYTES: u64 = 64 * 1024;

impl Api {
    /// Up to `CHUNK_BYTES` of output in `[from, to)`.
    async fn log_chunk(&self, attempt: AttemptId, from: u64, to: u64) -> Result<Vec<u8>, ApiError> {
        let (logs, max) = (self.dispatcher.logs().clone(), to.saturating_sub(from).min(CHUNK_BYTES));
        let read = tokio::task::spawn_blocking(move || logs.read(attempt, from, usize::try_from(max).unwrap_or(0)));
        Ok(read.await.map_err(|_| DispatchError::Interrupted)?.map_err(DispatchError::from)?)
    }
}

/// The stored output; `Range: bytes=FROM-[TO]` and `bytes=-LAST` answer 206.
pub(super) async fn download(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let attempt = api.dispatcher.job(id).await?.attempt_id();
    let length = api.dispatcher.logs().stored_bytes(attempt);
    let wanted = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).and_then(|v| parse_range(v, length));
    let (from, to) = wanted.unwrap_or((0, length));
    if wanted.is_some() && from >= length {
        return Err(ApiError::BadRange { length });
    }
    let chunks = stream::unfold((api, from), move |(api, at)| async move {
        if at >= to {
            return None;
        }
        let bytes = api.log_chunk(attempt, at, to).await.ok().filter(|b| !b.is_empty())?;
        let next = at + bytes.len() as u64;
        Some((Ok::<_, Infallible>(Bytes::from(bytes)), (api, next)))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    if wanted.is_some() {
        if let Ok(range) = HeaderValue::from_str(&format!("bytes {from}-{}/{length}", to - 1)) {
            headers.insert(header::CONTENT_RANGE, range);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// Reads one range as RFC 9110 §14.1.2 writes it; anything else is ignored, as it allows.
fn parse_range(text: &str, length: u64) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count: u64 = last.parse().ok()?;
        return Some((length.saturating_sub(count), length));
    }
    let from: u64 = first.parse().ok()?;
    let to = if last.is_empty() { length } else { last.parse::<u64>().ok()?.checked_add(1)?.min(length) };
    (last.is_empty() || to > from || from >= length).then_some((from, to))
}

/// Where a listener of one job's log is.
struct Tail {
    api: Api,
    id: JobId,
    /// Whose output `offset` counts; `None`: that of the attempt that is first seen.
    attempt: Option<u32>,
    offset: u64,
    /// Version of the job record that was sent last.
    version: i64,
    pulse: watch::Receiver<JobPulse>,
    ended: bool,
}

/// Output as it comes: `chunk` (its id is the offset after it, with `-ATTEMPT` behind it from the second one on), `state`
/// when the record changed, `end` at last. The output of another attempt begins at offset 0.
pub(super) async fn streaming(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    headers: HeaderMap,
) -> Result<EventStream, ApiError> {
    let job = api.dispatcher.job(id).await?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok());
    let (attempt, offset) = last.map_or((None, 0), |last| parse_place(last, job.spec.retry_on_lost));
    let (pulse, stop) = (api.dispatcher.feed().job(id), api.dispatcher.stop_signal());
    let tail = Tail { api, id, attempt, offset, version: 0, pulse, ended: false };
    Ok(sse::answer(stream::unfold(tail, next_event), stop))
}

/// Reads `OFFSET` or `OFFSET-ATTEMPT`. Of a job that may have had output in several attempts the first means attempt 1.
fn parse_place(text: &str, several: bool) -> (Option<u32>, u64) {
    match text.split_once('-') {
        Some((offset, attempt)) => (attempt.parse().ok(), offset.parse().unwrap_or(0)),
        None => (several.then_some(1), text.parse().unwrap_or(0)),
    }
}

async fn next_event(mut tail: Tail) -> Option<(Event, Tail)> {
    if tail.ended {
        return None;
    }
    loop {
        // Marked as seen before reading: whatever comes later wakes us again.
        tail.pulse.borrow_and_update();
        let job = tail.api.dispatcher.job(tail.id).await.ok()?;
        if job.version != tail.version && !job.state.is_finished() {
            tail.version = job.version;
            return Some((sse::event("state", &tail.api.job_body(&job).await.ok()?), tail));
        }
        if job.attempt > 0 {
            if tail.attempt.replace(job.attempt).is_some_and(|earlier| earlier != job.attempt) {
                tail.offset = 0;
            }
            let bytes = tail.api.log_chunk(job.attempt_id(), tail.offset, u64::MAX).await.ok()?;
            if !bytes.is_empty() {
                let attempt = Some(job.attempt).filter(|attempt| *attempt > 1);
                let chunk = LogChunk { offset: tail.offset, attempt, base64: STANDARD.encode(&bytes) };
                tail.offset += bytes.len() as u64;
                let place = attempt.map_or_else(String::new, |attempt| format!("-{attempt}"));
                return Some((sse::event("chunk", &chunk).id(format!("{}{place}", tail.offset)), tail));
            }
        }
        if job.state.is_finished() {
            tail.ended = true;
            return Some((sse::event("end", &tail.api.job_body(&job).await.ok()?), tail));
        }
        tail.pulse.changed().await.ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_says_which_attempts_output_it_has() {
        for (text, several, expected) in [
            ("7", false, (None, 7)),
            ("7", true, (Some(1), 7)),
            ("7-3", true, (Some(3), 7)),
            ("x", false, (None, 0)),
            ("x-y", true, (None, 0)),
        ] {
            assert_eq!(parse_place(text, several), expected, "{text}");
        }
    }

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (text, expected) in [
            ("bytes=0-", Some((0, 10))),
            ("bytes=2-4", Some((2, 5))),
            ("bytes=2-99", Some((2, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-99", Some((0, 10))),
            ("bytes=12-", Some((12, 10))),
            ("bytes=5-2", None),
            ("lines=1-2", None),
            ("bytes=a-b", None),
        ] {
            assert_eq!(parse_range(text, 10), expected, "{text}");
        }
    }
}
