//! The store: opened once, shared by clones, closed at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use diesel::r2d2::{HandleError, Pool};
use tokio::sync::{Notify, mpsc, oneshot};

use super::audit;
use super::connection::{Connector, Role, StoreConnection};
use super::error::StoreError;
use super::migrate::migrate;
use super::request_keys::{MadeByRequest, MadeKind, RequestKey, request_key_insert};
use super::url::StoreUrl;
use super::writer::{Counters, Message, Queued, Writer};
use crate::acting::acting;
use crate::metrics::Metrics;

/// Sizes and limits of a store.
#[derive(Clone)]
pub struct StoreOptions {
    /// Connections for reading, opened when first needed.
    pub readers: u32,
    /// How long a read, or a batch of writes, waits for a connection.
    pub check_out_limit: Duration,
    /// Counts the transactions of the writer.
    pub metrics: Metrics,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { readers: 4, check_out_limit: Duration::from_secs(5), metrics: Metrics::default() }
    }
}

/// Counts since the store was opened; `writes / commits` is the mean size of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreStats {
    pub writes: u64,
    pub commits: u64,
}

/// The database of one dispatcher. A clone is the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    readers: Pool<Connector>,
    writes: mpsc::Sender<Message>,
    /// Fires when the writer thread has ended.
    ended: tokio::sync::watch::Receiver<()>,
    counters: Arc<Counters>,
    to_send: Arc<Notify>,
}

/// Writes that may wait: enough for 16 batches; beyond it the callers wait, which slows down who submits.
const WAITING_WRITES: usize = 1024;

impl Store {
    /// Opens the database, brings its tables to this version, and starts the writer thread. Blocks.
    ///
    /// # Errors
    /// Says which step failed: connect, version of SQLite, migrations, a database from the future.
    pub fn open(url: &StoreUrl, options: StoreOptions) -> Result<Self, StoreError> {
        migrate(&Connector { url: url.clone(), role: Role::Writer })?;
        let pool = |role, size| {
            Pool::builder()
                .max_size(size)
                .min_idle(Some(0))
                .test_on_check_out(true)
                .connection_timeout(options.check_out_limit)
                .error_handler(Box::new(Report))
                .build(Connector { url: url.clone(), role })
                .map_err(|source| StoreError::Pool { url: url.to_string(), source })
        };
        let (writes, queue) = mpsc::channel(WAITING_WRITES);
        let (running, ended) = tokio::sync::watch::channel(());
        let counters = Arc::new(Counters::default());
        let (writers, to_send) = (pool(Role::Writer, 1)?, Arc::new(Notify::new()));
        let writer = Writer {
            pool: writers,
            queue,
            counters: Arc::clone(&counters),
            to_send: Arc::clone(&to_send),
            metrics: options.metrics.clone(),
        };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                writer.run();
                drop(running);
            })
            .map_err(|source| StoreError::StartWriter { source })?;
        let readers = pool(Role::Reader, options.readers.max(1))?;
        Ok(Self { inner: Arc::new(Inner { readers, writes, ended, counters, to_send }) })
    }

    /// Runs `work` in a transaction and answers when it is on disk.
    ///
    /// `work` shares its transaction with the other writes that wait, in a savepoint of its own: its `Err`
    /// rolls back what it did and nothing else. It runs once, on the writer thread, in order of arrival, also
    /// when the caller has gone away in the meantime. It must not wait for anything but the database.
    ///
    /// # Errors
    /// `work`'s own; `Begin`, `Commit` and `CheckOut` when the database refused the batch; `Panicked`; `Closed`.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut StoreConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        let acting = acting();
        let work = move |c: &mut StoreConnection| audit::as_theirs(acting, || work(c));
        let queued = Queued { work: Some(work), result: None, caller };
        self.inner.writes.send(Message::Write(Box::new(queued))).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// As `write`, for what makes something new on a person's request: a repetition of that request with the same
    /// Idempotency-Key finds it. Both are committed together, or neither; so `work` answers `Err` when it made nothing.
    ///
    /// # Errors
    /// As `write`; `Repeated` when another request with the key was quicker.
    pub async fn create<T, E>(
        &self,
        kind: MadeKind,
        id: impl ToString,
        work: impl FnOnce(&mut StoreConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (request, made) = (RequestKey::current(), MadeByRequest { kind, id: id.to_string() });
        self.write(move |c| {
            if let Some(request) = &request {
                request_key_insert(c, request, &made)?;
            }
            work(c)
        })
        .await
    }

    /// Runs `work` on a connection that cannot write, on a thread that may block.
    ///
    /// It sees every acknowledged write. Several statements do not see one moment.
    ///
    /// # Errors
    /// `work`'s own; `CheckOut` when no connection came free in time; `Panicked`.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&mut StoreConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let readers = self.inner.readers.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let mut c = readers.get().map_err(|source| StoreError::CheckOut { source: Arc::new(source) })?;
            work(&mut c)
        });
        reading.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }

    /// Finishes every queued write; later ones get `Closed`. Reads go on while clones live.
    pub async fn close(self) {
        // Refused only when the writer has ended already.
        drop(self.inner.writes.send(Message::Close).await);
        let mut ended = self.inner.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    /// Waits until a commit has left something in the outbox. For one task; what was committed before is told at once.
    pub async fn something_to_send(&self) {
        self.inner.to_send.notified().await;
    }

    #[must_use]
    pub fn stats(&self) -> StoreStats {
        StoreStats {
            writes: self.inner.counters.writes.load(Ordering::Relaxed),
            commits: self.inner.counters.commits.load(Ordering::Relaxed),
        }
    }
}

/// The pool retries by itself; an operator sees why.
#[derive(Debug)]
struct Report;

impl HandleError<diesel::r2d2::Error> for Report {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(%error, "cannot make or keep a database connection");
    }
}
