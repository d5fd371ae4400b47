//! The one task that owns the board.

use shuntyard_domain::board::{Board, BoardEvent, Effect, Placement, QueuedJob, Use};
use shuntyard_domain::explain::Explanation;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::pool::{ClassDemand, Template};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::info_span;

use super::{Dispatcher, attend};

/// What the loop is told.
pub(super) enum LoopEvent {
    Board(Box<BoardEvent>),
    Explain(Box<QueuedJob>, oneshot::Sender<Explained>),
    /// What waits for machines like these, and what these runners do.
    Demand(Vec<Template>, Vec<RunnerId>, oneshot::Sender<Demand>),
    /// How many jobs wait; also whether anybody is there to answer.
    Waiting(oneshot::Sender<usize>),
}

/// What pools ask the board.
pub(super) struct Demand {
    pub(super) classes: Vec<ClassDemand>,
    /// In the order in which they were asked for.
    pub(super) used: Vec<Option<Use>>,
}

/// Where a job waits, and what the inventory offers it.
pub(super) enum Explained {
    OnTheBoard(Explanation),
    /// It is being placed, or pauses before its next placement.
    Beside(Explanation),
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
                let explained = board.explain(job.id).map(Explained::OnTheBoard);
                let _ = answer.send(explained.unwrap_or_else(|| Explained::Beside(board.explain_beside(&job))));
            }
            Some(LoopEvent::Demand(templates, runners, answer)) => {
                let _ = answer.send(Demand { classes: board.demand(&templates), used: board.use_of(&runners) });
            }
            Some(LoopEvent::Waiting(answer)) => {
                let _ = answer.send(board.waiting());
            }
            Some(LoopEvent::Board(event)) => {
                for effect in board.step(*event) {
                    carry_out(&dispatcher, effect);
                }
                dispatcher.0.pools.board_changed();
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
