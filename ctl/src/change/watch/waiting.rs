//! What waits, and what for: jobs in the queue, and a change at the door of a stage.

use std::sync::Arc;

use shuntyard_domain::pipeline::is_shared;
use shuntyard_domain::stage::Standing;
use tokio::time::Instant;

use super::{News, Watch};
use crate::change::standing::{sentence, standing};
use crate::run::watch::waiting::{PATIENCE, waits_for};

impl Watch<'_> {
    /// It has come elsewhere.
    pub(super) fn moves(&mut self) {
        let is_moving = matches!(standing(&self.change), Standing::Moving { to } if is_shared(to));
        self.moving_since = is_moving.then(Instant::now);
    }

    /// Time has passed.
    pub(super) fn tick(&mut self) {
        self.display.tick();
        if self.moving_since.is_some_and(|since| since.elapsed() > PATIENCE) {
            self.moving_since = None;
            let sentence = sentence(&self.change);
            self.display.note(&format!("{sentence}: one change of the pipeline at a time can be there"));
        }
        for (index, job) in self.rows.due_questions() {
            let (client, questions) = (self.client, Arc::clone(&self.questions));
            self.underway.push(Box::pin(async move {
                let _turn = questions.acquire().await;
                News::WaitsFor(index, waits_for(client, job).await)
            }));
        }
    }
}
