//! The group commit: one thread takes every waiting write and commits them as one transaction.
//!
//! A commit waits for the disk (0.3 to 3 ms); sharing it between the writes that wait anyway is what
//! makes `synchronous = FULL` fast. Each write has its own savepoint, so a failing one disturbs nobody.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use diesel::connection::{SimpleConnection as _, TransactionManager};
use diesel::r2d2::{Pool, PooledConnection};
use diesel::result::{Error as SqlError, QueryResult};
use tokio::sync::{Notify, mpsc, oneshot};

use super::connection::{Connector, StoreConnection};
use super::error::StoreError;
use super::outbox;
use crate::metrics::Metrics;

/// Writes in one transaction: more than that adds latency and hardly saves a commit.
const BATCH: usize = 64;

/// A write that waits for its batch.
pub(super) trait Write: Send {
    /// Does the work and keeps its result; tells whether its savepoint is to be kept.
    fn run(&mut self, c: &mut StoreConnection) -> bool;
    /// Answers the caller, after the batch has met its fate.
    fn answer(self: Box<Self>, fate: &Fate);
}

/// What became of a batch.
pub(super) enum Fate {
    Committed,
    NoConnection(Arc<diesel::r2d2::PoolError>),
    NotBegun(Arc<SqlError>),
    NotCommitted(Arc<SqlError>),
}

impl Fate {
    fn as_error(&self) -> Option<StoreError> {
        match self {
            Self::Committed => None,
            Self::NoConnection(source) => Some(StoreError::CheckOut { source: Arc::clone(source) }),
            Self::NotBegun(source) => Some(StoreError::Begin { source: Arc::clone(source) }),
            Self::NotCommitted(source) => Some(StoreError::Commit { source: Arc::clone(source) }),
        }
    }
}

/// A closure, its result, and who waits for it.
pub(super) struct Queued<F, T, E> {
    pub work: Option<F>,
    pub result: Option<Result<T, E>>,
    pub caller: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Write for Queued<F, T, E>
where
    F: FnOnce(&mut StoreConnection) -> Result<T, E> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, c: &mut StoreConnection) -> bool {
        self.result = self.work.take().map(|work| work(c));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, fate: &Fate) {
        let answer = match (self.result, fate.as_error()) {
            // A refusal, too: it may rest on an earlier write of the batch, which is undone.
            (_, Some(fault)) => Err(fault.into()),
            (Some(own), None) => own,
            (None, None) => Err(StoreError::Panicked.into()),
        };
        // A caller that has gone away does not undo its write.
        drop(self.caller.send(answer));
    }
}

/// What the writer thread is sent.
pub(super) enum Message {
    Write(Box<dyn Write>),
    /// Finish what is queued and end.
    Close,
}

/// Counts since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub writes: AtomicU64,
    pub commits: AtomicU64,
}

/// The writer thread's own things.
pub(super) struct Writer {
    pub pool: Pool<Connector>,
    pub queue: mpsc::Receiver<Message>,
    pub counters: Arc<Counters>,
    /// Told of every batch that left something to send.
    pub to_send: Arc<Notify>,
    pub metrics: Metrics,
}

impl Writer {
    /// Runs until `Close`, or until the last `Store` is gone; then finishes what is queued.
    pub fn run(mut self) {
        let mut connection = None;
        while let Some(first) = self.queue.blocking_recv() {
            let batch = self.batch(first);
            if batch.is_empty() {
                continue;
            }
            self.counters.writes.fetch_add(batch.len() as u64, Ordering::Relaxed);
            self.commit(&mut connection, batch);
        }
    }

    /// What waits now, in order of arrival.
    fn batch(&mut self, first: Message) -> Vec<Box<dyn Write>> {
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Write(write) => batch.push(write),
                Message::Close => self.queue.close(),
            }
            next = if batch.len() < BATCH { self.queue.try_recv().ok() } else { None };
        }
        batch
    }

    fn commit(&self, connection: &mut Option<PooledConnection<Connector>>, mut batch: Vec<Box<dyn Write>>) {
        let (began, writes) = (Instant::now(), batch.len());
        let fate = match self.begin(connection) {
            Ok(mut c) => {
                if !c.has_one_writer() {
                    outbox::forget_subscriptions();
                }
                let fate = run_batch(&mut c, &mut batch);
                match fate {
                    Fate::Committed => {
                        if outbox::take_woken() {
                            self.to_send.notify_one();
                        }
                        self.counters.commits.fetch_add(1, Ordering::Relaxed);
                        *connection = Some(c);
                    }
                    // Back to the pool, which keeps it only when it is sound.
                    Fate::NoConnection(_) | Fate::NotBegun(_) | Fate::NotCommitted(_) => drop(c),
                }
                fate
            }
            Err(fate) => fate,
        };
        let failed = !matches!(fate, Fate::Committed);
        self.metrics.batch_written(writes, began.elapsed(), failed);
        if let Some(fault) = fate.as_error() {
            tracing::warn!(writes, error = %fault, cause = ?std::error::Error::source(&fault), "a batch of writes failed");
        }
        for write in batch {
            write.answer(&fate);
        }
    }

    /// Begins on the connection at hand, or on a fresh one when that has broken while nothing was written.
    fn begin(&self, connection: &mut Option<PooledConnection<Connector>>) -> Result<PooledConnection<Connector>, Fate> {
        if let Some(mut c) = connection.take()
            && c.begin_write().is_ok()
        {
            return Ok(c);
        }
        let mut c = self.pool.get().map_err(|source| Fate::NoConnection(Arc::new(source)))?;
        match c.begin_write() {
            Ok(()) => Ok(c),
            Err(source) => Err(Fate::NotBegun(Arc::new(source))),
        }
    }
}

/// Runs the batch inside the open transaction and closes it.
fn run_batch(c: &mut StoreConnection, batch: &mut [Box<dyn Write>]) -> Fate {
    let done = batch
        .iter_mut()
        .try_for_each(|write| run_in_savepoint(c, write.as_mut()))
        .and_then(|()| <StoreConnection as TransactionManager<_>>::commit_transaction(c));
    match done {
        Ok(()) => Fate::Committed,
        Err(source) => {
            outbox::forget_subscriptions();
            // A failure here is seen by the pool, which then throws the connection away.
            drop(roll_back_to(c, 0));
            Fate::NotCommitted(Arc::new(source))
        }
    }
}

/// An error means that the connection or the transaction is lost, not that the work failed.
///
/// The savepoint is written in SQL and not left to diesel: SQLite ends the whole transaction by itself when the
/// disk is full, which diesel forgives inside nested transactions; the next savepoint would then be a
/// transaction of its own and its release a commit. Releasing ours fails when it has gone.
fn run_in_savepoint(c: &mut StoreConnection, write: &mut dyn Write) -> QueryResult<()> {
    let depth = c.depth()?;
    c.batch_execute("SAVEPOINT store_write")?;
    let keep = catch_unwind(AssertUnwindSafe(|| write.run(c))).unwrap_or(false);
    if !keep {
        outbox::forget_subscriptions();
        roll_back_to(c, depth)?;
        return c.batch_execute("ROLLBACK TO SAVEPOINT store_write; RELEASE SAVEPOINT store_write");
    }
    if c.depth()? != depth {
        // Work that leaves a transaction open, or closes ours, has said `Ok` to something else.
        return Err(SqlError::AlreadyInTransaction);
    }
    c.batch_execute("RELEASE SAVEPOINT store_write")
}

/// Also closes what a panic left open.
fn roll_back_to(c: &mut StoreConnection, depth: u32) -> QueryResult<()> {
    while c.depth()? > depth {
        <StoreConnection as TransactionManager<_>>::rollback_transaction(c)?;
    }
    Ok(())
}
