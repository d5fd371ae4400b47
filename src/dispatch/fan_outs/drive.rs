//! The task that asks what is to be done next, for one fan-out at a time.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use shuntyard_domain::fan_out::{START_MAX, steps};
use shuntyard_domain::ids::{FanOutId, JobId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::Ask;
use crate::dispatch::ask_queue::AskQueue;
use crate::dispatch::engine_error::told;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{StoreError, fan_outs_open};

/// How long a fan-out rests about which something could not be read or stored.
const AGAIN: Duration = Duration::from_secs(2);
/// Answers in a row about one fan-out, besides those that start its rows. More would be a fault of ours, which must not
/// keep the others waiting.
const ROUNDS_MAX: usize = 100;

/// What the task remembers between two looks.
#[derive(Default)]
pub(super) struct Memory {
    queue: AskQueue<FanOutId>,
    /// Jobs of a commit that failed, perhaps in appearance only: then nobody was told of them.
    pub(super) doubtful: HashSet<JobId>,
}

/// Runs until `stop`.
pub(super) async fn run(engine: Dispatcher, mut inbox: mpsc::UnboundedReceiver<Ask>, stop: CancellationToken) {
    let mut memory = Memory::default();
    loop {
        while let Ok(ask) = inbox.try_recv() {
            take(&engine, &mut memory, ask).await;
        }
        let id = match memory.queue.pop() {
            Some(id) => id,
            None => tokio::select! {
                biased;
                () = stop.cancelled() => return,
                asked = inbox.recv() => match asked {
                    Some(ask) => {
                        take(&engine, &mut memory, ask).await;
                        continue;
                    }
                    None => return,
                },
            },
        };
        if stop.is_cancelled() {
            return;
        }
        let why = match AssertUnwindSafe(look(&engine, id, &mut memory)).catch_unwind().await {
            Ok(Ok(true)) | Ok(Err(DispatchError::NoFanOut(_))) => continue,
            Ok(Ok(false)) => "it does not come to rest".to_owned(),
            Ok(Err(error)) => told(&error),
            Err(_) => "a fault of the dispatcher; its log holds the panic".to_owned(),
        };
        tracing::error!(fan_out.id = %id, why, "a fan-out cannot go on; trying again");
        ask_later(&engine, Ask::One(id));
    }
}

async fn take(engine: &Dispatcher, memory: &mut Memory, ask: Ask) {
    match ask {
        Ask::One(id) => memory.queue.push(id),
        Ask::Open => match engine.0.store.read(fan_outs_open).await {
            Ok(open) => open.into_iter().for_each(|id| memory.queue.push(id)),
            Err(error) => {
                tracing::error!(error = told(&error), "the open fan-outs cannot be read; trying again");
                ask_later(engine, Ask::Open);
            }
        },
    }
}

/// Does what is to be done about one fan-out until it waits. False: it did not come to rest.
async fn look(engine: &Dispatcher, id: FanOutId, memory: &mut Memory) -> Result<bool, DispatchError> {
    let mut round = 0;
    loop {
        let (fan_out, rows) = engine.fan_out_view(id).await?;
        if fan_out.end.is_some() {
            return Ok(true);
        }
        engine.adopt_rows(&rows, memory).await?;
        let gone = engine.0.inventory.missing(rows.iter().map(|row| row.runner));
        let steps = steps(&fan_out, &rows, &gone);
        if steps.is_empty() {
            return Ok(true);
        }
        if round > ROUNDS_MAX + rows.len() / START_MAX {
            return Ok(false);
        }
        match engine.carry_out_steps(&fan_out, &rows, steps, memory).await {
            // Somebody acted meanwhile: what is to be done now is in the store.
            Ok(()) | Err(DispatchError::Store(StoreError::Raced { .. } | StoreError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
        round += 1;
    }
}

/// Asks again after a rest, without keeping the others waiting.
fn ask_later(engine: &Dispatcher, ask: Ask) {
    let asker = engine.clone();
    engine.0.tasks.spawn(info_span!("ask_later"), move |stop| async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(AGAIN) => asker.ask_about_fan_outs(ask),
        }
    });
}
