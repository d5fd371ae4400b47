//! Following one attempt: output to the log by offset, the host's word to the store.

mod collect;
mod end;
mod overdue;
mod proof;
mod running;
mod stop;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use shuntyard_domain::ids::{AttemptId, JobId, RunnerId};
use shuntyard_domain::job::{Job, JobEvent};
use shuntyard_domain::mask::Patterns;
use shuntyard_domain::receipt::StopReceipt;
use shuntyard_domain::recovery::{End, MAX_TAILS_OVERDUE};
use shuntyard_domain::wire::frame::Word;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::keeper::Backoff;
use super::log_sink::LogSink;
use super::{DispatchError, Dispatcher};
use crate::ssh::attempt::{self, Attempt, AttemptEvent, GoneWhy};
use crate::store::ApplyError;
use running::{Confirmed, SHORT_JOB};

/// Output is stored in pieces of at most about this size when it comes faster than the disk takes it.
const BATCH_BYTES: usize = 1024 * 1024;
/// How long the rest of the output may take after the end line.
const TAIL_DEADLINE: Duration = Duration::from_secs(20);

/// A host that does not hear from us for 30 s, or the job's own `stop_after_disconnect_s` if that is longer, stops it.
const HERE_EVERY: Duration = Duration::from_secs(5);

/// How long a stopping daemon waits for a channel that is being opened.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);

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
    /// Proved lost, and stored as waiting for another start.
    Requeued {
        attempt: u32,
    },
    /// The host's word could not be stored.
    NotStored(String),
    LinkLost(String),
}

/// One job's attempt, followed over as many channels as it takes.
pub(super) struct Following<'e> {
    engine: &'e Dispatcher,
    job: Job,
    sink: LogSink,
    /// What is masked of all that the job has said; `None` for a job that was handed no secrets.
    masks: Option<Arc<Patterns>>,
    cancel: CancellationToken,
    cancel_sent: bool,
    kill_at: Option<Instant>,
    stop: CancellationToken,
    /// The host says that the job runs, and that is not stored yet.
    confirmed: Option<Confirmed>,
    /// The commit of `running`, under way beside the output.
    running: Option<BoxFuture<'static, Result<Job, ApplyError>>>,
    /// The channel is the one on which the start was sent: its refusal proves that nothing was started, and after the
    /// end it takes another start.
    start_channel: bool,
    /// The last try was left to the keeper, which has no connection.
    away: bool,
    /// When more output had come than the host may hold.
    over_bound_at: Option<Instant>,
    /// No channel took the start: this process knows that the host has never seen it.
    pub(super) nothing_sent: bool,
    /// When the host is told again that we are here; `None`: it does not matter to this job.
    here_at: Option<Instant>,
    /// How often in a row the end came without the rest of the output.
    tails_overdue: u32,
    /// What this channel's host has told about a stop; each channel is told all of it.
    receipt: StopReceipt,
}

impl Dispatcher {
    /// Tells whether a job's end is stored; a cancel that is stored is passed on.
    async fn ended_elsewhere(&self, id: JobId, cancel: &CancellationToken) -> bool {
        match self.job(id).await {
            Ok(job) if job.state.is_finished() => true,
            Ok(job) => {
                if job.cancel.is_some() {
                    cancel.cancel();
                }
                false
            }
            // Silence of the store is no evidence either.
            Err(error) => matches!(error, DispatchError::NoJob(_)),
        }
    }
}

/// What the loop woke up for.
enum Woken {
    Event(AttemptEvent),
    Running(Box<Result<Job, ApplyError>>),
    /// The job has run for longer than a short one.
    Lasting,
    Cancel,
    Kill,
    /// The host is told that we are here.
    Here,
    /// The host has not kept a limit.
    Overdue,
    TailOverdue,
    Stop,
}

impl<'e> Following<'e> {
    pub(super) fn new(
        engine: &'e Dispatcher,
        job: Job,
        masks: Option<Arc<Patterns>>,
        cancel: CancellationToken,
        stop: CancellationToken,
    ) -> Self {
        let logs = engine.0.logs.clone().capped(job.spec.output_cap_bytes);
        let sink = LogSink::new(logs, job.attempt_id(), masks.clone());
        let here_at = job.spec.orphan_grace_s.map(|_| Instant::now() + HERE_EVERY);
        Self {
            engine,
            job,
            sink,
            masks,
            cancel,
            cancel_sent: false,
            kill_at: None,
            stop,
            confirmed: None,
            running: None,
            start_channel: true,
            away: false,
            over_bound_at: None,
            nothing_sent: false,
            here_at,
            tails_overdue: 0,
            receipt: StopReceipt::default(),
        }
    }

    pub(super) const fn attempt_id(&self) -> AttemptId {
        self.job.attempt_id()
    }

    /// Looks at the stored job again: whether it was ended by somebody else, or is to be stopped.
    pub(super) async fn ended_elsewhere(&mut self) -> bool {
        self.engine.ended_elsewhere(self.job.id, &self.cancel).await
    }

    /// Opens a channel to the attempt from the first byte that is not stored.
    pub(super) async fn attach(&mut self, runner: RunnerId) -> Followed {
        (self.cancel_sent, self.start_channel) = (false, false);
        self.receipt = StopReceipt::default();
        self.commit_running();
        let Ok(known) = self.engine.known(runner) else {
            // Deleted by force: nobody will hear of this job again, and nothing else ends this task.
            return self.finish(JobEvent::Abandoned { by: "the runner was deleted".into() }).await;
        };
        // The keeper dials at its own pace and wakes us: a host that is down is not asked once for each of its jobs.
        if let Some(why) = known.not_to_be_dialled() {
            self.away = true;
            return Followed::LinkLost(why);
        }
        let wrapper = &known.runner.installation.wrapper_path;
        let offset = self.sink.begin_channel();
        let connect = async {
            let mut lease = self.engine.lease_job(&known).await.map_err(|e| e.to_string())?;
            attempt::attach(&mut lease, wrapper, self.job.attempt_id(), offset).await.map_err(|e| e.to_string())
        };
        tokio::pin!(connect);
        tokio::select! {
            () = self.stop.cancelled() => {
                // A channel that is half open would end without a word, which is the end of such a job.
                if self.job.spec.orphan_grace_s.is_some()
                    && let Ok(Ok(attached)) = timeout(LEAVE_DEADLINE, connect).await
                {
                    attached.leave().await;
                }
                Followed::Detached
            }
            attached = &mut connect => attached.map_or_else(Followed::LinkLost, Followed::Attached),
        }
    }

    /// Takes events until the attempt's end is stored or the channel is gone.
    pub(super) async fn follow(&mut self, mut stream: Attempt, backoff: &mut Backoff) -> Followed {
        let mut end: Option<End> = None;
        let mut tail_deadline: Option<Instant> = None;
        let mut heard = Instant::now();
        loop {
            if let Some(reached) = end.filter(|e| e.may_settle(self.sink.reached_bytes(), self.tails_overdue)) {
                return self.settle(stream, reached).await;
            }
            let overdue = self.overdue(heard).filter(|_| end.is_none());
            let followed = match self.wake(&mut stream, tail_deadline, overdue.map(|(at, _)| at)).await {
                Woken::Event(AttemptEvent::Output(bytes)) => {
                    heard = Instant::now();
                    let came_bytes = self.sink.came_bytes();
                    let followed = self.store_output(&mut stream, bytes, &mut end).await;
                    self.look_at_bound();
                    if self.sink.came_bytes() > came_bytes {
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
                Woken::Here => {
                    self.here_at = Some(Instant::now() + HERE_EVERY);
                    // A channel that takes nothing says why in its events.
                    let _ = stream.input.send(Word::Here).await;
                    None
                }
                Woken::Overdue => match overdue {
                    Some((_, reason)) => self.stop_overdue(reason).await,
                    None => None,
                },
                Woken::TailOverdue => {
                    self.tails_overdue += 1;
                    // Said often enough: the loop settles, and the log is truncated.
                    let again = self.tails_overdue <= MAX_TAILS_OVERDUE;
                    again.then(|| Followed::LinkLost("the end came without the rest of the output".into()))
                }
                Woken::Stop => {
                    if self.job.spec.orphan_grace_s.is_some() {
                        // Its life depends on it.
                        stream.leave().await;
                        return Followed::Detached;
                    }
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

    async fn wake(
        &mut self,
        stream: &mut Attempt,
        tail_deadline: Option<Instant>,
        overdue_at: Option<Instant>,
    ) -> Woken {
        let lasting_at = self.confirmed.filter(|_| self.running.is_none()).map(|confirmed| confirmed.commit_at);
        let running = async {
            match self.running.as_mut() {
                Some(commit) => commit.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = stream.events.recv() => Woken::Event(event.unwrap_or(GONE)),
            stored = running => Woken::Running(Box::new(stored)),
            () = sleep_until(lasting_at.unwrap_or_else(Instant::now)), if lasting_at.is_some() => Woken::Lasting,
            () = self.cancel.cancelled(), if !self.cancel_sent => Woken::Cancel,
            () = sleep_until(self.kill_at.unwrap_or_else(Instant::now)), if self.kill_at.is_some() => Woken::Kill,
            () = sleep_until(self.here_at.unwrap_or_else(Instant::now)), if self.here_at.is_some() => Woken::Here,
            () = sleep_until(tail_deadline.unwrap_or_else(Instant::now)), if tail_deadline.is_some() => Woken::TailOverdue,
            () = sleep_until(overdue_at.unwrap_or_else(Instant::now)), if overdue_at.is_some() => Woken::Overdue,
            () = self.stop.cancelled() => Woken::Stop,
        }
    }

    /// Stores one chunk and whatever has arrived behind it.
    async fn store_output(&mut self, stream: &mut Attempt, first: Bytes, end: &mut Option<End>) -> Option<Followed> {
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
        match self.sink.append(chunks).await {
            Ok(stored) => {
                self.engine.0.metrics.log_stored(size as u64);
                self.engine.0.feed.log_grew(self.job.id, stored);
            }
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
                self.start_channel = false;
                self.sink.reattached();
                self.confirm(Duration::ZERO);
                self.commit_running();
                None
            }
            AttemptEvent::Receipt(line) => {
                self.receipt.add(line);
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
}
