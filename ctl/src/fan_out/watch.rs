//! A fan-out followed live: its rows by its own stream, each row's output by its job's.
//!
//! Everything that takes time is a future in one set; the loop turns what comes out into plain calls. What is shown follows
//! from snapshots, so nothing is missed over a restart of the server.

mod rows;

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use shuntyard_domain::fan_out::FanOutStatus;
use shuntyard_domain::wire::fan_out::FanOutBody;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;

use self::rows::Rows;
use super::cancel;
use super::shown::counted;
use crate::change::watch::OnInterrupt;
use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::run::follower::{Followed, Follower};
use crate::run::result;
use crate::run::view::View;
use crate::run::watch::waiting::{QUESTIONS, waits_for};
use crate::snapshots::{SnapshotNews, Snapshots};
use crate::terminal::{note, stderr_colour};
use crate::turns::{Turn, Turns};

/// How following ended.
pub enum Watched {
    Ended {
        fan_out: Box<FanOutBody>,
        interrupted: bool,
    },
    /// Ctrl-C; what to do was said.
    Left,
}

enum News {
    Now(Box<Snapshots<FanOutBody>>, Result<SnapshotNews<FanOutBody>, ClientError>),
    /// Of the row with this index.
    Followed(usize, Box<Follower>, Result<Followed, ClientError>),
    WaitsFor(usize, Option<String>),
    CancelAnswered(Result<(), ClientError>),
}

/// A fan-out that is followed.
pub struct Watch<'a> {
    client: &'a Client,
    fan_out: Box<FanOutBody>,
    rows: Rows,
    view: View,
    underway: FuturesUnordered<LocalBoxFuture<'a, News>>,
    questions: Arc<Semaphore>,
    on_interrupt: OnInterrupt,
    interrupted: bool,
    cancel_accepted: bool,
}

impl<'a> Watch<'a> {
    #[must_use]
    pub fn new(client: &'a Client, fan_out: FanOutBody, on_interrupt: OnInterrupt, json: bool, quiet: bool) -> Self {
        let names: Vec<String> = fan_out.rows.iter().map(|row| row.hostname.clone()).collect();
        let watch = Self {
            client,
            rows: Rows::new(fan_out.rows.len()),
            view: View::new(&names, json, quiet).with_live_line(),
            underway: FuturesUnordered::new(),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            on_interrupt,
            interrupted: false,
            cancel_accepted: false,
            fan_out: Box::new(fan_out),
        };
        let path = format!("fan_outs/{}/streaming", watch.fan_out.id);
        watch.await_news(Box::new(Snapshots::new(path, "fan_out")));
        watch
    }

    /// Follows to the end; `interrupted` counts as the first Ctrl-C.
    ///
    /// # Errors
    /// `Failure` when the server's answers make no sense or standard output is closed.
    pub async fn run(mut self, interrupts: UnboundedReceiver<()>, interrupted: bool) -> Result<Watched, Failure> {
        let mut turns = Turns::new(interrupts);
        if interrupted {
            self.interrupt();
        }
        self.is_now();
        while self.fan_out.status == FanOutStatus::Running || !self.rows.all_ended() {
            match turns.next(&mut self.underway).await {
                Turn::News(news) => self.take(news)?,
                Turn::Interrupt if self.on_interrupt == OnInterrupt::Leave || self.interrupted => {
                    if self.interrupted {
                        turns.before_leaving(self.await_cancel()).await;
                    }
                    self.leave();
                    return Ok(Watched::Left);
                }
                Turn::Interrupt => self.interrupt(),
                Turn::Tick => self.tick(),
            }
        }
        self.view.close();
        Ok(Watched::Ended { fan_out: self.fan_out, interrupted: self.interrupted })
    }

    fn await_news(&self, mut snapshots: Box<Snapshots<FanOutBody>>) {
        let client = self.client;
        self.underway.push(Box::pin(async move {
            let news = snapshots.next(client).await;
            News::Now(snapshots, news)
        }));
    }

    fn follow(&self, row: usize, mut follower: Box<Follower>) {
        let client = self.client;
        self.underway.push(Box::pin(async move {
            let followed = follower.next(client).await;
            News::Followed(row, follower, followed)
        }));
    }

    fn take(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Now(snapshots, news) => {
                match news? {
                    SnapshotNews::Now(fan_out) => {
                        self.fan_out = fan_out;
                        self.is_now();
                    }
                    SnapshotNews::Lost { why } => self.view.lost(&why),
                    SnapshotNews::Back => self.view.back(),
                }
                self.await_news(snapshots);
            }
            News::Followed(row, follower, followed) => {
                self.show(row, followed?)?;
                if self.rows.has_ended(row) {
                    self.open_streams();
                } else {
                    self.follow(row, follower);
                }
            }
            News::WaitsFor(row, summary) => {
                if let Some(summary) = self.rows.waits_for(row, summary) {
                    self.view.remark(row, &format!("queued: {summary}"));
                }
            }
            News::CancelAnswered(Ok(())) => self.cancel_accepted = true,
            News::CancelAnswered(Err(error)) => self.view.note(&format!("it was not cancelled: {error}")),
        }
        Ok(())
    }

    /// Follows the jobs that are new in the snapshot.
    fn is_now(&mut self) {
        for (row, body) in self.fan_out.rows.iter().enumerate() {
            self.rows.is_now(row, body);
        }
        self.open_streams();
    }

    fn open_streams(&mut self) {
        while let Some((row, job)) = self.rows.open_next() {
            self.follow(row, Box::new(Follower::of_accepted(job)));
        }
    }

    fn show(&mut self, row: usize, followed: Followed) -> Result<(), Failure> {
        match followed {
            Followed::Output(bytes) => self.view.output(row, &bytes)?,
            Followed::Elided(bytes) => self.view.remark(row, &format!("{bytes} bytes of output are not kept")),
            Followed::Again { attempt } => {
                self.view.end(row)?;
                self.view.remark(row, &format!("the job was lost and started again: attempt {attempt}"));
            }
            Followed::Lost { why } => self.view.lost(&why),
            Followed::Back => self.view.back(),
            Followed::State(job) => {
                if job.state != "queued" {
                    self.rows.started(row);
                }
            }
            Followed::End(job) => {
                self.view.end(row)?;
                self.rows.over(row);
                self.view.say(row, &result::line(&job, stderr_colour()));
                result::not_kept(&job).iter().for_each(|said| self.view.remark(row, &format!("warning: {said}")));
            }
        }
        Ok(())
    }

    fn tick(&mut self) {
        self.view.tick(&counted(&self.fan_out.counts));
        for (row, job) in self.rows.due_questions() {
            let (client, questions) = (self.client, Arc::clone(&self.questions));
            self.underway.push(Box::pin(async move {
                let _turn = questions.acquire().await;
                News::WaitsFor(row, waits_for(client, job).await)
            }));
        }
    }

    fn interrupt(&mut self) {
        if self.on_interrupt == OnInterrupt::Leave {
            return;
        }
        self.interrupted = true;
        let (client, id) = (self.client, self.fan_out.id);
        self.underway.push(Box::pin(async move { News::CancelAnswered(cancel(client, id).await) }));
        self.view.note("cancelling all of it and waiting for the end; Ctrl-C again to leave");
    }

    /// Takes news until the server has answered the cancel; what cannot be shown any more is dropped.
    async fn await_cancel(&mut self) {
        while !self.cancel_accepted {
            let Some(news) = self.underway.next().await else { return };
            if self.take(news).is_err() {
                return;
            }
        }
    }

    fn leave(&self) {
        self.view.close();
        let id = self.fan_out.id;
        match (self.interrupted, self.cancel_accepted) {
            (false, _) => note(&format!("the fan-out goes on: shunt fan-out follow {id}")),
            (true, true) => note(&format!("the server cancels it: shunt fan-out show {id}")),
            (true, false) => note(&format!("the server has not confirmed the cancel: shunt fan-out cancel {id}")),
        }
    }
}
