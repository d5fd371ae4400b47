//! Providers that fail, refuse, and have what nobody wants.

use serde_json::json;

use super::provider::Provider;
use super::{await_pool, house, machine, make_pool, submit};
use crate::cli::house::await_that;

#[test]
fn a_start_that_fails_is_tried_again_with_the_same_name() {
    let (provider, house) = (Provider::start(), house());
    provider.cloud().failing_starts = 3;
    make_pool(&house, &provider, &[]);
    let job = submit(&house, "true");
    let failing = await_pool(&house, "the failure is shown", |pool| pool["last_error"]["action"] == "start");
    let error = &failing["last_error"];
    assert_eq!(error["error"], "the provider answered 500: no capacity", "{error}");
    house.shunt(&["explain", &job]).expect(0, &["a pool (cloud) can start a runner", "last call failed"]);
    assert_eq!(house.await_end(&job)["state"], "succeeded", "{}", house.log());
    let calls = provider.calls("start");
    assert_eq!(calls.len(), 4);
    let ids: Vec<&str> = calls.iter().map(|call| call.header("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(calls.iter().all(|call| call.body == calls[0].body), "the tries differ");
    await_pool(&house, "the failure is forgotten", |pool| pool["last_error"].is_null());
}

#[test]
fn a_refused_start_is_not_repeated_at_once_and_one_that_never_enrols_is_stopped() {
    let (provider, house) = (Provider::start(), house());
    provider.cloud().refuses = Some(422);
    make_pool(&house, &provider, &["--start-limit", "2s"]);
    let job = submit(&house, "true");
    let refused = await_pool(&house, "the refusal is shown", |pool| machine(pool, 0)["state"] == "failed");
    assert_eq!(machine(&refused, 0)["reason"], "start_refused", "{refused}");
    assert_eq!(machine(&refused, 0)["note"], "the provider answered 422: unknown image", "{refused}");
    assert_eq!(refused["failures"], 1);
    assert!(refused["next_start_at"].is_string(), "{refused}");
    assert_eq!(provider.asked("start").len(), 1, "it was asked again at once");

    (provider.cloud().refuses, provider.cloud().boots_nothing) = (None, true);
    let late = await_pool(&house, "the second one is given up", |pool| {
        machine(pool, 0)["state"] == "failed" && machine(pool, 1)["state"] == "failed"
    });
    assert_eq!(machine(&late, 0)["reason"], "start_limit", "{late}");
    let second = machine(&late, 0)["instance"].as_str().unwrap().to_owned();
    assert!(provider.asked("stop").contains(&second));
    let tokens = house.api("enrolment-tokens");
    assert!(tokens.as_array().unwrap().iter().all(|token| token["state"] == "revoked"), "{tokens}");
    assert_eq!(house.job(&job)["state"], "queued");
    house.shunt(&["ctl", "pool", "update", "cloud", "--disable"]).expect(0, &["cloud is disabled"]);
    house.shunt(&["explain", &job]).expect(0, &["never", "it is disabled"]);
}

#[test]
fn a_machine_that_nobody_wants_is_stopped_and_those_of_others_are_left_alone() {
    let (provider, mut house) = (Provider::start(), house());
    make_pool(&house, &provider, &[]);
    await_that("a list was asked for", || !provider.calls("list").is_empty(), || house.log());
    // What the pool's machines are called is seen on one of them.
    provider.cloud().boots_nothing = true;
    let job = submit(&house, "true");
    await_that("a machine is asked for", || !provider.asked("start").is_empty(), || house.log());
    let ours = provider.asked("start")[0].clone();
    house.shunt(&["cancel", &job]).expect(0, &[]);
    let left_over = format!("{}-00c0ffee", ours.rsplit_once('-').unwrap().0);
    let foreign = ["cloud-000000-00c0ffee", "web-1", "cloud"];
    for name in foreign.into_iter().chain([left_over.as_str()]) {
        provider.cloud().machines.insert(name.to_owned(), None);
    }
    assert!(house.terminate().success());
    house.start_again();
    await_that("it is stopped", || provider.cloud().stopped.contains(&left_over), || house.log());
    let has = |name: &&str| provider.cloud().machines.contains_key(*name);
    assert!(foreign.iter().all(has), "{:?}", provider.cloud().stopped);
    assert!(has(&ours.as_str()), "a machine that is starting was stopped: {:?}", provider.cloud().stopped);
    let stop = provider.calls("stop").into_iter().next().unwrap().json();
    assert_eq!((&stop["reason"], &stop["instance"]), (&json!("unknown"), &json!(left_over)), "{stop}");
}
