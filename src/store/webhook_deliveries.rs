//! Messages of webhooks on their way: which is due, who sends it, what became of it.
//!
//! A try is claimed by compare-and-set on the number of tries, and the claim itself says when others may take the message
//! for lost: a dispatcher that dies while it sends delays a message and never loses it.

use diesel::prelude::*;

use super::connection::StoreConnection;
use super::error::{About, StoreError};
use super::outbox;
use super::schema::{webhook_deliveries as deliveries, webhooks};

const DELIVERY: &str = "delivery";
const PENDING: &str = "pending";
const DELIVERED: &str = "delivered";
const FAILED: &str = "failed";

/// A message as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
pub struct DeliveryRow {
    pub id: String,
    pub event: String,
    pub state: String,
    pub attempts: i64,
    pub created_at_ms: i64,
    pub next_try_at_ms: i64,
    pub last_at_ms: Option<i64>,
    pub last_status: Option<i64>,
    pub last_error: Option<String>,
}

/// A message that this dispatcher alone sends now.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = deliveries)]
pub struct Claimed {
    pub id: String,
    pub body: String,
    /// Tries so far, with the one that is claimed.
    pub attempts: i64,
    pub until_ms: i64,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    Delivered {
        status: u16,
    },
    /// `next_try_at_ms` is None when it is given up.
    Failed {
        status: Option<u16>,
        error: String,
        next_try_at_ms: Option<i64>,
    },
}

/// How many messages of a webhook are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub pending: i64,
    pub failed: i64,
}

fn list(source: diesel::result::Error) -> StoreError {
    StoreError::List { what: "deliveries", source }
}

/// Returns for every enabled webhook with waiting messages when the next one is due. Costs one look at an index each.
pub fn deliveries_next(c: &mut StoreConnection) -> Result<Vec<(String, i64)>, StoreError> {
    let enabled: Vec<String> =
        webhooks::table.filter(webhooks::enabled.eq(true)).select(webhooks::id).load(c).map_err(list)?;
    let mut found = Vec::new();
    for webhook in enabled {
        let next: Option<i64> = deliveries::table
            .filter(deliveries::webhook_id.eq(&webhook))
            .filter(deliveries::state.eq(PENDING))
            .order(deliveries::next_try_at_ms)
            .select(deliveries::next_try_at_ms)
            .first(c)
            .optional()
            .map_err(list)?;
        found.extend(next.map(|next| (webhook, next)));
    }
    Ok(found)
}

/// Claims the webhook's message that has been due for longest; others may claim it again from `lost_at_ms` on.
pub fn delivery_claim(
    c: &mut StoreConnection,
    webhook: &str,
    now_ms: i64,
    lost_at_ms: i64,
) -> Result<Option<Claimed>, StoreError> {
    loop {
        let due: Option<Claimed> = deliveries::table
            .filter(deliveries::webhook_id.eq(webhook))
            .filter(deliveries::state.eq(PENDING))
            .filter(deliveries::next_try_at_ms.le(now_ms))
            .order((deliveries::next_try_at_ms, deliveries::id))
            .select(Claimed::as_select())
            .first(c)
            .optional()
            .map_err(list)?;
        let Some(due) = due else { return Ok(None) };
        let values = (deliveries::attempts.eq(due.attempts + 1), deliveries::next_try_at_ms.eq(lost_at_ms));
        let claimed = diesel::update(untouched(&due.id, due.attempts)).set(values).execute(c);
        if claimed.map_err(|source| About { what: DELIVERY, key: &due.id }.update(source))? > 0 {
            return Ok(Some(Claimed { attempts: due.attempts + 1, ..due }));
        }
        // Another dispatcher was first; it has moved the message out of our sight.
    }
}

/// The row of a message that nobody has tried since.
#[diesel::dsl::auto_type(no_type_alias)]
fn untouched<'a>(id: &'a str, attempts: i64) -> _ {
    let state: &'static str = PENDING;
    deliveries::table
        .filter(deliveries::id.eq(id))
        .filter(deliveries::state.eq(state))
        .filter(deliveries::attempts.eq(attempts))
}

/// Notes how a claimed try ended; without effect when the message was claimed again, or sent again, meanwhile.
pub fn delivery_tried(
    c: &mut StoreConnection,
    claimed: &Claimed,
    now_ms: i64,
    tried: &Tried,
) -> Result<(), StoreError> {
    let (state, next_try_at_ms, status, error) = match tried {
        Tried::Delivered { status } => (DELIVERED, None, Some(*status), None),
        Tried::Failed { status, error, next_try_at_ms: None } => (FAILED, None, *status, Some(error.clone())),
        Tried::Failed { status, error, next_try_at_ms } => (PENDING, *next_try_at_ms, *status, Some(error.clone())),
    };
    let values = (
        deliveries::state.eq(state),
        deliveries::next_try_at_ms.eq(next_try_at_ms.unwrap_or(now_ms)),
        deliveries::last_at_ms.eq(Some(now_ms)),
        deliveries::last_status.eq(status.map(i64::from)),
        deliveries::last_error.eq(error),
    );
    diesel::update(untouched(&claimed.id, claimed.attempts))
        .set(values)
        .execute(c)
        .map(drop)
        .map_err(|source| About { what: DELIVERY, key: &claimed.id }.update(source))
}

/// Makes a message due again, whatever became of it. Tells whether the webhook has it.
pub fn delivery_again(
    c: &mut StoreConnection,
    webhook: &str,
    id: &str,
    now_ms: i64,
) -> Result<Option<DeliveryRow>, StoreError> {
    let target = deliveries::table.filter(deliveries::id.eq(id)).filter(deliveries::webhook_id.eq(webhook));
    let values = (
        deliveries::state.eq(PENDING),
        deliveries::attempts.eq(0),
        deliveries::next_try_at_ms.eq(now_ms),
        deliveries::until_ms.eq(now_ms + outbox::TRIED_FOR_MS),
    );
    let about = About { what: DELIVERY, key: id };
    let written = diesel::update(target).set(values).execute(c).map_err(|source| about.update(source))?;
    if written == 0 {
        return Ok(None);
    }
    outbox::wake();
    let row = deliveries::table.find(id).select(DeliveryRow::as_select()).first(c).optional();
    row.map_err(|source| about.find(source))
}

/// Returns the webhook's messages, newest first, at most `limit`, those before `before` when it is given.
pub fn delivery_list(
    c: &mut StoreConnection,
    webhook: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut query = deliveries::table
        .filter(deliveries::webhook_id.eq(webhook))
        .order(deliveries::id.desc())
        .limit(limit.into())
        .select(DeliveryRow::as_select())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(deliveries::id.lt(before));
    }
    query.load(c).map_err(list)
}

/// Counts what waits and what was given up.
pub fn webhook_backlog(c: &mut StoreConnection, webhook: &str) -> Result<Backlog, StoreError> {
    let mut count = |state: &str| {
        let of_it = deliveries::table.filter(deliveries::webhook_id.eq(webhook)).filter(deliveries::state.eq(state));
        of_it.count().get_result(c).map_err(list)
    };
    Ok(Backlog { pending: count(PENDING)?, failed: count(FAILED)? })
}

/// Removes ended messages that are older than `keep_from_ms`, or beyond the newest `most`; gives up the oldest waiting ones
/// beyond `most`. Returns how many were given up.
pub fn deliveries_prune(c: &mut StoreConnection, keep_from_ms: i64, most: i64) -> Result<usize, StoreError> {
    let failed = |source| StoreError::Delete { what: DELIVERY, key: "(old ones)".into(), source };
    let all: Vec<String> = webhooks::table.select(webhooks::id).load(c).map_err(list)?;
    // Of a webhook that was deleted at the moment of an event.
    diesel::delete(deliveries::table.filter(deliveries::webhook_id.ne_all(&all))).execute(c).map_err(failed)?;
    let mut given_up = 0;
    for webhook in &all {
        let of_it = || deliveries::table.filter(deliveries::webhook_id.eq(webhook));
        let old = of_it().filter(deliveries::state.ne(PENDING)).filter(deliveries::created_at_ms.lt(keep_from_ms));
        diesel::delete(old).execute(c).map_err(failed)?;
        let ended = of_it().filter(deliveries::state.ne(PENDING)).order(deliveries::id.desc());
        let last: Option<String> = ended.select(deliveries::id).offset(most).first(c).optional().map_err(list)?;
        if let Some(last) = last {
            let beyond = of_it().filter(deliveries::state.ne(PENDING)).filter(deliveries::id.le(last));
            diesel::delete(beyond).execute(c).map_err(failed)?;
        }
        given_up += give_up_beyond(c, webhook, most)?;
    }
    Ok(given_up)
}

fn give_up_beyond(c: &mut StoreConnection, webhook: &str, most: i64) -> Result<usize, StoreError> {
    let about = About { what: DELIVERY, key: webhook };
    let waiting = || deliveries::table.filter(deliveries::webhook_id.eq(webhook)).filter(deliveries::state.eq(PENDING));
    let last: Option<String> =
        waiting().order(deliveries::id.desc()).select(deliveries::id).offset(most).first(c).optional().map_err(list)?;
    let Some(last) = last else { return Ok(0) };
    let values = (
        deliveries::state.eq(FAILED),
        deliveries::last_error.eq(Some(format!("given up: more than {most} messages waited"))),
    );
    let given_up = diesel::update(waiting().filter(deliveries::id.le(last))).set(values).execute(c);
    let given_up = given_up.map_err(|source| about.update(source))?;
    let counted = webhooks::dropped.eq(webhooks::dropped + i64::try_from(given_up).unwrap_or(i64::MAX));
    diesel::update(webhooks::table.find(webhook)).set(counted).execute(c).map_err(|source| about.update(source))?;
    Ok(given_up)
}
