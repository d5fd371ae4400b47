//! The calls that what is stored asks for: `start` until the provider has said yes or no, `stop` until the machine is gone.

use std::time::Duration;

use shuntyard_domain::pool::instance::{InstanceEvent, InstanceState, LeaveReason};
use shuntyard_domain::wire::pools::{HookAction, HookCall, HookEnrolment, HookError};
use shuntyard_domain::wire::time_text::rfc3339;
use shuntyard_domain::wrapper::enrol_command;
use tokio_util::sync::CancellationToken;
use tracing::info_span;
use zeroize::Zeroizing;

use super::hook::HookFailed;
use super::token_context;
use crate::dispatch::engine_error::told;
use crate::dispatch::keeper::Backoff;
use crate::dispatch::{DispatchError, Dispatcher};
use crate::store::{
    InstanceRow, PoolRow, StoreError, enrolment_token_by_id, instance_apply, instance_find, pool_by_id,
};

const AGAIN_FIRST: Duration = Duration::from_millis(500);
const AGAIN_CAP: Duration = Duration::from_secs(60);

/// How one try ended.
enum Tried {
    /// Nothing more is to be asked.
    Over,
    Failed(HookFailed),
}

impl Dispatcher {
    /// Sees that somebody makes the call that the machine's state asks for, if any.
    pub(super) fn see_that_it_is_called(&self, row: &InstanceRow) {
        let Some(action) = wanted(row) else { return };
        if !self.0.pools.memory().may_call(&row.id, action) {
            return;
        }
        let (engine, id) = (self.clone(), row.id.clone());
        let span = info_span!("hook", pool.instance = id, action = %action);
        self.0.tasks.spawn(span, move |stop| async move {
            engine.call_until_answered(&id, action, &stop).await;
            engine.0.pools.memory().called(&id, action);
            engine.pools_changed();
        });
    }

    async fn call_until_answered(&self, id: &str, action: HookAction, stop: &CancellationToken) {
        let mut backoff = Backoff::new(AGAIN_FIRST, AGAIN_CAP);
        let mut tries = 0;
        loop {
            let delay = backoff.delay();
            match self.pool_and_instance(id).await {
                Ok(Some((pool, row))) if wanted(&row) == Some(action) => {
                    tries += 1;
                    // A call that is left is made again after the start, with the same name.
                    let tried = tokio::select! {
                        () = stop.cancelled() => return,
                        tried = self.call_once(&pool, &row, action) => tried,
                    };
                    match tried {
                        Tried::Over => return self.0.pools.memory().went_well(pool.id, action),
                        Tried::Failed(failed) => self.note_failure(&pool, &row, (action, tries, delay), &failed),
                    }
                }
                Ok(_) => return,
                Err(error) => tracing::error!(error = told(&error), "the machine cannot be read"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(delay) => (),
            }
        }
    }

    async fn pool_and_instance(&self, id: &str) -> Result<Option<(PoolRow, InstanceRow)>, DispatchError> {
        let id = id.to_owned();
        let read = self.0.store.read(move |c| {
            let Some(row) = instance_find(c, &id)? else { return Ok(None) };
            Ok::<_, StoreError>(pool_by_id(c, row.pool)?.map(|pool| (pool, row)))
        });
        Ok(read.await?)
    }

    fn note_failure(
        &self,
        pool: &PoolRow,
        row: &InstanceRow,
        (action, tries, delay): (HookAction, u32, Duration),
        failed: &HookFailed,
    ) {
        let now_ms = self.0.clock.now_ms();
        let next_ms = now_ms + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        let error = HookError {
            at: rfc3339(now_ms),
            action,
            instance: Some(row.id.clone()),
            error: told(failed),
            tries,
            next_try_at: (action == HookAction::Stop || !failed.is_final()).then(|| rfc3339(next_ms)),
        };
        tracing::warn!(error = error.error, tries, delay_ms = delay.as_millis() as u64, "the provider's hook failed");
        self.0.pools.memory().failed(pool.id, error);
    }

    async fn call_once(&self, pool: &PoolRow, row: &InstanceRow, action: HookAction) -> Tried {
        let done = if action == HookAction::Start {
            self.ask_to_start(pool, row).await
        } else {
            self.ask_to_stop(pool, row).await
        };
        match done {
            Ok(()) => Tried::Over,
            Err(failed) => Tried::Failed(failed),
        }
    }

    async fn ask_to_start(&self, pool: &PoolRow, row: &InstanceRow) -> Result<(), HookFailed> {
        let Some(enrolment) = self.enrolment_of(pool, row).await? else { return Ok(()) };
        let labels = pool.spec.labels.iter().cloned().collect();
        let (name, instance) = (pool.name.to_string(), row.id.clone());
        let call = HookCall::Start { pool: name, instance, labels, enrolment };
        match self.hook_start(pool, &call, &row.id).await {
            Ok(started) => {
                let provider_id = started.provider_id.filter(|id| (1..=200).contains(&id.len()));
                tracing::info!(provider_id, "a machine is being started");
                self.instance_becomes(row, InstanceEvent::Accepted { provider_id }, None).await?;
                Ok(())
            }
            Err(failed) if failed.is_final() => {
                tracing::warn!(error = told(&failed), "the provider starts no machine");
                self.leave_starting(row, LeaveReason::StartRefused, Some(told(&failed))).await?;
                Err(failed)
            }
            Err(failed) => Err(failed),
        }
    }

    /// What the machine needs to become a runner; `None` when its token is not there any more.
    async fn enrolment_of(&self, pool: &PoolRow, row: &InstanceRow) -> Result<Option<HookEnrolment>, DispatchError> {
        let Some(sealed) = &row.sealed_token else { return Ok(None) };
        let plain = self.0.sealer.open(&token_context(&row.id), sealed)?;
        let token = Zeroizing::new(String::from_utf8_lossy(&plain).into_owned());
        let id = row.token_id.clone();
        let stored = self.0.store.read(move |c| enrolment_token_by_id(c, &id)).await?;
        let Some(stored) = stored else { return Ok(None) };
        Ok(Some(HookEnrolment {
            url: pool.spec.enrol_url.trim_end_matches('/').to_owned(),
            command: enrol_command(&pool.spec.enrol_url, &token),
            token: token.to_string(),
            expires_at: rfc3339(stored.expires_at_ms),
        }))
    }

    async fn ask_to_stop(&self, pool: &PoolRow, row: &InstanceRow) -> Result<(), HookFailed> {
        let reason = row.instance.reason.map_or("unknown", LeaveReason::as_str).to_owned();
        let (name, instance) = (pool.name.to_string(), row.id.clone());
        let provider_id = row.instance.provider_id.clone();
        let call = HookCall::Stop { pool: name, instance, provider_id, reason };
        self.hook_stop(pool, &call, &row.id).await?;
        self.instance_becomes(row, InstanceEvent::Gone, None).await?;
        tracing::info!("the machine is stopped");
        Ok(())
    }

    /// Stores what happened to a machine; what means nothing any more is left.
    pub(super) async fn instance_becomes(
        &self,
        row: &InstanceRow,
        event: InstanceEvent,
        note: Option<String>,
    ) -> Result<Option<InstanceRow>, DispatchError> {
        let (id, now_ms) = (row.id.clone(), self.0.clock.now_ms());
        let apply = move |c: &mut _| instance_apply(c, &id, &event, note.as_deref(), now_ms);
        let after = self.0.store.write(apply).await?;
        self.pools_changed();
        Ok(after)
    }
}

/// The call that a machine's state asks for.
const fn wanted(row: &InstanceRow) -> Option<HookAction> {
    match row.instance.state {
        InstanceState::Starting if row.instance.accepted_at_ms.is_none() => Some(HookAction::Start),
        InstanceState::Stopping => Some(HookAction::Stop),
        InstanceState::Starting
        | InstanceState::Enrolled
        | InstanceState::Draining
        | InstanceState::Stopped
        | InstanceState::Failed => None,
    }
}
