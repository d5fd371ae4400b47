//! Long operations on a runner as a stream of their steps.

use axum::response::sse::Event;
use futures_util::stream;
use shuntyard_domain::wire::api::StepEvent;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::sse::{self, EventStream};

/// Sends each step as it comes; the operation goes on when the listener leaves.
pub(super) fn answer(steps: mpsc::UnboundedReceiver<StepEvent>, stop: CancellationToken) -> EventStream {
    let events = stream::unfold(steps, |mut steps| async {
        let step = steps.recv().await?;
        Some((sse::event("step", &step) as Event, steps))
    });
    sse::answer(events, stop)
}
