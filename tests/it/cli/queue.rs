//! The pause of the whole queue.

use super::house::{House, await_that};

#[test]
fn a_paused_queue_starts_nothing_over_a_restart_tells_who_paused_it_and_goes_on() {
    let mut house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    house.shunt(&["queue", "show"]).expect(0, &["the queue is open"]);
    house.shunt(&["queue", "pause", "--reason", "the disk moves"]).expect(0, &["paused since", "the disk moves"]);
    let id = house.submit(&[], "echo ran");
    house
        .shunt(&["explain", &id])
        .expect(0, &["the queue is paused", "by admin", "the disk moves", "shunt queue resume"]);
    assert!(house.terminate().success());
    house.start_again();
    await_that(
        "the runner is back",
        || house.api("runners/local")["contact"]["status"] == "connected",
        || house.api("runners/local").to_string(),
    );
    assert_eq!(house.job(&id)["state"], "queued");
    // A second pause keeps the first reason.
    house.shunt(&["queue", "pause", "--reason", "another"]).expect(0, &["the disk moves"]);
    house.shunt(&["queue", "resume"]).expect(0, &["the queue is open"]);
    assert_eq!(house.await_end(&id)["state"], "succeeded");
    let audited = house.shunt(&["audit"]).text();
    assert!(audited.contains("queue.pause") && audited.contains("queue.resume"), "{audited}");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}
