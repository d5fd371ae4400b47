//! How many machines there are.

use std::collections::BTreeSet;

use super::provider::Provider;
use super::{await_pool, house, make_pool, submit};

#[test]
fn machines_for_one_job_are_made_one_by_one_within_the_limit() {
    let (provider, house) = (Provider::start(), house());
    make_pool(&house, &provider, &["--max", "1", "--one-off", "--slots", "4"]);
    let jobs = [submit(&house, "true"), submit(&house, "exit 3")];
    let ended = jobs.map(|job| house.await_end(&job));
    assert_eq!((&ended[0]["state"], &ended[1]["state"]), (&"succeeded".into(), &"failed".into()));
    let runners: BTreeSet<&str> = ended.iter().map(|job| job["runner"].as_str().unwrap()).collect();
    assert_eq!(runners.len(), 2, "two jobs ran on one machine");
    let done = await_pool(&house, "both are gone", |pool| {
        let is_gone = |at: usize| pool["instances"][at]["state"] == "stopped";
        is_gone(0) && is_gone(1)
    });
    assert_eq!(done["instances"].as_array().map(Vec::len), Some(2), "{done}");
    assert!(done["instances"].as_array().unwrap().iter().all(|machine| machine["reason"] == "one_off"), "{done}");
    assert_eq!(provider.cloud().most, 1);
}
