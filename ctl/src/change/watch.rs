//! A change followed live: its runs and phases by its own stream, each row's job by the job's.
//!
//! Everything that takes time is a future in one set; the loop turns what comes out into plain calls. What is shown
//! follows from snapshots, so nothing is missed over a restart of the server.

mod bars;
mod display;
mod interrupted;
mod json;
mod rows;
mod text;
mod waiting;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use shuntyard_domain::change::ChangeState;
use shuntyard_domain::ids::StageRunId;
use shuntyard_domain::phase::Stage;
use shuntyard_domain::wire::change::{ChangeBody, StageBody};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use self::rows::Rows;
use super::follower::{ChangeFollower, ChangeNews, follower};
use super::standing::{is_settled, standing};
use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::Failure;
use crate::run::follower::{Followed, Follower};
use crate::run::watch::waiting::QUESTIONS;
use crate::turns::{Turn, Turns};

pub use self::display::Display;

/// How far a change is followed.
#[derive(Clone, Debug)]
pub enum Until {
    /// To the end of this stage's run.
    StageEnds(Stage),
    /// Until a person is to decide, or nothing more comes.
    Waits,
}

/// What Ctrl-C does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnInterrupt {
    /// The first one cancels the run and waits for its end, the second one leaves.
    Cancel,
    /// It leaves; the change goes on.
    Leave,
}

/// How following ended.
pub enum Watched {
    /// It came as far as it was to be followed.
    Ended { change: Box<ChangeBody>, interrupted: bool },
    /// Ctrl-C; what to do was said.
    Left,
}

enum News {
    Change(Box<ChangeFollower>, Result<ChangeNews, ClientError>),
    Followed(usize, Box<Follower>, Result<Followed, ClientError>),
    WaitsFor(usize, Option<String>),
    CancelAnswered(Result<(), ClientError>),
}

/// A change that is followed.
pub struct Watch<'a> {
    client: &'a Client,
    change: Box<ChangeBody>,
    until: Until,
    /// Runs that had ended before: nothing of them is shown.
    past: BTreeSet<StageRunId>,
    rows: Rows,
    display: Display,
    underway: FuturesUnordered<LocalBoxFuture<'a, News>>,
    questions: Arc<Semaphore>,
    on_interrupt: OnInterrupt,
    interrupted: bool,
    cancel_accepted: bool,
    /// Since when the server is away; said once, whichever stream noticed first.
    lost: Option<Instant>,
    /// When the first Ctrl-C came.
    interrupted_at: Option<Instant>,
    /// Since when it has been on its way into a stage; `None` when it is not, or that was said.
    moving_since: Option<Instant>,
}

impl<'a> Watch<'a> {
    /// Follows `change`, of which the runs in `past` had ended before.
    #[must_use]
    pub fn new(
        client: &'a Client,
        change: ChangeBody,
        past: BTreeSet<StageRunId>,
        until: Until,
        on_interrupt: OnInterrupt,
        display: Display,
    ) -> Self {
        let follower = Box::new(follower(change.id));
        let watch = Self {
            client,
            change: Box::new(change),
            until,
            past,
            rows: Rows::default(),
            display,
            underway: FuturesUnordered::new(),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            on_interrupt,
            interrupted: false,
            cancel_accepted: false,
            lost: None,
            interrupted_at: None,
            moving_since: None,
        };
        watch.await_change(follower);
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
        self.moves();
        self.show_change()?;
        while !self.is_over() {
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
            if self.is_forsaken() {
                self.leave();
                return Ok(Watched::Left);
            }
        }
        self.display.close(&self.change)?;
        Ok(Watched::Ended { change: self.change, interrupted: self.interrupted })
    }

    /// It came as far as it was to be followed, and every output was given.
    fn is_over(&self) -> bool {
        let arrived = match self.until {
            Until::StageEnds(stage) => {
                let is_it = |run: &&StageBody| run.stage == stage && !self.past.contains(&run.run);
                let closed = self.change.state == ChangeState::Closed;
                let run = self.change.stages.iter().find(is_it);
                run.is_some_and(|run| run.finished_at.is_some()) || (closed && run.is_none())
            }
            Until::Waits => is_settled(&self.change, &self.past),
        };
        arrived && self.rows.all_ended()
    }

    fn await_change(&self, mut follower: Box<ChangeFollower>) {
        let client = self.client;
        self.underway.push(Box::pin(async move {
            let news = follower.next(client).await;
            News::Change(follower, news)
        }));
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
            News::Change(follower, news) => {
                match news? {
                    ChangeNews::Now(change) => {
                        let moved = standing(&change) != standing(&self.change);
                        self.change = change;
                        if moved {
                            self.moves();
                        }
                        self.show_change()?;
                    }
                    ChangeNews::Lost { why } => self.is_lost(&why)?,
                    ChangeNews::Back => self.is_back()?,
                }
                self.await_change(follower);
            }
            News::Followed(index, follower, followed) => {
                self.show_row(index, followed?)?;
                if self.rows.has_ended(index) {
                    self.open_streams();
                } else {
                    self.follow(index, follower);
                }
            }
            News::WaitsFor(index, summary) => {
                if let Some(summary) = self.rows.waits_for(index, summary) {
                    self.display.remark(self.rows.row(index), &format!("queued: {summary}"))?;
                }
            }
            News::CancelAnswered(answer) => self.cancel_answered(answer),
        }
        Ok(())
    }

    /// Shows the snapshot, and follows the jobs that are new in it.
    fn show_change(&mut self) -> Result<(), Failure> {
        let wanted = |run: &&StageBody| match self.until {
            Until::StageEnds(stage) => run.stage == stage,
            Until::Waits => true,
        };
        let runs = self.change.stages.iter().filter(|run| !self.past.contains(&run.run)).filter(wanted);
        for run in runs {
            let new = self.rows.take(&self.change, run);
            let new: Vec<_> = new.into_iter().map(|index| self.rows.row(index)).collect();
            self.display.run(&self.change, run, &new)?;
        }
        self.open_streams();
        Ok(())
    }

    fn open_streams(&mut self) {
        while let Some((index, job)) = self.rows.open_next() {
            self.follow(index, Box::new(Follower::of_accepted(job)));
        }
    }

    fn show_row(&mut self, index: usize, followed: Followed) -> Result<(), Failure> {
        match followed {
            Followed::Output(bytes) => self.display.output(self.rows.output(index, bytes.len(), 0), &bytes),
            Followed::Elided(bytes) => {
                self.rows.output(index, 0, bytes);
                self.display.remark(self.rows.row(index), &format!("{bytes} bytes of output are not kept"))
            }
            Followed::Again { attempt } => {
                self.rows.again(index);
                let text = format!("the job was lost and started again: attempt {attempt}");
                self.display.remark(self.rows.row(index), &text)
            }
            Followed::Lost { why } => self.is_lost(&why),
            Followed::Back => self.is_back(),
            Followed::State(job) => {
                self.rows.is_now(index, *job, false);
                self.display.row(self.rows.row(index))
            }
            Followed::End(job) => {
                self.rows.is_now(index, *job, true);
                self.display.row(self.rows.row(index))
            }
        }
    }

    fn is_lost(&mut self, why: &str) -> Result<(), Failure> {
        let was_lost = self.lost.replace(self.lost.unwrap_or_else(Instant::now)).is_some();
        if was_lost { Ok(()) } else { self.display.contact(Some(why)) }
    }

    fn is_back(&mut self) -> Result<(), Failure> {
        if self.lost.take().is_some() { self.display.contact(None) } else { Ok(()) }
    }
}
