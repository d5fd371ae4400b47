//! Event streams: one line of data an event, a comment every 15 s, an end when the daemon stops.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::Api;
use super::error::ApiError;
use crate::dispatch::Change;

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Whole-list streams send at most one list in this time.
const LIST_PAUSE: Duration = Duration::from_millis(200);

pub(super) type EventStream = Sse<KeepAliveStream<BoxStream<'static, Result<Event, Infallible>>>>;

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

/// Chef's streams: `list` at once, and again after each change that matters; a burst is sent as one.
pub(super) fn lists<T, F>(
    api: Api,
    name: &'static str,
    matters: fn(Change) -> bool,
    list: impl Fn(Api) -> F + Send + 'static,
) -> EventStream
where
    T: Serialize,
    F: Future<Output = Result<Vec<T>, ApiError>> + Send,
{
    let (stop, changes) = (api.dispatcher.stop_signal(), api.dispatcher.feed().changes());
    let events = stream::unfold((api, changes, list, true), move |(api, mut changes, list, first)| async move {
        if !first {
            changes = next_list(changes, matters).await?;
        }
        let body = list(api.clone()).await.ok()?;
        Some((event(name, &body), (api, changes, list, false)))
    });
    answer(events, stop)
}

/// Waits for a change that matters and for the pause behind it; what happens in the pause is in the next list.
async fn next_list(mut changes: Receiver<Change>, matters: fn(Change) -> bool) -> Option<Receiver<Change>> {
    loop {
        match changes.recv().await {
            Ok(change) if !matters(change) => (),
            Ok(_) | Err(RecvError::Lagged(_)) => break,
            Err(RecvError::Closed) => return None,
        }
    }
    tokio::time::sleep(LIST_PAUSE).await;
    Some(changes.resubscribe())
}
