//! The account at the end: every job's record against what its hosts wrote down.

use serde_json::Value;

use super::api::Api;
use super::load::Order;
use crate::support::sshd::TestHost;

/// Events that end a job; a cancel ends one that waits.
const ENDS: [&str; 5] = ["exited", "lost_proven", "placements_exhausted", "expired", "abandoned"];

/// What was compared.
#[derive(Debug, Default)]
pub struct Account {
    pub acknowledged: usize,
    /// Stored although nobody was told so.
    pub unacknowledged: usize,
    pub cancelled: usize,
    /// Placements with proof that they started nothing.
    pub placed_again: u64,
    /// Jobs that had too many of those.
    pub given_up: usize,
    pub bytes: usize,
}

/// Every job of the dispatcher, newest first.
pub fn all_jobs(api: &Api) -> Vec<Value> {
    let mut jobs: Vec<Value> = Vec::new();
    loop {
        let before = jobs.last().map(|job| format!("&before={}", job["id"].as_str().expect("an id")));
        let page = api.get(&format!("jobs?state=all&limit=500{}", before.unwrap_or_default()));
        let page = page.as_array().expect("a page").clone();
        if page.is_empty() {
            return jobs;
        }
        jobs.extend(page);
    }
}

/// Checks every order; all jobs have ended.
pub fn settle(api: &Api, orders: &[Order], hosts: &[TestHost]) -> Account {
    let (mut account, mut jobs) = (Account::default(), all_jobs(api));
    for order in orders {
        let of_order = jobs.iter().position(|job| job["title"] == order.name.as_str());
        let Some(job) = of_order.map(|at| jobs.swap_remove(at)) else {
            assert!(order.id.is_none(), "{}: acknowledged as {:?} and lost", order.name, order.id);
            assert_eq!(order.truth(hosts).starts, 0, "{} ran, and nobody knows it", order.name);
            continue;
        };
        let id = job["id"].as_str().expect("an id");
        match &order.id {
            Some(told) => {
                assert_eq!(told, id);
                account.acknowledged += 1;
            }
            None => account.unacknowledged += 1,
        }
        account.bytes += check(api, order, id, hosts);
        account.cancelled += usize::from(job["state"] == "cancelled");
        account.placed_again += job["attempt"].as_u64().unwrap_or_default().saturating_sub(1);
        account.given_up += usize::from(job["not_run_reason"] == "placements_exhausted");
    }
    assert!(jobs.is_empty(), "jobs that nobody has submitted, or twice: {jobs:?}");
    account
}

/// Checks one job against its truth; returns the bytes compared.
fn check(api: &Api, order: &Order, id: &str, hosts: &[TestHost]) -> usize {
    let (job, truth) = (api.job(id), order.truth(hosts));
    let events = api.get(&format!("jobs/{id}/events"));
    let names = events.as_array().expect("events").iter().map(|event| event["event"].as_str().unwrap_or_default());
    let ends = names.filter(|name| ENDS.contains(name)).count();
    if job["not_run_reason"] == "placements_exhausted" {
        assert_eq!((ends, truth.starts), (1, 0), "it ran: {job}\n{events}");
        return 0;
    }
    if job["state"] != "cancelled" {
        assert_eq!(ends, 1, "one end: {events}");
        return truth.check_ended(api, id);
    }
    assert!(order.cancelled, "nobody has cancelled it: {job}");
    if job["not_run_reason"].is_null() {
        assert_eq!(ends, 1, "one end: {events}");
        // The signal may have met a script that was about to end by itself; then its code is its own.
        let own = truth.exit_code.is_none_or(|code| job["exit_code"] == code);
        assert!(own, "another exit code than {:?}: {job}\n{events}", truth.exit_code);
        assert!(truth.starts <= 1, "started {} times: {job}", truth.starts);
        truth.check_stopped_log(api, id, &job)
    } else {
        assert_eq!((ends, truth.starts), (0, 0), "it ran: {job}\n{events}");
        0
    }
}
