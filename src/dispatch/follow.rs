//! Following one attempt: output to the log by offset, the host's word to the store.

mod proof;

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use shuntyard_domain::ids::RunnerId;
use shuntyard_domain::job::{Job, JobEvent, JobState};
use shuntyard_domain::recovery::{End, MAX_TAILS_OVERDUE};
use shuntyard_domain::wire::frame::Word;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::engine_error::told;
use super::keeper::Backoff;
use super::log_sink::LogSink;
use super::{DispatchError, Dispatcher};
use crate::ssh::attempt::{self, Attempt, AttemptEvent, GoneWhy};
use crate::store::{ApplyError, job_apply};

/// Output is stored in pieces of at most about this size when it comes faster than the disk takes it.
const BATCH_BYTES: usize = 1024 * 1024;
/// How long the rest of the output may take after the end line.
const TAIL_DEADLINE: Duration = Duration::from_secs(20);
/// How long beyond the job's own grace a host may take to confirm a cancel on the job's channel.
const CONFIRM_MARGIN: Duration = Duration::from_secs(5);

/// A job that ends before this has one commit less, and its output in one piece.
const SHORT_JOB: Duration = Duration::from_millis(100);

/// A channel that says no more.
const GONE: AttemptEvent = AttemptEvent::Gone { why: GoneWhy::Disconnected };

/// What following came to.
pub(super) enum Followed {
    Attached(Attempt),
    /// The end is stored.
    Over,
    /// The daemon stops; the job goes on.
    Detached,
    NeverStarted(String),
    /// The host's word could not be stored.
    NotStored(String),
    LinkLost(String),
}

/// One job's attempt, followed over as many channels as it takes.
pub(super) struct Following<'e> {
    engine: &'e Dispatcher,
    job: Job,
    sink: LogSink,
    /// Where the channel's next byte belongs. Not what is stored: a write that failed may have stored a part.
    received_bytes: u64,
    cancel: CancellationToken,
    cancel_sent: bool,
    kill_at: Option<Instant>,
    stop: CancellationToken,
    /// The host says that the job runs, and that is not stored yet.
    confirmed: Option<Confirmed>,
    /// The commit of `running`, under way beside the output.
    running: Option<BoxFuture<'static, Result<Job, ApplyError>>>,
    /// The channel is the one on which the start was sent: its refusal proves that nothing was started.
    start_channel: bool,
    /// How often in a row the end came without the rest of the output.
    tails_overdue: u32,
}

/// A start that the host has confirmed at `at_ms`. A short job's start and end are one commit.
#[derive(Clone, Copy)]
struct Confirmed {
    at_ms: i64,
    commit_at: Instant,
}

/// What the loop woke up for.
enum Woken {
    Event(AttemptEvent),
    Running(Box<Result<Job, ApplyError>>),
    /// The job has run for longer than a short one.
    Lasting,
    Cancel,
    Kill,
    TailOverdue,
    Stop,
}

impl<'e> Following<'e> {
    pub(super) fn new(engine: &'e Dispatcher, job: Job, cancel: CancellationToken, stop: CancellationToken) -> Self {
        let sink = LogSink::new(engine.0.logs.clone(), job.attempt_id());
        Self {
            engine,
            job,
            sink,
            received_bytes: 0,
            cancel,
            cancel_sent: false,
            kill_at: None,
            stop,
            confirmed: None,
            running: None,
            start_channel: true,
            tails_overdue: 0,
        }
    }

    /// Waits before the next try, or until something about the runner changes; true when the daemon stops instead.
    pub(super) async fn wait_or_stop(&mut self, runner: RunnerId, delay: Duration) -> bool {
        let known = self.engine.known(runner);
        let changed = async {
            match &known {
                Ok(known) => known.changed.notified().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => true,
            () = tokio::time::sleep(delay) => false,
            () = changed => false,
        }
    }

    /// Looks at the stored job again: whether it was ended by somebody else, or is to be stopped.
    pub(super) async fn ended_elsewhere(&mut self) -> bool {
        match self.engine.job(self.job.id).await {
            Ok(job) if job.state.is_finished() => true,
            Ok(job) => {
                if job.cancel.is_some() {
                    self.cancel.cancel();
                }
                false
            }
            // Silence of the store is no evidence either.
            Err(error) => matches!(error, DispatchError::NoJob(_)),
        }
    }

    /// Opens a channel to the attempt from the first byte that is not stored.
    pub(super) async fn attach(&mut self, runner: RunnerId) -> Followed {
        (self.cancel_sent, self.start_channel) = (false, false);
        self.commit_running();
        let Ok(known) = self.engine.known(runner) else {
            // Deleted by force: nobody will hear of this job again, and nothing else ends this task.
            return self.finish(JobEvent::Abandoned { by: "the runner was deleted".into() }).await;
        };
        // The keeper dials at its own pace and wakes us: a host that is down is not asked once for each of its jobs.
        if let Some(why) = known.not_to_be_dialled() {
            return Followed::LinkLost(why);
        }
        let wrapper = &known.runner.installation.wrapper_path;
        self.received_bytes = self.sink.stored_bytes();
        let connect = async {
            let mut lease = self.engine.lease_job(&known).await.map_err(|e| e.to_string())?;
            attempt::attach(&mut lease, wrapper, self.job.attempt_id(), self.received_bytes)
                .await
                .map_err(|e| e.to_string())
        };
        tokio::select! {
            () = self.stop.cancelled() => Followed::Detached,
            attached = connect => attached.map_or_else(Followed::LinkLost, Followed::Attached),
        }
    }

    /// Takes events until the attempt's end is stored or the channel is gone.
    pub(super) async fn follow(&mut self, mut stream: Attempt, backoff: &mut Backoff) -> Followed {
        let mut end: Option<End> = None;
        let mut tail_deadline: Option<Instant> = None;
        loop {
            if let Some(reached) = end.filter(|e| e.may_settle(self.sink.stored_bytes(), self.tails_overdue)) {
                return self.settle(stream, reached).await;
            }
            let followed = match self.wake(&mut stream, tail_deadline).await {
                Woken::Event(AttemptEvent::Output(bytes)) => {
                    let stored_bytes = self.sink.stored_bytes();
                    let followed = self.store_output(&mut stream, bytes, &mut end).await;
                    if self.sink.stored_bytes() > stored_bytes {
                        *backoff = Backoff::new(super::run_job::REATTACH_FIRST, super::run_job::REATTACH_CAP);
                        self.tails_overdue = 0;
                    }
                    followed
                }
                Woken::Event(event) => self.on_event(event, &mut end).await,
                Woken::Running(stored) => self.on_running(*stored),
                Woken::Lasting => self.on_lasting(&mut stream).await,
                Woken::Cancel => self.send_cancel(&mut stream).await,
                Woken::Kill => self.kill().await,
                Woken::TailOverdue => {
                    self.tails_overdue += 1;
                    // Said often enough: the loop settles, and the log is truncated.
                    let again = self.tails_overdue <= MAX_TAILS_OVERDUE;
                    again.then(|| Followed::LinkLost("the end came without the rest of the output".into()))
                }
                Woken::Stop => {
                    // The job goes on whether the host hears this or not.
                    let _ = stream.input.send(Word::Bye).await;
                    Some(Followed::Detached)
                }
            };
            if let Some(followed) = followed {
                return followed;
            }
            if end.is_some() && tail_deadline.is_none() {
                tail_deadline = Some(Instant::now() + TAIL_DEADLINE);
            }
        }
    }

    async fn wake(&mut self, stream: &mut Attempt, tail_deadline: Option<Instant>) -> Woken {
        let running = async {
            match self.running.as_mut() {
                Some(commit) => commit.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = stream.events.recv() => Woken::Event(event.unwrap_or(GONE)),
            stored = running => Woken::Running(Box::new(stored)),
            () = sleep_until(self.confirmed.map_or_else(Instant::now, |c| c.commit_at)), if self.confirmed.is_some() => Woken::Lasting,
            () = self.cancel.cancelled(), if !self.cancel_sent => Woken::Cancel,
            () = sleep_until(self.kill_at.unwrap_or_else(Instant::now)), if self.kill_at.is_some() => Woken::Kill,
            () = sleep_until(tail_deadline.unwrap_or_else(Instant::now)), if tail_deadline.is_some() => Woken::TailOverdue,
            () = self.stop.cancelled() => Woken::Stop,
        }
    }

    /// Stores one chunk and whatever has arrived behind it.
    async fn store_output(&mut self, stream: &mut Attempt, first: Bytes, end: &mut Option<End>) -> Option<Followed> {
        let offset = self.received_bytes;
        let mut size = first.len();
        let mut chunks = vec![first];
        let mut other = None;
        while size < BATCH_BYTES && other.is_none() {
            match stream.events.recv().now_or_never().map(|event| event.unwrap_or(GONE)) {
                Some(AttemptEvent::Output(bytes)) => {
                    size += bytes.len();
                    chunks.push(bytes);
                }
                Some(event) => other = Some(event),
                None => break,
            }
        }
        self.received_bytes += size as u64;
        match self.sink.append(offset, chunks).await {
            Ok(stored) => self.engine.0.feed.log_grew(self.job.id, stored),
            Err(error) => {
                tracing::error!(%error, "output could not be stored; it stays on the runner until it can");
                return Some(Followed::LinkLost("output could not be stored".into()));
            }
        }
        match other {
            Some(event) => self.on_event(event, end).await,
            None => None,
        }
    }

    async fn on_event(&mut self, event: AttemptEvent, end: &mut Option<End>) -> Option<Followed> {
        match event {
            AttemptEvent::Output(_) => None,
            AttemptEvent::Started { .. } => {
                self.confirm(SHORT_JOB);
                None
            }
            AttemptEvent::Attached { .. } => {
                self.confirm(Duration::ZERO);
                self.commit_running();
                None
            }
            AttemptEvent::Ended(record) => {
                *end = Some(End::Result(record));
                None
            }
            AttemptEvent::Lost { why, size } => {
                *end = Some(End::Lost { why, size });
                None
            }
            AttemptEvent::Unknown => Some(self.on_unknown().await),
            AttemptEvent::Fenced => Some(self.on_unknown().await),
            AttemptEvent::Refused { code, detail } => Some(self.on_refused(code, &detail).await),
            AttemptEvent::Gone { why } => Some(Followed::LinkLost(format!("{why:?}"))),
        }
    }

    /// Notes that the job runs, to be committed after `delay` or with its end.
    fn confirm(&mut self, delay: Duration) {
        if self.running.is_none() && matches!(self.job.state, JobState::Starting { .. }) {
            let now = Instant::now();
            self.confirmed.get_or_insert(Confirmed { at_ms: self.engine.0.clock.now_ms(), commit_at: now + delay });
        }
    }

    /// The job is not a short one: it is shown as running, and its output is wanted now.
    async fn on_lasting(&mut self, stream: &mut Attempt) -> Option<Followed> {
        self.commit_running();
        if std::mem::take(&mut stream.unfollowed)
            && let Err(error) = stream.input.send(Word::Follow).await
        {
            return Some(Followed::LinkLost(error.to_string()));
        }
        None
    }

    /// Begins the commit of a confirmed start; output is taken meanwhile.
    fn commit_running(&mut self) {
        let Some(Confirmed { at_ms, .. }) = self.confirmed.take() else { return };
        let (store, id) = (self.engine.0.store.clone(), self.job.id);
        self.running =
            Some(async move { store.write(move |c| job_apply(c, id, None, &JobEvent::Started, at_ms)).await }.boxed());
    }

    fn on_running(&mut self, stored: Result<Job, ApplyError>) -> Option<Followed> {
        self.running = None;
        match stored {
            Ok(job) => {
                self.engine.0.feed.job_changed(job.id, job.version);
                self.job = job;
                None
            }
            // Given up meanwhile: its record is final.
            Err(ApplyError::Illegal(_) | ApplyError::NotFound(_)) => Some(Followed::NotStored("it has changed".into())),
            Err(error) => Some(Followed::NotStored(format!("`running` could not be stored: {}", told(&error)))),
        }
    }

    async fn send_cancel(&mut self, stream: &mut Attempt) -> Option<Followed> {
        self.cancel_sent = true;
        let grace_s = self.job.spec.stop_grace_s;
        self.kill_at = Some(Instant::now() + Duration::from_secs(u64::from(grace_s)) + CONFIRM_MARGIN);
        match stream.input.send(Word::Cancel { grace_s: Some(grace_s) }).await {
            Ok(()) => None,
            Err(error) => Some(Followed::LinkLost(error.to_string())),
        }
    }

    /// Cancels from another channel: the job's own did not answer in time.
    async fn kill(&mut self) -> Option<Followed> {
        self.kill_at = Some(Instant::now() + CONFIRM_MARGIN);
        let known = self.engine.known(self.job.state.runner()?).ok()?;
        let mut lease = self.engine.lease_service(&known).await.ok()?;
        let wrapper = &known.runner.installation.wrapper_path;
        let killed = tokio::select! {
            () = self.stop.cancelled() => return Some(Followed::Detached),
            killed = attempt::kill(&mut lease, wrapper, self.job.attempt_id(), 0) => killed,
        };
        if let Err(error) = killed {
            tracing::warn!(%error, "the kill was not confirmed; trying again");
        }
        Some(Followed::LinkLost("asking for the result after a kill".into()))
    }

    /// Everything is here: stores the end, then lets the host forget the attempt.
    async fn settle(&mut self, stream: Attempt, end: End) -> Followed {
        let summary = match self.sink.seal().await {
            Ok(summary) => summary,
            Err(error) => return Followed::LinkLost(error.to_string()),
        };
        if let Some(commit) = self.running.take() {
            // Committed in the order of submission; an error shows again in the next commit.
            if let Ok(job) = commit.await {
                self.engine.0.feed.job_changed(job.id, job.version);
                self.job = job;
            }
        }
        let followed = self.finish(end.event(summary)).await;
        if let (Followed::Over, Some(runner)) = (&followed, self.job.state.runner()) {
            self.engine.park(runner, stream);
        }
        followed
    }

    async fn finish(&mut self, event: JobEvent) -> Followed {
        let (id, now_ms, confirmed) = (self.job.id, self.engine.0.clock.now_ms(), self.confirmed);
        let write = self.engine.0.store.write(move |c| {
            if let Some(Confirmed { at_ms, .. }) = confirmed {
                job_apply(c, id, None, &JobEvent::Started, at_ms)?;
            }
            job_apply(c, id, None, &event, now_ms)
        });
        match write.await {
            Ok(job) => {
                self.confirmed = None;
                tracing::info!(state = job.state.name(), "job ended");
                self.engine.0.feed.job_changed(id, job.version);
                Followed::Over
            }
            // An admin gave the job up meanwhile: its record is final.
            Err(ApplyError::Illegal(_) | ApplyError::NotFound(_)) => {
                tracing::info!("the job was ended by somebody else");
                Followed::Over
            }
            Err(error) => Followed::NotStored(format!("the end could not be stored: {}", told(&error))),
        }
    }
}
