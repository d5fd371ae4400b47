//! Ids as a user gives them: whole, or as much of the beginning or end as no other has.

use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;
use shuntyard_domain::ids::{ChangeId, JobId};

use crate::client::Client;
use crate::failure::{Failure, Usage};
use crate::terminal::plain;

/// Fewer characters than these are a slip.
const FEWEST_CHARS: usize = 4;
/// Objects that are looked through, newest first.
const LOOKED_AT: u32 = 500;

/// What has ids, and the command that lists it.
struct Kind {
    what: &'static str,
    list: &'static str,
}

const JOB: Kind = Kind { what: "job", list: "shunt jobs" };
const CHANGE: Kind = Kind { what: "change", list: "shunt change list" };

/// The only thing about a listed object that matters here.
#[derive(Deserialize)]
struct Listed<T> {
    id: T,
}

/// Resolves the id of a change.
///
/// # Errors
/// `Usage` when it cannot be an id, or is that of no change or of several; `Client` when the server cannot be asked.
pub async fn change(client: &Client, text: &str) -> Result<ChangeId, Failure> {
    match read(&CHANGE, text)? {
        Given::Whole(id) => Ok(id),
        Given::Part(part) => {
            let changes: Vec<Listed<ChangeId>> =
                client.get_with("changes", &[("limit", LOOKED_AT.to_string())]).await?;
            Ok(one_of(&CHANGE, &part, changes.into_iter().map(|change| change.id))?)
        }
    }
}

/// Resolves the id of a job, running or not.
///
/// # Errors
/// As `change`.
pub async fn job(client: &Client, text: &str) -> Result<JobId, Failure> {
    match read(&JOB, text)? {
        Given::Whole(id) => Ok(id),
        Given::Part(part) => {
            let query = |state: &str| [("state", state.to_owned()), ("limit", LOOKED_AT.to_string())];
            let mut jobs: Vec<Listed<JobId>> = client.get_with("jobs", &query("running")).await?;
            jobs.extend(client.get_with::<Vec<Listed<JobId>>>("jobs", &query("all")).await?);
            jobs.sort_by_key(|job| job.id);
            jobs.dedup_by_key(|job| job.id);
            Ok(one_of(&JOB, &part, jobs.into_iter().map(|job| job.id))?)
        }
    }
}

/// What was given.
enum Given<T> {
    Whole(T),
    Part(String),
}

fn read<T: FromStr>(kind: &Kind, text: &str) -> Result<Given<T>, Usage> {
    let text = text.trim().to_ascii_lowercase();
    if let Ok(id) = text.parse() {
        return Ok(Given::Whole(id));
    }
    if text.len() < FEWEST_CHARS || !text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        return Err(Usage::BadId { what: kind.what, list: kind.list, found: plain(&text) });
    }
    Ok(Given::Part(text))
}

fn one_of<T: Display>(kind: &Kind, text: &str, ids: impl Iterator<Item = T>) -> Result<T, Usage> {
    let fits = |id: &T| {
        let id = id.to_string();
        id.starts_with(text) || id.ends_with(text)
    };
    let mut fitting = ids.filter(fits);
    let (what, list, found) = (kind.what, kind.list, plain(text));
    match (fitting.next(), fitting.count()) {
        (None, _) => Err(Usage::UnknownId { what, list, found }),
        (Some(id), 0) => Ok(id),
        (Some(_), others) => Err(Usage::AmbiguousId { what, found, count: others + 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_id_is_enough_when_one_object_has_it() {
        let ids = || {
            ["01890000-0000-7000-8000-00000000000a", "01890000-0000-7000-8000-00000000001b"]
                .into_iter()
                .map(|id| id.parse::<ChangeId>().unwrap())
        };
        assert_eq!(one_of(&CHANGE, "001b", ids()).ok(), ids().nth(1));
        assert!(matches!(one_of(&CHANGE, "0189", ids()), Err(Usage::AmbiguousId { count: 2, .. })));
        assert!(matches!(one_of(&CHANGE, "beef", ids()), Err(Usage::UnknownId { .. })));
        assert!(matches!(read::<JobId>(&JOB, "abc"), Err(Usage::BadId { .. })));
        assert!(matches!(read::<JobId>(&JOB, "ABCD"), Ok(Given::Part(part)) if part == "abcd"));
    }
}
