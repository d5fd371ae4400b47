//! Several jobs followed at once, with Ctrl-C and with a word about jobs that wait.
//!
//! Everything that takes time is a future in one set; the loop turns what comes out into plain calls.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::Value;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::wire::api::JobBody;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::run::follower::{Followed, Follower};
use crate::run::view::View;
use crate::terminal::note;

/// A job that waits longer than this deserves a word.
const PATIENCE: Duration = Duration::from_secs(2);
/// What a job waits for is asked again this often; a new answer is shown.
const ASK_AGAIN: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(250);
const CANCEL_AGAIN: Duration = Duration::from_secs(1);
/// Two quick Ctrl-C must not outrun the cancel that the first one asked for.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

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
    /// When to ask what it waits for; `None` while it does not wait.
    ask_at: Option<Instant>,
    said: String,
    cancel_accepted: bool,
}

enum News {
    Followed(usize, Box<Follower>, Result<Followed, ClientError>),
    WaitsFor(usize, Option<String>),
    CancelAnswered(usize, Result<(), ClientError>),
}

enum Turn {
    News(News),
    Interrupt,
    Tick,
}

/// The jobs of one run.
pub struct Watch<'a> {
    client: &'a Client,
    rows: Vec<Row>,
    view: View,
    underway: FuturesUnordered<LocalBoxFuture<'a, News>>,
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
        let watch = Self {
            client,
            rows: jobs.iter().map(row).collect(),
            view,
            underway: FuturesUnordered::new(),
            interrupted: false,
        };
        for (index, job) in jobs.iter().enumerate() {
            watch.follow(index, Box::new(Follower::of_accepted(job.id)));
        }
        watch
    }

    /// Follows to the end of every job, or until the second interrupt; `interrupted` counts as the first one.
    ///
    /// # Errors
    /// `Failure` when the server's answers make no sense or standard output is closed.
    pub async fn run(mut self, mut interrupts: UnboundedReceiver<()>, interrupted: bool) -> Result<Watched, Failure> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        if interrupted {
            self.cancel();
        }
        while self.rows.iter().any(|row| !row.ended) {
            let turn = tokio::select! {
                Some(news) = self.underway.next() => Turn::News(news),
                Some(()) = interrupts.recv() => Turn::Interrupt,
                _ = ticks.tick() => Turn::Tick,
            };
            match turn {
                Turn::News(news) => self.take(news)?,
                Turn::Interrupt if self.interrupted => {
                    // A third Ctrl-C leaves at once.
                    tokio::select! {
                        _ = tokio::time::timeout(LEAVE_WITHIN, self.await_cancels()) => {}
                        _ = interrupts.recv() => {}
                    }
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
                if !self.rows[index].ended {
                    self.follow(index, follower);
                }
            }
            News::WaitsFor(index, Some(summary)) => {
                let row = &mut self.rows[index];
                // It may have started while the answer was on its way.
                if row.ask_at.is_some() && row.said != summary {
                    self.view.remark(index, &format!("queued: {summary}"));
                    row.said = summary;
                }
            }
            News::WaitsFor(_, None) => {}
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
            Followed::Lost { why } => self.view.lost(&why),
            Followed::Back => self.view.back(),
            Followed::State(job) => self.update(index, *job),
            Followed::End(job) => {
                self.view.end(index)?;
                let row = &mut self.rows[index];
                (row.job, row.ended, row.ask_at) = (*job, true, None);
            }
        }
        Ok(())
    }

    fn update(&mut self, index: usize, job: JobBody) {
        let row = &mut self.rows[index];
        if job.state != row.job.state && job.state == "running" {
            let runner = job.runner.as_deref().unwrap_or("its runner");
            self.view.remark(index, &format!("running on {runner}"));
        }
        row.ask_at = match (is_waiting(&job), row.ask_at) {
            (true, None) => Some(Instant::now() + PATIENCE),
            (true, asked) => asked,
            (false, _) => None,
        };
        row.job = job;
    }

    fn ask_what_they_wait_for(&mut self) {
        let (client, now) = (self.client, Instant::now());
        for (index, row) in self.rows.iter_mut().enumerate() {
            if row.ask_at.is_some_and(|at| at <= now) {
                row.ask_at = Some(now + ASK_AGAIN);
                let job = row.job.id;
                self.underway.push(Box::pin(async move { News::WaitsFor(index, waits_for(client, job).await) }));
            }
        }
    }

    fn cancel(&mut self) {
        self.interrupted = true;
        let client = self.client;
        let mut count = 0;
        for (index, row) in self.rows.iter().enumerate().filter(|(_, row)| !row.ended) {
            let job = row.job.id;
            self.underway.push(Box::pin(async move { News::CancelAnswered(index, cancel(client, job).await) }));
            count += 1;
        }
        let jobs = if count == 1 { "the job".to_owned() } else { format!("{count} jobs") };
        note(&format!("cancelling {jobs} and waiting for the end; Ctrl-C again to leave"));
    }

    /// Takes news until the server has answered every cancel; what cannot be shown any more is dropped.
    async fn await_cancels(&mut self) {
        while self.rows.iter().any(|row| !row.ended && !row.cancel_accepted) {
            let Some(news) = self.underway.next().await else { return };
            if self.take(news).is_err() {
                return;
            }
        }
    }

    fn leave(&self) {
        for row in self.rows.iter().filter(|row| !row.ended) {
            let job = row.job.id;
            if row.cancel_accepted {
                note(&format!("job {job} is being cancelled by the server: shunt logs -f {job}"));
            } else {
                note(&format!("the server has not confirmed the cancel of job {job}: shunt cancel {job}"));
            }
        }
    }
}

fn is_waiting(job: &JobBody) -> bool {
    job.state == "queued"
}

/// The sentence that says what a job waits for; no answer is no reason to disturb the run.
async fn waits_for(client: &Client, job: JobId) -> Option<String> {
    let explanation: Value = client.get(&format!("jobs/{job}/explain")).await.ok()?;
    Some(explanation.get("summary")?.as_str()?.to_owned())
}

/// Asks until the server has answered: it may be restarting just now.
async fn cancel(client: &Client, job: JobId) -> Result<(), ClientError> {
    let url = client.url(&format!("jobs/{job}"), &[]);
    loop {
        match client.answer(Method::DELETE, &url, None).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_passing() => tokio::time::sleep(CANCEL_AGAIN).await,
            Err(error) => return Err(error),
        }
    }
}
