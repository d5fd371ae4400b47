//! Event streams: one line of data an event, a comment every 15 s, an end when the daemon stops.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Api;
use super::error::ApiError;
use crate::dispatch::{Feed, Mark, Missed, News};

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Streams of snapshots send at most one in this time.
const PAUSE: Duration = Duration::from_millis(200);
/// What takes long to make is made for a fifth of the time at most.
const REST: u32 = 4;

pub(super) type EventStream = Sse<KeepAliveStream<BoxStream<'static, Result<Event, Infallible>>>>;

/// Sends `events` until they end or `stop` is given.
pub(super) fn answer(events: impl Stream<Item = Event> + Send + 'static, stop: CancellationToken) -> EventStream {
    let events = events.take_until(stop.cancelled_owned()).map(Ok).boxed();
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// Whether an answer is an event stream.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
}

/// An event whose data is `body` as JSON in one line.
pub(super) fn event<T: Serialize>(name: &str, body: &T) -> Event {
    // Bodies are plain structs: they serialise.
    Event::default().event(name).data(serde_json::to_string(body).unwrap_or_default())
}

/// Where the reader of an earlier stream was: its header `Last-Event-ID`. What is no place is as none.
pub(super) struct LastId(pub Option<Mark>);

impl<S: Send + Sync> FromRequestParts<S> for LastId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let last = parts.headers.get("last-event-id").and_then(|last| last.to_str().ok());
        Ok(Self(last.and_then(|last| last.parse().ok())))
    }
}

/// What `read` returns, at once and again after each piece of news that matters; of a burst the begin and what
/// it came to. Who has been here before gets nothing before that.
pub(super) fn snapshots<T, F>(
    api: Api,
    LastId(last): LastId,
    name: &'static str,
    matters: impl Fn(&News) -> bool + Send + Sync + 'static,
    read: impl Fn(Api) -> F + Send + Sync + 'static,
) -> EventStream
where
    T: Serialize,
    F: Future<Output = Result<T, ApiError>> + Send,
{
    let stop = api.dispatcher.stop_signal();
    let state = (api, last, read, matters, Pace::default());
    let events = stream::unfold(state, move |(api, last, read, matters, mut pace)| async move {
        if let Some(at) = last {
            await_news(api.dispatcher.feed(), at, &matters).await;
        }
        let (at, body) = pace.make(async { (api.dispatcher.feed().mark(), read(api.clone()).await) }).await;
        Some((event(name, &body.ok()?).id(at.to_string()), (api, Some(at), read, matters, pace)))
    });
    answer(events, stop)
}

/// When the next snapshot of a stream may be made: the first at once, those behind it each a pause behind the one before.
/// What happens in the pause is in the next.
#[derive(Default)]
pub(super) struct Pace {
    not_before: Option<Instant>,
}

impl Pace {
    /// Makes one when it may be made.
    pub(super) async fn make<T>(&mut self, snapshot: impl Future<Output = T>) -> T {
        if let Some(time) = self.not_before {
            tokio::time::sleep_until(time).await;
        }
        let begun = Instant::now();
        let made = snapshot.await;
        self.not_before = Some(Instant::now() + pause_after(begun.elapsed()));
        made
    }
}

/// How long nothing is made behind what took `took` to make.
fn pause_after(took: Duration) -> Duration {
    PAUSE.max(took * REST)
}

/// Waits for news that matter.
pub(super) async fn await_news(feed: &Feed, mut at: Mark, matters: impl Fn(&News) -> bool) {
    while let Missed::Changes(changes) = feed.since(at) {
        if changes.iter().any(|(_, news)| matters(news)) {
            return;
        }
        at = changes.last().map_or(at, |(mark, _)| *mark);
        feed.beyond(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_made_more_seldom() {
        let pauses_ms = [0, 50, 51, 500].map(|took_ms| pause_after(Duration::from_millis(took_ms)).as_millis());
        assert_eq!(pauses_ms, [200, 200, 204, 2000]);
    }
}
