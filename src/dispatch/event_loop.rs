//! The one task that owns the board.

use shuntyard_domain::board::{Board, BoardEvent, Effect, Placement};
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::JobId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::{Dispatcher, attend};

/// What the loop is told.
pub(super) enum LoopEvent {
    Board(Box<BoardEvent>),
    Explain(JobId, oneshot::Sender<Option<Explanation>>),
}

/// Runs until `stop`; then nothing is assigned any more.
pub(super) async fn run(
    dispatcher: Dispatcher,
    placement: Placement,
    mut inbox: mpsc::UnboundedReceiver<LoopEvent>,
    stop: CancellationToken,
) {
    let mut board = Board::new(placement);
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = inbox.recv() => event,
        };
        match event {
            None => return,
            Some(LoopEvent::Explain(job, answer)) => {
                // The asker may have gone away.
                let _ = answer.send(board.explain(job));
            }
            Some(LoopEvent::Board(event)) => {
                for effect in board.step(*event) {
                    carry_out(&dispatcher, effect);
                }
            }
        }
    }
}

fn carry_out(dispatcher: &Dispatcher, effect: Effect) {
    match effect {
        Effect::Assign { job, runner } => {
            let engine = dispatcher.clone();
            let span = info_span!("job", job.id = %job, runner.id = %runner);
            dispatcher.0.tasks.spawn(span, move |stop| attend::place(engine, job, runner, stop));
        }
    }
}

impl Dispatcher {
    /// Why the job waits; `None` when it does not wait.
    pub async fn explain(&self, job: JobId) -> Option<Explanation> {
        let (ask, answer) = oneshot::channel();
        self.0.loop_events.send(LoopEvent::Explain(job, ask)).ok()?;
        answer.await.ok().flatten()
    }
}
