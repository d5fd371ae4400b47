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
use shuntyard_domain::output::elision_line;
use shuntyard_domain::wire::api::LogChunk;
use tokio::sync::watch;

use super::Api;
use super::error::ApiError;
use super::query::PathId;
use super::sse::{self, EventStream};
use crate::dispatch::{DispatchError, JobPulse};
use crate::logs::LogPiece;

const CHUNK_BYTES: u64 = 64 * 1024;

impl Api {
    /// Up to `CHUNK_BYTES` of output in `[from, to)`, or behind what of it is not kept.
    async fn log_chunk(&self, attempt: AttemptId, from: u64, to: u64) -> Result<LogPiece, ApiError> {
        let (logs, max) = (self.dispatcher.logs().clone(), to.saturating_sub(from).min(CHUNK_BYTES));
        let read = tokio::task::spawn_blocking(move || logs.piece(attempt, from, usize::try_from(max).unwrap_or(0)));
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
    let (mut from, mut to) = wanted.unwrap_or((0, length));
    let elided = api.dispatcher.logs().elided(attempt).map_err(DispatchError::from)?;
    if let (Some(elided), Some(_)) = (&elided, wanted) {
        // A range is answered with what is kept of it, in one piece.
        if elided.contains(&from) {
            from = elided.end;
        } else if from < elided.start {
            to = to.min(elided.start);
        }
    }
    if wanted.is_some() && from >= to.max(1) {
        return Err(ApiError::BadRange { length });
    }
    if wanted.is_some() && from >= length {
        return Err(ApiError::BadRange { length });
    }
    let chunks = stream::unfold((api, from), move |(api, at)| async move {
        if at >= to {
            return None;
        }
        let piece = api.log_chunk(attempt, at, to).await.ok().filter(|piece| !piece.bytes.is_empty())?;
        let next = piece.offset + piece.bytes.len() as u64;
        let line = if piece.offset > at { elision_line(piece.offset - at).into_bytes() } else { Vec::new() };
        Some((Ok::<_, Infallible>(Bytes::from([line, piece.bytes].concat())), (api, next)))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Where the middle is missing a line says so: the length is not that of the range.
    if elided.is_none() || wanted.is_some() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    }
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
    offset: u64,
    /// Version of the job record that was sent last.
    version: i64,
    pulse: watch::Receiver<JobPulse>,
    ended: bool,
}

/// Output as it comes: `chunk` (its id is the offset after it), `state` when the record changed, `end` at last.
pub(super) async fn streaming(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    headers: HeaderMap,
) -> Result<EventStream, ApiError> {
    api.dispatcher.job(id).await?;
    let offset = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok()).unwrap_or(0);
    let (pulse, stop) = (api.dispatcher.feed().job(id), api.dispatcher.stop_signal());
    let tail = Tail { api, id, offset, version: 0, pulse, ended: false };
    Ok(sse::answer(stream::unfold(tail, next_event), stop))
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
            let piece = tail.api.log_chunk(job.attempt_id(), tail.offset, u64::MAX).await.ok()?;
            if !piece.bytes.is_empty() {
                let elided_bytes = piece.offset - tail.offset;
                let chunk = LogChunk { offset: piece.offset, elided_bytes, base64: STANDARD.encode(&piece.bytes) };
                tail.offset = piece.offset + piece.bytes.len() as u64;
                return Some((sse::event("chunk", &chunk).id(tail.offset.to_string()), tail));
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
