//! Receivers that must not be called, and what people get wrong.

use serde_json::json;

use super::{deliveries, webhook};
use crate::cli::house::{House, await_that};
use crate::support::receiver::{OK, Receiver};

#[test]
fn a_url_that_leads_inside_is_refused_when_it_is_given_and_when_it_is_called() {
    let receiver = Receiver::start(|_| OK);
    let ca_file = receiver.ca_file();
    let house = House::start_set("", &[("SHUNTD_OUTGOING_CA_FILE", ca_file.to_str().unwrap())]);
    for url in [
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://2852039166/",
        "http://example.com/",
        "https://u:p@example.com/",
    ] {
        let ran = house.shunt(&["ctl", "webhook", "create", "in", "--url", url, "--events", "job"]);
        assert_eq!((ran.code, ran.text()), (1, String::new()), "{url}");
        assert!(ran.stderr.contains("https:// URL of a public host"), "{url}: {}", ran.stderr);
    }
    webhook(&house, "in", &receiver.url("localhost", "/"), "job.queued");
    let ran = house.shunt(&["ctl", "webhook", "test", "in"]);
    assert!(ran.code == 1 && ran.stderr.contains("loopback"), "{}", ran.stderr);
    house.submit_with("true", &json!({}));
    let refused = || deliveries(&house, "in")[0]["last_error"].as_str().is_some_and(|error| error.contains("loopback"));
    await_that("the delivery is refused", refused, || house.log());
    assert_eq!(deliveries(&house, "in")[0]["state"], "pending", "it is tried again: names and networks change");
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn mistakes_are_told_with_the_next_step() {
    let house = House::start();
    let create = |words: &[&str]| house.shunt(&[&["ctl", "webhook", "create"], words].concat());
    create(&["a", "--url", "https://example.com/", "--events", "job.ended"]).expect(2, &["job.finished"]);
    create(&["a", "--events", "job"]).expect(2, &["--url"]);
    create(&["a", "--url", "example.com", "--events", "job"]).expect(1, &["not a URL"]);
    create(&["a", "--url", "https://example.com/", "--events", "job", "--org", "a/b"]).expect(1, &["org"]);
    create(&["a b", "--url", "https://example.com/", "--events", "job"]).expect(1, &["`a b`", "at name"]);
    create(&["a", "--url", "https://example.com/", "--events", "job"]).expect(0, &[]);
    create(&["a", "--url", "https://example.com/", "--events", "job"]).expect(1, &["already a webhook `a`"]);
    for command in ["show", "test", "deliveries", "rotate", "delete"] {
        house.shunt(&["ctl", "webhook", command, "b"]).expect(1, &["no webhook `b`", "shunt ctl webhook list"]);
    }
    house.shunt(&["ctl", "webhook", "redeliver", "a", "x"]).expect(1, &["no delivery x"]);
    house.shunt(&["ctl", "webhook", "show", "a"]).expect(0, &[]);
    house.shunt(&["ctl", "webhook", "delete", "a"]).expect(0, &["is deleted"]);
    assert_eq!(house.api("webhooks"), json!([]));
}
