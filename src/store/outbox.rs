//! The outbox: what webhooks are told is written in the transaction of the event itself.
//!
//! Whether anybody listens is asked at every event, so the answer is kept: by the thread that writes, which alone makes
//! events and webhooks. It is read again after every change of a webhook, after every write that was undone, and, on
//! PostgreSQL, where another dispatcher may have changed it, once in every batch of writes. Without webhooks an event
//! costs a look at an empty list.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use diesel::prelude::*;
use serde_json::Value;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::job::{Job, JobState};
use shuntyard_domain::runner::Runner;
use shuntyard_domain::webhook::{WebhookEvent, job_data, message, of_job, of_runner, runner_data, runner_org};
use uuid::Uuid;

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::{jobs, webhook_deliveries, webhooks};

/// How long a delivery is tried.
pub const TRIED_FOR_MS: i64 = 3 * 24 * 3_600_000;

/// What a webhook asks for.
struct Subscription {
    webhook: String,
    events: Vec<WebhookEvent>,
    org: Option<String>,
    project: Option<String>,
}

impl Subscription {
    /// `about` is organisation and project of the event, as far as it has any.
    fn wants(&self, event: WebhookEvent, about: (Option<&str>, Option<&str>)) -> bool {
        let lies_in = |asked: &Option<String>, found: Option<&str>| asked.is_none() || asked.as_deref() == found;
        self.events.contains(&event) && lies_in(&self.org, about.0) && lies_in(&self.project, about.1)
    }
}

thread_local! {
    /// None: not read yet, or no longer true.
    static SUBSCRIPTIONS: RefCell<Option<Rc<[Subscription]>>> = const { RefCell::new(None) };
    /// Something is to be sent since `take_woken`.
    static WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// What is known of webhooks is read again before the next event.
pub(super) fn forget_subscriptions() {
    SUBSCRIPTIONS.with_borrow_mut(|kept| *kept = None);
}

/// Who sends is told when this transaction is committed.
pub(super) fn wake() {
    WOKEN.set(true);
}

/// Tells whether something is to be sent that was not when this was last asked.
pub(super) fn take_woken() -> bool {
    WOKEN.take()
}

/// A job has got from one state to another; `before` is None for a new one. `job` may have gone further since.
pub(super) fn job_moved(
    c: &mut StoreConnection,
    before: Option<&JobState>,
    after: &JobState,
    job: &Job,
    at_ms: i64,
) -> Result<(), StoreError> {
    let Some(event) = of_job(before, after) else { return Ok(()) };
    let about = (Some(job.origin.org.as_str()), Some(job.origin.project.as_str()));
    tell(c, event, about, at_ms, |c| {
        let finished_at_ms = job.finished_at_ms.filter(|_| after.is_finished());
        let then = Job { state: after.clone(), state_at_ms: at_ms, finished_at_ms, ..job.clone() };
        Ok(job_data(&then, runner_name(c, job.id)?, at_ms))
    })
}

/// Tells whether any webhook is enabled: else nobody need read what a record was before.
pub(super) fn is_heard(c: &mut StoreConnection) -> Result<bool, StoreError> {
    Ok(!subscriptions(c)?.is_empty())
}

/// A runner's record was written; `before` is None for a new one.
pub(super) fn runner_written(
    c: &mut StoreConnection,
    before: Option<&Runner>,
    after: &Runner,
) -> Result<(), StoreError> {
    of_runner(before, after).into_iter().try_for_each(|event| runner_event(c, event, after))
}

/// A runner is about to leave the inventory.
pub(super) fn runner_deleted(c: &mut StoreConnection, runner: &Runner) -> Result<(), StoreError> {
    runner_event(c, WebhookEvent::RunnerDeleted, runner)
}

/// A record has no time of its last change: that of the message's id is the next best.
fn runner_event(c: &mut StoreConnection, event: WebhookEvent, runner: &Runner) -> Result<(), StoreError> {
    tell(c, event, (runner_org(runner), None), made_at_ms(Uuid::now_v7()), |_| Ok(runner_data(runner)))
}

fn made_at_ms(id: Uuid) -> i64 {
    let (seconds, nanoseconds) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
    i64::try_from(seconds).unwrap_or_default() * 1000 + i64::from(nanoseconds / 1_000_000)
}

/// Writes a delivery for every webhook that wants the event; `data` is only made when one does.
fn tell(
    c: &mut StoreConnection,
    event: WebhookEvent,
    about: (Option<&str>, Option<&str>),
    at_ms: i64,
    data: impl FnOnce(&mut StoreConnection) -> Result<Value, StoreError>,
) -> Result<(), StoreError> {
    let all = subscriptions(c)?;
    let mut wanted = all.iter().filter(|subscription| subscription.wants(event, about)).peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    let data = data(c)?;
    for subscription in wanted {
        let id = Uuid::now_v7().to_string();
        let row = (
            webhook_deliveries::id.eq(&id),
            webhook_deliveries::webhook_id.eq(&subscription.webhook),
            webhook_deliveries::event.eq(event.as_str()),
            webhook_deliveries::body.eq(message(&id, event.as_str(), at_ms, &data)),
            webhook_deliveries::state.eq("pending"),
            webhook_deliveries::attempts.eq(0),
            webhook_deliveries::created_at_ms.eq(at_ms),
            webhook_deliveries::next_try_at_ms.eq(at_ms),
            webhook_deliveries::until_ms.eq(at_ms + TRIED_FOR_MS),
        );
        diesel::insert_into(webhook_deliveries::table)
            .values(row)
            .execute(c)
            .map_err(|source| About { what: "delivery", key: &id }.insert(source))?;
    }
    wake();
    Ok(())
}

/// The webhooks that are enabled.
fn subscriptions(c: &mut StoreConnection) -> Result<Rc<[Subscription]>, StoreError> {
    if let Some(kept) = SUBSCRIPTIONS.with_borrow(Clone::clone) {
        return Ok(kept);
    }
    let rows: Vec<(String, String, Option<String>, Option<String>)> = webhooks::table
        .filter(webhooks::enabled.eq(true))
        .select((webhooks::id, webhooks::events, webhooks::org, webhooks::project))
        .load(c)
        .map_err(|source| StoreError::List { what: "webhooks", source })?;
    let read = |(webhook, events, org, project): (String, String, _, _)| {
        let row = Row { table: "webhooks", key: &webhook };
        let words: Vec<String> = row.json("events", &events)?;
        let events = words.iter().map(|word| row.parse("events", word)).collect::<Result<_, _>>()?;
        Ok(Subscription { webhook, events, org, project })
    };
    let all: Rc<[Subscription]> = rows.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?.into();
    SUBSCRIPTIONS.with_borrow_mut(|kept| *kept = Some(all.clone()));
    Ok(all)
}

fn runner_name(c: &mut StoreConnection, job: JobId) -> Result<Option<String>, StoreError> {
    let key = job.to_string();
    let name = jobs::table.find(&key).select(jobs::runner_hostname).first(c).optional();
    Ok(name.map_err(|source| About { what: "job", key: &key }.find(source))?.flatten())
}
