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
use tokio_util::sync::CancellationToken;

use super::Api;
use super::error::ApiError;
use crate::dispatch::{Feed, Mark, Missed, News};

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Streams of snapshots send at most one in this time.
const PAUSE: Duration = Duration::from_millis(200);

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

/// What `read` returns, at once and again after each piece of news that matters; a burst is sent as one. Who has been here
/// before gets nothing before that.
pub(super) fn snapshots<T, F>(
    api: Api,
    LastId(last): LastId,
    name: &'static str,
    matters: impl Fn(&News) -> bool + Send + Sync + 'static,
    read: impl Fn(Api) -> F + Send + 'static,
) -> EventStream
where
    T: Serialize,
    F: Future<Output = Result<T, ApiError>> + Send,
{
    let stop = api.dispatcher.stop_signal();
    let events = stream::unfold((api, last, read, matters), move |(api, last, read, matters)| async move {
        if let Some(at) = last {
            await_news(api.dispatcher.feed(), at, &matters).await;
        }
        let at = api.dispatcher.feed().mark();
        let body = read(api.clone()).await.ok()?;
        Some((event(name, &body).id(at.to_string()), (api, Some(at), read, matters)))
    });
    answer(events, stop)
}

/// Waits for news that matter, and for the pause behind them: what happens in it is in the next snapshot.
pub(super) async fn await_news(feed: &Feed, mut at: Mark, matters: impl Fn(&News) -> bool) {
    while let Missed::Changes(changes) = feed.since(at) {
        if changes.iter().any(|(_, news)| matters(news)) {
            tokio::time::sleep(PAUSE).await;
            return;
        }
        at = changes.last().map_or(at, |(mark, _)| *mark);
        feed.beyond(at).await;
    }
}
