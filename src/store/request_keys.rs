//! What requests with an Idempotency-Key have made: a repetition finds it instead of making another one.
//!
//! The key travels with the request's task (`RequestKey::scope`) to the one write that makes something (`Store::create`),
//! which keeps it in its own transaction.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as SqlError};
use tokio::sync::watch;

use super::connection::StoreConnection;
use super::error::{About, Row, StoreError};
use super::schema::request_keys;
use super::tokens::to_hex;
use crate::acting::on_behalf;

const KEY: &str = "request key";
/// For how long a repetition is recognised: 24 hours.
pub const REQUEST_KEYS_KEPT_MS: i64 = 24 * 3_600_000;

/// Kinds of things that a request can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadeKind {
    Job,
    PhaseRun,
    FanOut,
    Change,
    /// By a bootstrap; its id is the hostname.
    Runner,
    JumpHost,
    /// By a bootstrap; as the record alone its id is the name.
    InstalledJumpHost,
    EnrolmentToken,
    Webhook,
    Pool,
    User,
    /// Of the API.
    Token,
    /// Organisation, project or pipeline; its id is the name alone.
    Place,
}

impl MadeKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Job,
        Self::PhaseRun,
        Self::FanOut,
        Self::Change,
        Self::Runner,
        Self::JumpHost,
        Self::InstalledJumpHost,
        Self::EnrolmentToken,
        Self::Webhook,
        Self::Pool,
        Self::User,
        Self::Token,
        Self::Place,
    ];

    /// The word in the column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::PhaseRun => "phase_run",
            Self::FanOut => "fan_out",
            Self::Change => "change",
            Self::Runner => "runner",
            Self::JumpHost => "jump_host",
            Self::InstalledJumpHost => "installed_jump_host",
            Self::EnrolmentToken => "enrolment_token",
            Self::Webhook => "webhook",
            Self::Pool => "pool",
            Self::User => "user",
            Self::Token => "token",
            Self::Place => "place",
        }
    }
}

/// What a request has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeByRequest {
    pub kind: MadeKind,
    pub id: String,
}

/// The Idempotency-Key of a request that is being carried out.
pub struct RequestKey {
    /// Whose key it is: two callers may use the same.
    pub caller: String,
    pub key: String,
    /// Of what was asked; the same key with another one is another request.
    pub digest: [u8; 32],
    pub at_ms: i64,
    /// Another dispatcher on the same database was quicker.
    too_late: AtomicBool,
    /// Closed when nothing works for the request any more: who repeats it meanwhile waits for that.
    _under_way: watch::Sender<()>,
}

tokio::task_local! {
    static CURRENT: Option<Arc<RequestKey>>;
}

impl RequestKey {
    #[must_use]
    pub fn new(caller: String, key: String, digest: [u8; 32], at_ms: i64, under_way: watch::Sender<()>) -> Self {
        Self { caller, key, digest, at_ms, too_late: AtomicBool::new(false), _under_way: under_way }
    }

    /// The key of the request that this task works for; `None`: it has none, or the task works for none.
    #[must_use]
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// Does `work`, which another task goes on with, for the request of this one: as whoever acts, and with its key.
    pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
        on_behalf(Self::scope(Self::current(), work))
    }

    /// Does `work` for the request with this key.
    pub fn scope<F: Future>(key: Option<Arc<Self>>, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(key, work)
    }

    /// Tells whether the work was refused because another request with the key was quicker.
    #[must_use]
    pub fn is_too_late(&self) -> bool {
        self.too_late.load(Ordering::Relaxed)
    }
}

/// Keeps what the request is about to make in this transaction; one of more than 24 hours ago is forgotten.
///
/// # Errors
/// `Repeated` when the key was used before.
pub(super) fn request_key_insert(
    c: &mut StoreConnection,
    request: &RequestKey,
    made: &MadeByRequest,
) -> Result<(), StoreError> {
    let about = About { what: KEY, key: &request.key };
    let earlier = request_keys::table
        .find((&request.caller, &request.key))
        .filter(request_keys::at_ms.le(request.at_ms - REQUEST_KEYS_KEPT_MS));
    diesel::delete(earlier).execute(c).map_err(|source| about.delete(source))?;
    let values = (
        request_keys::caller.eq(&request.caller),
        request_keys::key.eq(&request.key),
        request_keys::digest.eq(to_hex(&request.digest)),
        request_keys::made_kind.eq(made.kind.as_str()),
        request_keys::made_id.eq(&made.id),
        request_keys::at_ms.eq(request.at_ms),
    );
    match diesel::insert_into(request_keys::table).values(values).execute(c) {
        Ok(_) => Ok(()),
        Err(SqlError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
            request.too_late.store(true, Ordering::Relaxed);
            Err(StoreError::Repeated { key: request.key.clone() })
        }
        Err(source) => Err(about.insert(source)),
    }
}

/// What the caller's request with this key has made, and the digest of what was asked; `None` when there was none in the
/// last 24 hours.
pub fn request_key_find(
    c: &mut StoreConnection,
    caller: &str,
    key: &str,
    now_ms: i64,
) -> Result<Option<(String, MadeByRequest)>, StoreError> {
    let found: Option<(String, String, String)> = request_keys::table
        .find((caller, key))
        .filter(request_keys::at_ms.gt(now_ms - REQUEST_KEYS_KEPT_MS))
        .select((request_keys::digest, request_keys::made_kind, request_keys::made_id))
        .first(c)
        .optional()
        .map_err(|source| About { what: KEY, key }.find(source))?;
    let row = Row { table: "request_keys", key };
    let read = |(digest, word, id): (String, String, String)| {
        let kind = MadeKind::ALL.iter().copied().find(|kind| kind.as_str() == word);
        Ok((digest, MadeByRequest { kind: kind.ok_or_else(|| row.bad("made_kind", &word))?, id }))
    };
    found.map(read).transpose()
}

/// Forgets keys of more than 24 hours ago; tells how many.
pub fn request_keys_prune(c: &mut StoreConnection, now_ms: i64) -> Result<usize, StoreError> {
    let old = request_keys::table.filter(request_keys::at_ms.le(now_ms - REQUEST_KEYS_KEPT_MS));
    diesel::delete(old).execute(c).map_err(|source| About { what: KEY, key: "(old ones)" }.delete(source))
}
