//! What a reader of `/events` asks for.

use std::collections::BTreeSet;
use std::ops::Bound;

use schemars::JsonSchema;
use serde::Deserialize;
use shuntyard_domain::ids::JobId;
use uuid::Uuid;

use crate::dispatch::Mark;
use crate::http::error::ApiError;
use crate::http::pages::bad;

use super::pages::Page;

const MAX_JOBS: usize = 100;

/// What a stream tells of, in the order of its snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Runners,
    Jobs,
    Changes,
    FanOuts,
}

impl Topic {
    const WORDS: [(&str, Self); 4] =
        [("runners", Self::Runners), ("jobs", Self::Jobs), ("changes", Self::Changes), ("fan_outs", Self::FanOuts)];

    fn of(word: &str) -> Result<Self, ApiError> {
        let known = Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, topic)| *topic);
        let allowed = Self::WORDS.map(|(word, _)| word);
        known.ok_or_else(|| bad("topics", format!("there is no topic `{word}`"), &allowed))
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::http) struct EventQuery {
    /// `runners`, `jobs`, `changes`, `fan_outs`, with commas between; all when absent.
    #[schemars(regex(pattern = r"^(runners|jobs|changes|fan_outs)(,(runners|jobs|changes|fan_outs))*$"))]
    topics: Option<String>,
    /// Up to 100 ids with commas between: of jobs, only these, also when they have ended.
    job: Option<String>,
    /// As `Last-Event-ID`, for who cannot send it: a page that already shows what there was at this place.
    #[schemars(regex(pattern = r"^[0-9]{1,18}-[0-9]{1,18}$"))]
    since: Option<String>,
}

/// What a reader wants to be told.
#[derive(Debug)]
pub(super) struct Wanted {
    topics: BTreeSet<Topic>,
    /// `None`: those of the queue.
    pub(super) jobs: Option<BTreeSet<JobId>>,
}

impl Wanted {
    pub(super) fn has(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }

    pub(super) fn job(&self, id: JobId) -> bool {
        self.has(Topic::Jobs) && self.jobs.as_ref().is_none_or(|jobs| jobs.contains(&id))
    }

    /// Where a snapshot begins.
    pub(super) fn first(&self) -> Page {
        // There is at least one.
        Page { topic: self.topics.first().copied().unwrap_or(Topic::Runners), before: None }
    }

    /// The first page of what follows a topic.
    pub(super) fn behind(&self, topic: Topic) -> Option<Page> {
        let mut later = self.topics.range((Bound::Excluded(topic), Bound::Unbounded));
        later.next().map(|topic| Page { topic: *topic, before: None::<Uuid> })
    }
}

impl EventQuery {
    /// # Errors
    /// `BadRequest` with the key.
    pub(super) fn read(self) -> Result<(Wanted, Option<Mark>), ApiError> {
        let jobs = self.job.map(|ids| {
            let ids = ids.split(',').map(str::parse).collect::<Result<BTreeSet<JobId>, _>>();
            let ids = ids.ok().filter(|ids| ids.len() <= MAX_JOBS);
            ids.ok_or_else(|| bad("job", "not ids of jobs".into(), &["up to 100 ids with commas between"]))
        });
        let jobs = jobs.transpose()?;
        let since = self.since.map(|since| since.parse());
        let since = since.transpose().map_err(|_| bad("since", "no id of an event".into(), &["EPOCH-SEQ"]))?;
        let topics = match self.topics {
            Some(words) => words.split(',').map(Topic::of).collect::<Result<_, _>>()?,
            None if jobs.is_some() => [Topic::Jobs].into(),
            None => Topic::WORDS.map(|(_, topic)| topic).into(),
        };
        Ok((Wanted { topics, jobs }, since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(topics: Option<&str>, job: Option<&str>) -> Result<Wanted, ApiError> {
        let query = EventQuery { topics: topics.map(Into::into), job: job.map(Into::into), since: None };
        query.read().map(|(wanted, _)| wanted)
    }

    #[test]
    fn a_reader_says_what_it_wants() {
        let id = "01a2018a-e61a-7691-8968-ad584d208425";
        let all = wanted(None, None).unwrap();
        assert!(all.topics.len() == 4 && all.job(id.parse().unwrap()));
        let one = wanted(None, Some(id)).unwrap();
        assert!(one.has(Topic::Jobs) && !one.has(Topic::Runners) && one.job(id.parse().unwrap()));
        assert!(!one.job("01a2018a-e61a-7691-8968-ad584d208426".parse().unwrap()));
        assert!(!wanted(Some("runners,changes"), None).unwrap().job(id.parse().unwrap()));
        for (topics, job) in [(Some("jobs,x"), None), (Some(""), None), (None, Some("x")), (None, Some(""))] {
            assert!(wanted(topics, job).is_err(), "{topics:?} {job:?}");
        }
        let since = EventQuery { since: Some("7".into()), ..EventQuery::default() };
        assert!(since.read().is_err());
    }

    #[test]
    fn a_snapshot_goes_through_the_topics_in_one_order() {
        let wanted = wanted(Some("fan_outs,runners,changes"), None).unwrap();
        let (mut page, mut seen) = (Some(wanted.first()), Vec::new());
        while let Some(Page { topic, .. }) = page {
            seen.push(topic);
            page = wanted.behind(topic);
        }
        assert_eq!(seen, [Topic::Runners, Topic::Changes, Topic::FanOuts]);
    }
}
