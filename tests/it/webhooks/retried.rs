//! Receivers that fail, hang, hang up or are away; a dispatcher that dies. Every message comes at least once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{deliveries, house, webhook};
use crate::cli::house::await_that;
use crate::support::receiver::{OK, Receiver, Reply};

#[test]
fn a_receiver_that_fails_and_hangs_up_gets_the_message_again_under_the_same_id() {
    let asked = AtomicUsize::new(0);
    let receiver = Receiver::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Answer(500, b"internal secret of the receiver".to_vec()),
        1 => Reply::Reset,
        _ => OK,
    });
    let house = house(&receiver);
    webhook(&house, "chat", &receiver.url("localhost", "/"), "job.queued");
    house.submit_with("true", &json!({}));
    await_that("the first try is noted", || deliveries(&house, "chat")[0]["attempts"] != 0, || house.log());
    await_that("it is delivered", || deliveries(&house, "chat")[0]["state"] == "delivered", || house.log());
    let got = receiver.received();
    assert_eq!(got.len(), 3);
    assert_eq!(got.iter().map(|got| got.header("webhook-id")).collect::<BTreeSet<_>>().len(), 1);
    let delivery = &deliveries(&house, "chat")[0];
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&3.into(), &204.into()));
    assert!(!house.log().contains("internal secret"), "what a receiver says is not repeated");
}

#[test]
fn a_slow_receiver_does_not_delay_others() {
    const JOBS: usize = 5;
    let receiver = Receiver::start(|request| if request.path == "/slow" { Reply::Hang } else { OK });
    let house = house(&receiver);
    let count = |path: &str| receiver.received().iter().filter(|got| got.path == path).count();
    webhook(&house, "slow", &receiver.url("localhost", "/slow"), "job.queued");
    house.submit_with("true", &json!({}));
    await_that("the slow one hangs", || count("/slow") == 1, || house.log());
    webhook(&house, "other", &receiver.url("localhost", "/other"), "job.queued");
    for _ in 0..JOBS {
        house.submit_with("true", &json!({}));
    }
    await_that("the other one is told of all", || count("/other") == JOBS, || house.log());
    // Each try of the slow one takes ten seconds: it has not been through all of its own.
    assert!(count("/slow") < JOBS, "{} tries", count("/slow"));
}

#[test]
fn what_was_committed_before_a_crash_is_delivered_after_it() {
    let receiver = Receiver::start(|request| if request.path == "/hang" { Reply::Hang } else { OK });
    let mut house = house(&receiver);
    // The first message keeps the sender busy, so the others are stored and not sent when the dispatcher dies.
    webhook(&house, "busy", &receiver.url("localhost", "/hang"), "job.queued");
    let first = house.submit_with("true", &json!({}));
    await_that("the first is under way", || receiver.received().len() == 1, || house.log());
    let others: Vec<String> = (0..3).map(|_| house.submit_with("true", &json!({}))).collect();
    house.kill();
    house.start_again();
    let id = house.api("webhooks")[0]["id"].as_str().unwrap().to_owned();
    let to = json!({"url": receiver.url("localhost", "/well")}).to_string();
    house.shunt(&["api", "patch", &format!("webhooks/{id}"), "-d", &to]).expect(0, &[]);
    let told = || -> Vec<String> {
        let well = receiver.received().into_iter().filter(|got| got.path == "/well");
        well.map(|got| got.json()["data"]["id"].as_str().unwrap().to_owned()).collect()
    };
    await_that("all four are told", || told().len() >= 4, || format!("{:?}\n{}", told(), house.log()));
    let told: BTreeSet<String> = told().into_iter().collect();
    assert_eq!(told, others.into_iter().chain([first]).collect());
}
