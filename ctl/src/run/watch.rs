//! Several jobs followed at once, with Ctrl-C and with a word about jobs that wait.
//!
//! Everything that takes time is a future in one set; the loop turns what comes out into plain calls. However many jobs
//! there are, few connections are open at a time: the server has others to serve.

mod cancel;
pub mod waiting;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use shuntyard_domain::ids::{JobId, PhaseRunId};
use shuntyard_domain::wire::api::{JobBody, PhaseRunBody};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::run::follower::{Followed, Follower};
use crate::run::streams::Streams;
use crate::run::view::View;
use crate::terminal::note;
use crate::turns::{Turn, Turns};
pub use cancel::CANCEL_AGAIN;
use cancel::CANCELS;
use waiting::{PATIENCE, QUESTIONS};

/// Rows without a stream are looked at after the first pause; each further one is twice as long, up to the longest.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How following ended.
pub enum Watched {
    /// Every job is finished; in the order of the rows.
    Ended { jobs: Vec<JobBody>, interrupted: bool },
    /// Ctrl-C came twice; what to do was said.
    Left,
}

struct Row {
    job: JobBody,
    ended: bool,
    /// When to ask what it waits for; `None` while it does not wait, or an answer is awaited.
    ask_at: Option<Instant>,
    said: String,
    cancel_accepted: bool,
}

enum News {
    Followed(usize, Box<Follower>, Result<Followed, ClientError>),
    WaitsFor(usize, Option<String>),
    CancelAnswered(usize, Result<(), ClientError>),
    /// All rows as they are, and how long to wait before the next look.
    Looked(Result<Vec<JobBody>, ClientError>, Duration),
}

/// The jobs of one run.
pub struct Watch<'a> {
    client: &'a Client,
    rows: Vec<Row>,
    view: View,
    streams: Streams,
    underway: FuturesUnordered<LocalBoxFuture<'a, News>>,
    questions: Arc<Semaphore>,
    cancels: Arc<Semaphore>,
    phase_run: Option<PhaseRunId>,
    interrupted: bool,
}

impl<'a> Watch<'a> {
    #[must_use]
    pub fn new(client: &'a Client, jobs: &[JobBody], view: View) -> Self {
        let row = |job: &JobBody| Row {
            job: job.clone(),
            ended: false,
            ask_at: is_waiting(job).then(|| Instant::now() + PATIENCE),
            said: String::new(),
            cancel_accepted: false,
        };
        let mut watch = Self {
            client,
            rows: jobs.iter().map(row).collect(),
            view,
            streams: Streams::new(jobs.iter().map(is_waiting)),
            underway: FuturesUnordered::new(),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            cancels: Arc::new(Semaphore::new(CANCELS)),
            phase_run: jobs.iter().find_map(|job| job.phase_run),
            interrupted: false,
        };
        watch.open_streams();
        watch.look(FIRST_LOOK);
        watch
    }

    /// Follows to the end of every job, or until the second interrupt; `interrupted` counts as the first one.
    ///
    /// # Errors
    /// `Failure` when the server's answers make no sense or standard output is closed.
    pub async fn run(mut self, interrupts: UnboundedReceiver<()>, interrupted: bool) -> Result<Watched, Failure> {
        let mut turns = Turns::new(interrupts);
        if interrupted {
            self.cancel();
        }
        while self.rows.iter().any(|row| !row.ended) {
            match turns.next(&mut self.underway).await {
                Turn::News(news) => self.take(news)?,
                Turn::Interrupt if self.interrupted => {
                    turns.before_leaving(self.await_cancels()).await;
                    self.leave();
                    return Ok(Watched::Left);
                }
                Turn::Interrupt => self.cancel(),
                Turn::Tick => self.ask_what_they_wait_for(),
            }
        }
        let jobs = self.rows.into_iter().map(|row| row.job).collect();
        Ok(Watched::Ended { jobs, interrupted: self.interrupted })
    }

    fn open_streams(&mut self) {
        while let Some(index) = self.streams.open_next() {
            self.follow(index, Box::new(Follower::of_accepted(self.rows[index].job.id)));
        }
    }

    /// Looks after `pause`, and again, at rows that wait without a stream, as long as there are any.
    fn look(&self, pause: Duration) {
        let (client, Some(run)) = (self.client, self.phase_run) else { return };
        if self.streams.any_unwatched() {
            self.underway.push(Box::pin(async move {
                tokio::time::sleep(pause).await;
                let rows = client.get::<PhaseRunBody>(&format!("phase_runs/{run}")).await;
                News::Looked(rows.map(|run| run.jobs), (pause * 2).min(LONGEST_PAUSE))
            }));
        }
    }

    fn follow(&self, index: usize, mut follower: Box<Follower>) {
        let client = self.client;
        self.underway.push(Box::pin(async move {
            let followed = follower.next(client).await;
            News::Followed(index, follower, followed)
        }));
    }

    fn take(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Followed(index, follower, followed) => {
                self.show(index, followed?)?;
                if self.rows[index].ended {
                    self.open_streams();
                } else {
                    self.follow(index, follower);
                }
            }
            News::WaitsFor(index, summary) => self.say_what_it_waits_for(index, summary),
            News::Looked(rows, next_pause) => {
                self.start_following(rows)?;
                self.look(next_pause);
            }
            News::CancelAnswered(index, Ok(())) => self.rows[index].cancel_accepted = true,
            News::CancelAnswered(index, Err(error)) => {
                note(&format!("job {} was not cancelled: {error}", self.rows[index].job.id));
            }
        }
        Ok(())
    }

    fn show(&mut self, index: usize, followed: Followed) -> Result<(), Failure> {
        match followed {
            Followed::Output(bytes) => self.view.output(index, &bytes)?,
            Followed::Elided(bytes) => self.view.remark(index, &format!("{bytes} bytes of output are not kept")),
            Followed::Again { attempt } => {
                self.view.end(index)?;
                self.view.remark(index, &format!("the job was lost and started again: attempt {attempt}"));
            }
            Followed::Lost { why } => self.view.lost(&why),
            Followed::Back => self.view.back(),
            Followed::State(job) => self.update(index, *job),
            Followed::End(job) => {
                self.view.end(index)?;
                let row = &mut self.rows[index];
                (row.job, row.ended, row.ask_at) = (*job, true, None);
                self.streams.over(index);
            }
        }
        Ok(())
    }

    /// Takes what a look has shown: rows that have left the queue are followed, and those that never started are over.
    fn start_following(&mut self, rows: Result<Vec<JobBody>, ClientError>) -> Result<(), Failure> {
        let rows = match rows {
            // The streams say that the server is away.
            Err(error) if error.is_passing() => return Ok(()),
            rows => rows?,
        };
        let index_of: HashMap<JobId, usize> = self.rows.iter().enumerate().map(|(n, row)| (row.job.id, n)).collect();
        for job in rows.into_iter().filter(|job| !is_waiting(job)) {
            let Some(index) = index_of.get(&job.id).copied().filter(|index| self.streams.lacks_one(*index)) else {
                continue;
            };
            if job.outcome.is_some() && job.log_bytes == 0 {
                self.show(index, Followed::End(Box::new(job)))?;
            } else {
                self.streams.left_the_queue(index);
            }
        }
        self.open_streams();
        Ok(())
    }

    fn update(&mut self, index: usize, job: JobBody) {
        let row = &mut self.rows[index];
        if job.state != row.job.state && job.state == "running" {
            let runner = job.runner.as_deref().unwrap_or("its runner");
            self.view.remark(index, &format!("running on {runner}"));
        }
        row.ask_at = match (is_waiting(&job), is_waiting(&row.job)) {
            (true, false) => Some(Instant::now() + PATIENCE),
            (true, true) => row.ask_at,
            (false, _) => None,
        };
        row.job = job;
    }
}

fn is_waiting(job: &JobBody) -> bool {
    job.state == "queued"
}
