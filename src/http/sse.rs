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
use crate::dispatch::News;

const HEARTBEAT: Duration = Duration::from_secs(15);
/// Streams of snapshots send at most one in this time.
const PAUSE: Duration = Duration::from_millis(200);

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

/// What `read` returns, at once and again after each piece of news that matters; a burst is sent as one.
pub(super) fn snapshots<T, F>(
    api: Api,
    name: &'static str,
    matters: impl Fn(News) -> bool + Send + Sync + 'static,
    read: impl Fn(Api) -> F + Send + 'static,
) -> EventStream
where
    T: Serialize,
    F: Future<Output = Result<T, ApiError>> + Send,
{
    let (stop, changes) = (api.dispatcher.stop_signal(), api.dispatcher.feed().changes());
    let state = (api, changes, read, matters, true);
    let events = stream::unfold(state, move |(api, mut changes, read, matters, first)| async move {
        if !first {
            changes = next_snapshot(changes, &matters).await?;
        }
        let body = read(api.clone()).await.ok()?;
        Some((event(name, &body), (api, changes, read, matters, false)))
    });
    answer(events, stop)
}

/// Waits for news that matter and for the pause behind them; what happens in the pause is in the next snapshot.
pub(super) async fn next_snapshot(
    mut changes: Receiver<News>,
    matters: impl Fn(News) -> bool,
) -> Option<Receiver<News>> {
    loop {
        match changes.recv().await {
            Ok(news) if !matters(news) => (),
            Ok(_) | Err(RecvError::Lagged(_)) => break,
            Err(RecvError::Closed) => return None,
        }
    }
    tokio::time::sleep(PAUSE).await;
    Some(changes.resubscribe())
}
