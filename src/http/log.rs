//! `/jobs/:id/log`: a job's output as bytes, by range or live.

use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, stream};
use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::Job;
use shuntyard_domain::output::elision_line;
use shuntyard_domain::wire::api::LogChunk;
use shuntyard_domain::wire::time_text::rfc3339;
use tokio::sync::watch;

use super::Api;
use super::error::ApiError;
use super::path::PathId;
use super::sse::{self, EventStream};
use crate::dispatch::{DispatchError, JobPulse};
use crate::logs::LogPiece;
use crate::store::{JobPart, part_removed_at};

const CHUNK_BYTES: u64 = 64 * 1024;

impl Api {
    /// Refuses when retention has removed the log: an empty one would be a lie.
    pub(super) async fn log_is_kept(&self, job: &Job) -> Result<(), ApiError> {
        if !job.state.is_finished() || self.dispatcher.logs().stored_bytes(job.attempt_id()) > 0 {
            return Ok(());
        }
        self.part_is_kept(job.id, JobPart::Log, "the log").await
    }

    /// # Errors
    /// `Removed` with the time at which retention removed this part of the job.
    pub(super) async fn part_is_kept(&self, job: JobId, part: JobPart, what: &'static str) -> Result<(), ApiError> {
        match self.dispatcher.store().read(move |c| part_removed_at(c, job, part)).await? {
            Some(at_ms) => Err(DispatchError::Removed { job, what, at: rfc3339(at_ms) }.into()),
            None => Ok(()),
        }
    }

    /// Up to `CHUNK_BYTES` of output in `[from, to)`, or behind what of it is not kept.
    async fn log_chunk(&self, attempt: AttemptId, from: u64, to: u64) -> Result<LogPiece, ApiError> {
        let (logs, max) = (self.dispatcher.logs().clone(), to.saturating_sub(from).min(CHUNK_BYTES));
        let read = tokio::task::spawn_blocking(move || logs.piece(attempt, from, usize::try_from(max).unwrap_or(0)));
        Ok(read.await.map_err(|_| DispatchError::Interrupted)?.map_err(DispatchError::from)?)
    }
}

/// The stored output; `Range: bytes=FROM-[TO]` and `bytes=-LAST` answer 206.
///
/// Offsets count the whole output. As one text a large log has a line where its middle is not kept. A range is answered
/// with its first bytes that are kept, as far as they go without a gap: `Content-Range` says which.
pub(super) async fn download(
    State(api): State<Api>,
    PathId(id): PathId<JobId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let job = api.dispatcher.job(id).await?;
    api.log_is_kept(&job).await?;
    let attempt = job.attempt_id();
    let length = api.dispatcher.logs().stored_bytes(attempt);
    let elided = api.dispatcher.logs().elided(attempt).map_err(DispatchError::from)?;
    let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).and_then(|v| parse_range(v, length));
    let range = range.map(|(from, to)| first_kept(from, to, elided.as_ref()));
    if range.is_some_and(|(from, to)| from >= to) {
        return Err(ApiError::BadRange { length });
    }
    let (from, to) = range.unwrap_or((0, length));
    let mut response = Body::from_stream(log_body(api, attempt, from, to, range.is_none())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The line in the middle counts, too; and a log that grows may get one while it is sent.
    if range.is_some() || (elided.is_none() && job.state.is_finished()) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    }
    if range.is_some() {
        if let Ok(range) = HeaderValue::from_str(&format!("bytes {from}-{}/{length}", to - 1)) {
            headers.insert(header::CONTENT_RANGE, range);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The bytes in `[from, to)`; a line for what is not kept, where `lines` are wanted. An error ends the answer in a way
/// that no client takes for its end.
pub(super) fn log_body(
    api: Api,
    attempt: AttemptId,
    from: u64,
    to: u64,
    lines: bool,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold((api, from), move |(api, at)| async move {
        if at >= to {
            return Ok(None);
        }
        let piece = api.log_chunk(attempt, at, to).await;
        let piece = piece.map_err(|_| std::io::Error::other("the log cannot be read"))?;
        let elided_bytes = piece.offset - at;
        if piece.bytes.is_empty() || (elided_bytes > 0 && !lines) {
            return Err(std::io::Error::other("these bytes have just been dropped"));
        }
        let next = piece.offset + piece.bytes.len() as u64;
        let line = if elided_bytes > 0 { elision_line(elided_bytes).into_bytes() } else { Vec::new() };
        Ok(Some((Bytes::from([line, piece.bytes].concat()), (api, next))))
    })
}

/// The first part of `[from, to)` that is kept in one piece; an empty one when nothing is.
fn first_kept(from: u64, to: u64, elided: Option<&Range<u64>>) -> (u64, u64) {
    match elided {
        Some(elided) if elided.contains(&from) => (elided.end, to),
        Some(elided) if from < elided.start => (from, to.min(elided.start)),
        _ => (from, to),
    }
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
    api.log_is_kept(&job).await?;
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
            let piece = tail.api.log_chunk(job.attempt_id(), tail.offset, u64::MAX).await.ok()?;
            if !piece.bytes.is_empty() {
                let attempt = Some(job.attempt).filter(|attempt| *attempt > 1);
                let elided_bytes = piece.offset - tail.offset;
                let chunk =
                    LogChunk { offset: piece.offset, attempt, elided_bytes, base64: STANDARD.encode(&piece.bytes) };
                tail.offset = piece.offset + piece.bytes.len() as u64;
                let place = attempt.map_or_else(String::new, |attempt| format!("-{attempt}"));
                return Some((sse::event("chunk", &chunk).id(format!("{}{place}", tail.offset)), tail));
            }
        }
        if job.state.is_finished() {
            tail.ended = true;
            return Some((sse::event("end", &tail.api.whole_job_body(&job).await.ok()?), tail));
        }
        tail.pulse.changed().await.ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_range_the_first_kept_part_is_sent() {
        for (from, to, kept) in [
            (0, 10, (0, 10)),
            (0, 100, (0, 30)),
            (29, 31, (29, 30)),
            (30, 60, (50, 60)),
            (49, 100, (50, 100)),
            (50, 60, (50, 60)),
            (99, 100, (99, 100)),
        ] {
            assert_eq!(first_kept(from, to, Some(&(30..50))), kept, "{from}..{to}");
            assert_eq!(first_kept(from, to, None), (from, to));
        }
        let (from, to) = first_kept(31, 40, Some(&(30..50)));
        assert!(from >= to, "nothing of it is kept");
    }

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
