//! What people do about a change: approve, deliver, run a stage again, cancel, close.

use serde_json::json;
use shuntyard_domain::change::{Change, ChangeState, Signed};
use shuntyard_domain::ids::ChangeId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::stage::{Action, ChangeView, StageRun, cancelled_at_the_door, check, trigger};

use super::carry_out::refused_end;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{Changed, Connection, StoreError, audit_note, change_update, stage_run_insert, stage_run_update};

/// How often an action looks again when something else happened between its look and its write.
const TRIES: usize = 10;

/// Which stage is run again, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub stage: Stage,
    /// Rows that passed in the latest run are carried over.
    pub failed_only: bool,
}

/// What an action writes: always the change too, so that of two actions at a time one looks again.
struct Write {
    change: Change,
    run: Option<RunWrite>,
}

enum RunWrite {
    New(StageRun),
    Over(StageRun),
}

impl Write {
    fn store(self, c: &mut Connection, action: &str) -> Result<(), StoreError> {
        change_update(c, &self.change)?;
        audit_note(c, action, || {
            let run = self.run.as_ref().map(|(RunWrite::New(run) | RunWrite::Over(run))| run);
            let run = run.map(|run| json!({"stage": run.stage, "number": run.number}));
            let after = json!({"state": self.change.state.as_str(), "run": run});
            Changed::new(format!("change {}", self.change.id), None, Some(after))
        })?;
        match self.run {
            Some(RunWrite::New(run)) => stage_run_insert(c, &self.change.at, &run),
            Some(RunWrite::Over(run)) => stage_run_update(c, &run).map(drop),
            None => Ok(()),
        }
    }
}

impl Dispatcher {
    /// Opens the gate behind verify.
    ///
    /// # Errors
    /// `NoChange`; `NotAllowed` says why it is not allowed now; nothing was changed. Here and below.
    pub async fn approve_change(&self, id: ChangeId, by: &str) -> Result<(), DispatchError> {
        self.act(id, by, "change.approve", |view, signed| {
            check(view, Action::Approve)?;
            let approved = Some(signed);
            let change = Change { state: ChangeState::Merged, approved, ..view.change.clone() };
            Ok(Write { change, run: None })
        })
        .await
    }

    /// Opens the gate behind acceptance.
    ///
    /// # Errors
    /// As `approve_change`.
    pub async fn deliver_change(&self, id: ChangeId, by: &str) -> Result<(), DispatchError> {
        self.act(id, by, "change.deliver", |view, signed| {
            check(view, Action::Deliver)?;
            Ok(Write { change: Change { delivered: Some(signed), ..view.change.clone() }, run: None })
        })
        .await
    }

    /// Gives the change up: its run is stopped, and nothing of it runs again.
    ///
    /// # Errors
    /// As `approve_change`.
    pub async fn close_change(&self, id: ChangeId, by: &str) -> Result<(), DispatchError> {
        self.act(id, by, "change.close", |view, signed| {
            check(view, Action::Close)?;
            let open = view.latest.as_ref().map(|latest| &latest.run).filter(|run| run.end.is_none());
            // Who stopped it is told with the run; an earlier cancel stays.
            let cancelled = open
                .filter(|run| run.cancel.is_none())
                .map(|run| RunWrite::Over(StageRun { cancel: Some(signed), ..run.clone() }));
            Ok(Write { change: Change { state: ChangeState::Closed, ..view.change.clone() }, run: cancelled })
        })
        .await
    }

    /// Runs the stage in which the change stands again.
    ///
    /// # Errors
    /// As `approve_change`.
    pub async fn trigger_stage(&self, id: ChangeId, what: Trigger, by: &str) -> Result<(), DispatchError> {
        let engine = self.clone();
        self.act(id, by, "change.trigger", move |view, signed| {
            let new = trigger(view, what.stage, what.failed_only)?;
            let run = engine.new_run(id, new.stage, new.number);
            let run = StageRun { triggered_by: Some(signed.by), repeats: new.repeats, ..run };
            Ok(Write { change: view.change.clone(), run: Some(RunWrite::New(run)) })
        })
        .await
    }

    /// Stops the run that is open, or the wait for one.
    ///
    /// # Errors
    /// As `approve_change`.
    pub async fn cancel_change(&self, id: ChangeId, by: &str) -> Result<(), DispatchError> {
        let engine = self.clone();
        self.act(id, by, "change.cancel", move |view, signed| {
            check(view, Action::Cancel)?;
            let at_ms = signed.at_ms;
            let cancel = Some(signed);
            let run = match (cancelled_at_the_door(view), &view.latest) {
                (None, Some(latest)) => RunWrite::Over(StageRun { cancel, ..latest.run.clone() }),
                (door, _) => {
                    let (stage, number) = door.map_or((Stage::Verify, 1), |new| (new.stage, new.number));
                    let run = engine.new_run(id, stage, number);
                    RunWrite::New(StageRun { cancel, end: Some(refused_end(at_ms)), ..run })
                }
            };
            Ok(Write { change: view.change.clone(), run: Some(run) })
        })
        .await
    }

    /// Looks, decides, and writes over what was looked at; also when the caller goes away.
    async fn act(
        &self,
        id: ChangeId,
        by: &str,
        action: &'static str,
        decide: impl Fn(&ChangeView, Signed) -> Result<Write, shuntyard_domain::stage::Refusal> + Send + 'static,
    ) -> Result<(), DispatchError> {
        let (engine, by) = (self.clone(), by.to_owned());
        self.to_the_end(async move {
            let mut tries = 0;
            loop {
                let view = engine.change_view(id).await?;
                let signed = Signed { at_ms: engine.0.clock.now_ms(), by: by.clone() };
                let write = decide(&view, signed).map_err(DispatchError::NotAllowed)?;
                let written: Result<(), StoreError> = engine.0.store.write(move |c| write.store(c, action)).await;
                // Also when it failed: a commit may have failed in appearance only.
                engine.ask_about(id);
                match written {
                    Ok(()) => break,
                    // The change has moved on since the look: what is allowed now may be something else.
                    Err(StoreError::Raced { .. } | StoreError::Conflict { .. }) if tries < TRIES => tries += 1,
                    Err(StoreError::Raced { .. } | StoreError::Conflict { .. }) => {
                        return Err(DispatchError::Raced(id));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            engine.0.feed.change_changed(id);
            Ok(())
        })
        .await
    }
}
