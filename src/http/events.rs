//! `/events`: one stream for a page or a watcher: a snapshot, then what changes, each with its place.
//!
//! The reader's place is all that is kept of it. Bodies are read when they are sent: what a slow or absent reader has missed
//! comes once, as it is then. Who has missed more than the feed remembers is told `reset`, and begins with a snapshot.

mod bodies;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::Event;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use shuntyard_domain::ids::JobId;

use super::Api;
use super::access::Caller;
use super::error::ApiError;
use super::pages::bad;
use super::query::ApiQuery;
use super::sse::{self, EventStream, LastId};
use crate::dispatch::{Mark, Missed, News};
use bodies::SnapshotPage;

/// Changes that are read together, and what is collected meanwhile: a burst costs its reader a few reads.
const TOGETHER: usize = 64;
const PAUSE: Duration = Duration::from_millis(50);
const MAX_JOBS: usize = 100;

/// What a stream tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Runners,
    Jobs,
    Changes,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventQuery {
    /// `runners`, `jobs`, `changes`, with commas between; all when absent.
    topics: Option<String>,
    /// Ids with commas between: of jobs, only these, also when they have ended.
    job: Option<String>,
}

/// What a reader wants to be told.
struct Wanted {
    topics: BTreeSet<Topic>,
    jobs: Option<BTreeSet<JobId>>,
}

impl Wanted {
    fn has(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    fn job(&self, id: JobId) -> bool {
        self.has(Topic::Jobs) && self.jobs.as_ref().is_none_or(|jobs| jobs.contains(&id))
    }
}

impl EventQuery {
    fn wanted(self) -> Result<Wanted, ApiError> {
        let topic = |word: &str| match word {
            "runners" => Ok(Topic::Runners),
            "jobs" => Ok(Topic::Jobs),
            "changes" => Ok(Topic::Changes),
            _ => Err(bad("topics", format!("there is no topic `{word}`"), &["runners", "jobs", "changes"])),
        };
        let jobs = self.job.map(|ids| {
            let ids = ids.split(',').map(str::parse).collect::<Result<BTreeSet<JobId>, _>>();
            ids.ok().filter(|ids| ids.len() <= MAX_JOBS)
        });
        let jobs = match jobs {
            Some(None) => return Err(bad("job", "not ids of jobs".into(), &["up to 100 ids with commas between"])),
            jobs => jobs.flatten(),
        };
        let topics = match self.topics {
            Some(words) => words.split(',').map(topic).collect::<Result<_, _>>()?,
            None if jobs.is_some() => [Topic::Jobs].into(),
            None => [Topic::Runners, Topic::Jobs, Topic::Changes].into(),
        };
        Ok(Wanted { topics, jobs })
    }
}

/// Where a reader is.
enum Place {
    /// In a snapshot that began at the mark; the page that comes next.
    Snapshot(Mark, SnapshotPage),
    /// Has everything up to the mark.
    At(Mark),
}

struct Reader {
    api: Api,
    caller: Caller,
    wanted: Wanted,
    place: Place,
    /// Read and not sent yet: a page, or what `TOGETHER` changes led to.
    ready: VecDeque<Event>,
}

/// `snapshot` in pages, then `job`, `runner` and `change` with `op` `upsert` or `remove`; `reset` before another snapshot.
pub(super) async fn streaming(
    State(api): State<Api>,
    caller: Caller,
    ApiQuery(query): ApiQuery<EventQuery>,
    LastId(last): LastId,
) -> Result<EventStream, ApiError> {
    let (wanted, stop) = (query.wanted()?, api.dispatcher.stop_signal());
    let place = last.map_or_else(|| Place::Snapshot(api.dispatcher.feed().mark(), SnapshotPage::first()), Place::At);
    let reader = Reader { api, caller, wanted, place, ready: VecDeque::new() };
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
        match &self.place {
            Place::Snapshot(mark, page) => {
                let (mark, page) = (*mark, page.clone());
                let (body, next) = self.page(page).await?;
                let event = sse::event("snapshot", &body);
                // Only the last page has a place: who is cut before it begins again.
                let (event, place) = match next {
                    Some(next) => (event, Place::Snapshot(mark, next)),
                    None => (event.id(mark.to_string()), Place::At(mark)),
                };
                self.ready.push_back(event);
                self.place = place;
            }
            Place::At(mark) => {
                let mark = *mark;
                match self.api.dispatcher.feed().since(mark) {
                    Missed::Restarted => self.reset("restarted"),
                    Missed::TooMuch => self.reset("slow"),
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
        if changes.iter().any(|(_, news)| *news == News::Access) {
            let now = self.caller.again(&self.api).await?;
            if now.grants != self.caller.grants {
                self.caller = now;
                self.reset("access");
                return Ok(());
            }
        }
        let last = changes.last().map(|(mark, _)| *mark);
        self.ready = self.told(changes).await?;
        if let Some(last) = last {
            self.place = Place::At(last);
        }
        Ok(())
    }

    /// What the reader knows is worth nothing any more.
    fn reset(&mut self, reason: &str) {
        self.ready.push_back(sse::event("reset", &json!({"reason": reason})));
        self.place = Place::Snapshot(self.api.dispatcher.feed().mark(), SnapshotPage::first());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(topics: Option<&str>, job: Option<&str>) -> Result<Wanted, ApiError> {
        EventQuery { topics: topics.map(Into::into), job: job.map(Into::into) }.wanted()
    }

    #[test]
    fn a_reader_says_what_it_wants() {
        let id = "01a2018a-e61a-7691-8968-ad584d208425";
        let all = wanted(None, None).unwrap();
        assert!(all.topics.len() == 3 && all.job(id.parse().unwrap()));
        let one = wanted(None, Some(id)).unwrap();
        assert!(one.has(Topic::Jobs) && !one.has(Topic::Runners) && one.job(id.parse().unwrap()));
        assert!(!one.job("01a2018a-e61a-7691-8968-ad584d208426".parse().unwrap()));
        assert!(!wanted(Some("runners,changes"), None).unwrap().job(id.parse().unwrap()));
        for (topics, job) in [(Some("jobs,x"), None), (Some(""), None), (None, Some("x")), (None, Some(""))] {
            assert!(wanted(topics, job).is_err(), "{topics:?} {job:?}");
        }
    }
}
