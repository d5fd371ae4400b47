//! The audit log: who did what, added in the transaction of the act itself, each row bound to the one before it.

use std::cell::RefCell;

use diesel::prelude::*;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::connection::StoreConnection;
use super::error::{About, StoreError};
use super::schema::audit;
use super::tokens::to_hex;
use crate::acting::Acting;

/// What stands where the hash of a row before the first would.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Rows that are read at a time when the chain is checked.
const STRETCH: i64 = 1000;

thread_local! {
    /// Who does the write that this thread is at.
    static ACTING: RefCell<Option<Acting>> = const { RefCell::new(None) };
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
pub struct AuditRow {
    pub seq: i64,
    pub at_ms: i64,
    pub actor: String,
    pub token_id: Option<String>,
    pub address: Option<String>,
    pub request_id: String,
    /// Such as `runner.change`.
    pub action: String,
    /// What it was done to, such as `runner build-1`.
    pub subject: String,
    /// JSON.
    pub before: Option<String>,
    /// JSON.
    pub after: Option<String>,
    pub previous: String,
    pub hash: String,
}

impl AuditRow {
    /// SHA-256 over the row's other columns in their order, each as `LENGTH:BYTES,`, and `-,` for one that is null;
    /// numbers in decimal, `previous` first.
    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |text: Option<&str>| match text {
            Some(text) => {
                digest.update(format!("{}:", text.len()));
                digest.update(text);
                digest.update(",");
            }
            None => digest.update("-,"),
        };
        add(Some(&self.previous));
        add(Some(&self.seq.to_string()));
        add(Some(&self.at_ms.to_string()));
        add(Some(&self.actor));
        add(self.token_id.as_deref());
        add(self.address.as_deref());
        add(Some(&self.request_id));
        add(Some(&self.action));
        add(Some(&self.subject));
        add(self.before.as_deref());
        add(self.after.as_deref());
        to_hex(&digest.finalize())
    }
}

/// Whether somebody acts: else nobody asks what was there before.
pub(super) fn is_acting() -> bool {
    ACTING.with_borrow(Option::is_some)
}

/// Runs a write as that of `acting`.
pub(super) fn as_theirs<T>(acting: Option<Acting>, work: impl FnOnce() -> T) -> T {
    /// Also after a panic: the thread goes on with writes of others.
    struct Forget;
    impl Drop for Forget {
        fn drop(&mut self) {
            ACTING.with_borrow_mut(|kept| *kept = None);
        }
    }
    let _forget = Forget;
    ACTING.with_borrow_mut(|kept| *kept = acting);
    work()
}

/// What an act changed; secrets are never in it.
#[derive(Debug, Default)]
pub struct Changed {
    pub subject: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Changed {
    #[must_use]
    pub fn new(subject: impl Into<String>, before: Option<Value>, after: Option<Value>) -> Self {
        Self { subject: subject.into(), before, after }
    }
}

/// Adds a row when somebody acts; what the dispatcher does by itself is in the histories of its jobs and runners.
pub fn audit_note(c: &mut StoreConnection, action: &str, changed: impl FnOnce() -> Changed) -> Result<(), StoreError> {
    let Some(acting) = ACTING.with_borrow(Clone::clone) else { return Ok(()) };
    let Some(Changed { subject, before, after }) = differing(changed()) else { return Ok(()) };
    let last = audit::table.order(audit::seq.desc()).select((audit::seq, audit::hash)).first::<(i64, String)>(c);
    let last = last.optional().map_err(|source| StoreError::List { what: "the audit log", source })?;
    let (seq, previous) = last.unwrap_or_else(|| (0, NOTHING.to_owned()));
    let mut row = AuditRow {
        seq: seq + 1,
        at_ms: acting.at_ms,
        actor: acting.name.clone(),
        token_id: acting.token_id.clone(),
        address: acting.address.clone(),
        request_id: acting.request_id.clone(),
        action: action.to_owned(),
        subject,
        before: before.map(|value| value.to_string()),
        after: after.map(|value| value.to_string()),
        previous,
        hash: String::new(),
    };
    row.hash = row.digest();
    let about = About { what: "row of the audit log", key: &row.request_id };
    diesel::insert_into(audit::table).values(&row).execute(c).map_err(|source| about.insert(source))?;
    acting.note();
    Ok(())
}

/// Leaves out what two objects have in common; `None` when that is all.
fn differing(mut changed: Changed) -> Option<Changed> {
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (&mut changed.before, &mut changed.after) {
        let same = |one: &Map<String, Value>, other: &Map<String, Value>, key: &str| one.get(key) == other.get(key);
        let common: Vec<String> = before.keys().filter(|key| same(before, after, key)).cloned().collect();
        for key in common {
            before.remove(&key);
            after.remove(&key);
        }
        if before.is_empty() && after.is_empty() {
            return None;
        }
    }
    Some(changed)
}

/// Which rows are asked for. `None` asks for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditQuery {
    pub actor: Option<String>,
    pub subject: Option<String>,
    /// An action, or what stands before its dot.
    pub action: Option<String>,
    pub since_ms: Option<i64>,
    /// Older than this row: the last one of the page before.
    pub before: Option<i64>,
    /// 1 to 500; taken to the nearer end otherwise.
    pub limit: u32,
}

/// Returns one page, newest first; fewer than `limit` mean that it is the last.
pub fn audit_page(c: &mut StoreConnection, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
    let mut found = audit::table.select(AuditRow::as_select()).into_boxed();
    if let Some(actor) = &query.actor {
        found = found.filter(audit::actor.eq(actor.clone()));
    }
    if let Some(subject) = &query.subject {
        found = found.filter(audit::subject.eq(subject.clone()));
    }
    if let Some(action) = &query.action {
        let kind = format!("{}.%", action.replace(['%', '_', '\\'], "?"));
        found = found.filter(audit::action.eq(action.clone()).or(audit::action.like(kind)));
    }
    if let Some(since_ms) = query.since_ms {
        found = found.filter(audit::at_ms.ge(since_ms));
    }
    if let Some(before) = query.before {
        found = found.filter(audit::seq.lt(before));
    }
    let page = found.order(audit::seq.desc()).limit(i64::from(query.limit.clamp(1, 500))).load(c);
    page.map_err(|source| StoreError::List { what: "the audit log", source })
}

/// What a check of the whole chain found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditCheck {
    /// Rows that are as they were written, from the first on.
    pub rows: i64,
    /// The hash of the last of these; who keeps it elsewhere sees also when the end was cut off.
    pub head: String,
    /// The first row that is not, and why.
    pub fault: Option<(i64, &'static str)>,
}

/// Reads every row and works the chain out again.
pub fn audit_check(c: &mut StoreConnection) -> Result<AuditCheck, StoreError> {
    let mut check = AuditCheck { head: NOTHING.to_owned(), ..AuditCheck::default() };
    loop {
        let stretch: Vec<AuditRow> = audit::table
            .filter(audit::seq.gt(check.rows))
            .order(audit::seq.asc())
            .limit(STRETCH)
            .select(AuditRow::as_select())
            .load(c)
            .map_err(|source| StoreError::List { what: "the audit log", source })?;
        if stretch.is_empty() {
            return Ok(check);
        }
        for row in stretch {
            let fault = if row.seq != check.rows + 1 {
                Some((check.rows + 1, "it is missing"))
            } else if row.previous != check.head {
                Some((row.seq, "it does not follow from the row before it"))
            } else if row.hash != row.digest() {
                Some((row.seq, "it was changed after it was written"))
            } else {
                None
            };
            if fault.is_some() {
                return Ok(AuditCheck { fault, ..check });
            }
            (check.rows, check.head) = (row.seq, row.hash);
        }
    }
}
