//! `/events`: one stream for a page or a watcher: a snapshot, then what changes, each with its place.
//!
//! The reader's place is all that is kept of it. Bodies are read when they are sent: what a slow or absent reader has missed
//! comes once, as it is then. Who has missed more than the feed remembers is told `reset`, and begins with a snapshot.

mod deltas;
mod pages;
mod wanted;

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::Event;
use futures_util::stream;
use shuntyard_domain::access::Place;
use shuntyard_domain::wire::api::RunnerBody;
use shuntyard_domain::wire::events::{ResetBody, ResetReason};

use super::Api;
use super::access::Caller;
use super::error::ApiError;
use super::query::ApiQuery;
use super::sse::{self, EventStream, LastId};
use crate::dispatch::{Mark, Missed, News};
use pages::Page;
pub(super) use wanted::EventQuery;
use wanted::Wanted;

/// Changes that are read together, and what is collected meanwhile: a burst costs its reader a few reads.
const TOGETHER: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
/// After so many changes that are none of the reader's, it is told its place: else these alone would put it behind.
const UNTOLD: u64 = 1024;

/// Where a reader is.
enum At {
    /// In a snapshot that began at the mark; the page that comes next.
    Snapshot(Mark, Page),
    /// Has everything up to the mark.
    Mark(Mark),
}

struct Reader {
    api: Api,
    caller: Caller,
    wanted: Wanted,
    at: At,
    /// The last place that the reader knows of.
    told: u64,
    /// What it may see was looked up at this place. What it was told before a change of access may be another's.
    admitted: u64,
    /// Read and not sent yet: a page, or what `TOGETHER` changes led to.
    ready: VecDeque<Event>,
}

/// `snapshot` in pages, then `runner`, `job`, `change`, `fan_out` and `removed`; `reset` before another snapshot.
pub(super) async fn streaming(
    State(api): State<Api>,
    caller: Caller,
    ApiQuery(query): ApiQuery<EventQuery>,
    LastId(last): LastId,
) -> Result<EventStream, ApiError> {
    let (wanted, since) = query.read()?;
    let (stop, now) = (api.dispatcher.stop_signal(), api.dispatcher.feed().mark());
    // What was changed between the guard's look and the mark would never be told.
    let caller = caller.again(&api).await?;
    // The header is the later one of a browser that was sent to `since`, and comes again.
    let at = last.or(since).map_or_else(|| At::Snapshot(now, wanted.first()), At::Mark);
    let told = last.or(since).unwrap_or(now).seq;
    let reader = Reader { api, caller, wanted, at, told, admitted: now.seq, ready: VecDeque::new() };
    let events = stream::unfold(reader, |mut reader| async move {
        while reader.ready.is_empty() {
            // What cannot be read now ends the stream: its reader comes again with the place that it has.
            reader.go_on().await.ok()?;
        }
        reader.ready.pop_front().map(|event| (event, reader))
    });
    Ok(sse::answer(events, stop))
}

impl Reader {
    /// Reads what comes next; perhaps nothing that matters.
    async fn go_on(&mut self) -> Result<(), ApiError> {
        match &self.at {
            At::Snapshot(mark, page) => {
                let (mark, (body, next)) = (*mark, self.page(*page).await?);
                let event = sse::event("snapshot", &body);
                // Only the last page has a place: who is cut before it begins again.
                let (event, at) = match next {
                    Some(next) => (event, At::Snapshot(mark, next)),
                    None => (event.id(mark.to_string()), At::Mark(mark)),
                };
                self.ready.push_back(event);
                self.at = at;
            }
            At::Mark(mark) => {
                let mark = *mark;
                match self.api.dispatcher.feed().since(mark) {
                    Missed::Restarted => self.reset(ResetReason::Restarted).await?,
                    Missed::TooMuch => self.reset(ResetReason::Slow).await?,
                    Missed::Changes(changes) if changes.is_empty() => {
                        self.api.dispatcher.feed().beyond(mark).await;
                        tokio::time::sleep(PAUSE).await;
                    }
                    Missed::Changes(mut changes) => {
                        changes.truncate(TOGETHER);
                        self.take(changes).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, changes: Vec<(Mark, News)>) -> Result<(), ApiError> {
        let access = changes.iter().rev().find(|(_, news)| *news == News::Access);
        if let Some((mark, _)) = access {
            let same = self.caller.again(&self.api).await?.grants == self.caller.grants;
            if mark.seq <= self.admitted || !same {
                return self.reset(ResetReason::Access).await;
            }
        }
        let Some((last, _)) = changes.last() else { return Ok(()) };
        let last = *last;
        for (mark, event) in self.deltas(changes).await? {
            self.told = mark.map_or(self.told, |mark| mark.seq);
            self.ready.push_back(match mark {
                Some(mark) => event.id(mark.to_string()),
                None => event,
            });
        }
        if last.seq - self.told >= UNTOLD {
            self.told = last.seq;
            // Without data no client takes it for an event, but for a place.
            self.ready.push_back(Event::default().id(last.to_string()));
        }
        self.at = At::Mark(last);
        Ok(())
    }

    /// What the reader knows is worth nothing any more.
    async fn reset(&mut self, reason: ResetReason) -> Result<(), ApiError> {
        let mark = self.api.dispatcher.feed().mark();
        self.caller = self.caller.again(&self.api).await?;
        (self.told, self.admitted) = (mark.seq, mark.seq);
        self.ready.push_back(sse::event("reset", &ResetBody { reason }));
        self.at = At::Snapshot(mark, self.wanted.first());
        Ok(())
    }

    fn is_within(&self, place: &Place) -> bool {
        self.caller.grants.at(place).next().is_some()
    }

    fn sees_runner(&self, runner: &RunnerBody) -> bool {
        self.caller.grants.sees(&runner.scope.place())
    }
}
