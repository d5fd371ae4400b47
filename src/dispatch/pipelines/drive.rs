//! The task that asks what is to be done next, for one change at a time.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use shuntyard_domain::change::Change;
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::pipeline::is_shared;
use shuntyard_domain::stage::{Standing, Step, standing, steps};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::waiting::{Waiting, turn};
use crate::dispatch::ask_queue::AskQueue;
use crate::dispatch::engine_error::told;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{StoreError, changes_under_way};

/// How long a change rests about which something could not be read or stored.
const AGAIN: Duration = Duration::from_secs(2);
/// Answers of steps in a row about one change: far more than the stages and groups that a change can pass without
/// anything happening. More would be a fault of ours, which must not keep the others waiting.
const ROUNDS_MAX: usize = 200;

/// Runs until `stop`.
pub(super) async fn run(engine: Dispatcher, mut inbox: mpsc::UnboundedReceiver<ChangeId>, stop: CancellationToken) {
    let (mut queue, mut waiting) = (AskQueue::default(), Waiting::default());
    let Some(mut under_way) = under_way(&engine, &stop).await else { return };
    // Who was let in first goes first.
    under_way.sort_by_key(turn);
    under_way.iter().for_each(|change| queue.push(change.id));
    loop {
        while let Ok(change) = inbox.try_recv() {
            queue.push(change);
        }
        let change = match queue.pop() {
            Some(change) => change,
            None => tokio::select! {
                biased;
                () = stop.cancelled() => return,
                asked = inbox.recv() => match asked {
                    Some(change) => change,
                    None => return,
                },
            },
        };
        if stop.is_cancelled() {
            return;
        }
        let mut next = Vec::new();
        let looked = AssertUnwindSafe(look(&engine, change, &mut waiting, &mut next)).catch_unwind().await;
        // Also what was found before something failed.
        next.into_iter().for_each(|change| queue.push(change));
        let why = match looked {
            Ok(Ok(true)) | Ok(Err(DispatchError::NoChange(_))) => continue,
            Ok(Ok(false)) => "it does not come to rest".to_owned(),
            Ok(Err(error)) => told(&error),
            Err(_) => "a fault of the dispatcher; its log holds the panic".to_owned(),
        };
        tracing::error!(change.id = %change, why, "a change cannot go on; trying again");
        // Nobody waits behind it meanwhile.
        waiting.forget(change);
        ask_later(&engine, change);
    }
}

/// What may have something to do after a start; `None`: the daemon stops.
async fn under_way(engine: &Dispatcher, stop: &CancellationToken) -> Option<Vec<Change>> {
    loop {
        match engine.0.store.read(changes_under_way).await {
            Ok(changes) => return Some(changes),
            Err(error) => tracing::error!(error = told(&error), "the changes under way cannot be read; trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// Does what is to be done about one change until it waits; puts the changes to ask about next into `next`. False: it
/// did not come to rest.
async fn look(
    engine: &Dispatcher,
    id: ChangeId,
    waiting: &mut Waiting,
    next: &mut Vec<ChangeId>,
) -> Result<bool, DispatchError> {
    for _ in 0..ROUNDS_MAX {
        let view = engine.change_view(id).await?;
        engine.adopt(&view).await?;
        let door = match standing(&view) {
            Standing::Moving { to } if is_shared(to) => Some(to),
            _ => None,
        };
        // What it waited for before it was moved elsewhere, others may go into.
        for stage in waiting.leave(&view.change, door) {
            next.extend(waiting.first(&view.change.at, stage));
        }
        if let Some(to) = door {
            if view.taken.contains_key(&to) {
                waiting.add(&view.change, to);
                return Ok(true);
            }
            // Somebody whom people let in before is asked first; this one after it.
            if let Some(first) = waiting.before(&view.change, to) {
                next.extend([first, id]);
                return Ok(true);
            }
        }
        let left = view.latest.as_ref().map(|latest| latest.run.stage).filter(|stage| is_shared(*stage));
        let steps = steps(&view);
        if let Some(stage) = left
            && (steps.is_empty() || steps.iter().any(|step| matches!(step, Step::FinishStage { .. })))
        {
            // It may be free, or this change may have been cancelled at its door.
            next.extend(waiting.first(&view.change.at, stage).filter(|first| *first != id));
        }
        if steps.is_empty() {
            return Ok(true);
        }
        match engine.carry_out(&view, steps).await {
            // Somebody acted meanwhile: what is to be done now is in the store.
            Ok(()) | Err(DispatchError::Store(StoreError::Raced { .. } | StoreError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Asks again after a rest, without keeping the other changes waiting.
fn ask_later(engine: &Dispatcher, change: ChangeId) {
    let asker = engine.clone();
    engine.0.tasks.spawn(info_span!("ask_later"), move |stop| async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(AGAIN) => asker.ask_about(change),
        }
    });
}
