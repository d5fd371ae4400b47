//! Event streams: one line of data an event, a comment every 15 s, an end when the daemon stops.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) type EventStream = Sse<axum::response::sse::KeepAliveStream<futures_util::stream::BoxStream<'static, Result<Event, Infallible>>>>;

/// Sends `events` until they end or `stop` is given.
pub(super) fn answer(events: impl Stream<Item = Event> + Send + 'static, stop: CancellationToken) -> EventStream {
    let events = events.take_until(stop.cancelled_owned()).map(Ok).boxed();
    Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT))
}

/// An event whose data is `body` as JSON in one line.
pub(super) fn event<T: Serialize>(name: &str, body: &T) -> Event {
    // Bodies are plain structs: they serialise.
    Event::default().event(name).data(serde_json::to_string(body).unwrap_or_default())
}
