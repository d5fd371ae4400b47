//! `shunt ctl label` and `shunt ctl scope`: what later jobs see, and what running ones do not.

use serde_json::json;

use super::house::{BLOCKER, House, await_truth, host};
use crate::support::sshd::UBUNTU_2204;

#[test]
fn labels_change_while_a_runner_works_and_later_jobs_see_them() {
    let (h1, h2) = (host("h1", UBUNTU_2204), host("h2", UBUNTU_2204));
    let house = House::with(&[(&h1, 2), (&h2, 1)]);
    let running = house.submit(&["--filter", "hostname=h1"], &format!("echo x >~/began; {BLOCKER}"));
    await_truth(&h1, "began", "x\n");
    let waiting = house.submit(&["--filter", "labels=gpu,region=eu"], "true");
    assert_eq!(house.job(&waiting)["state"], "queued");
    house.shunt(&["explain", &waiting]).expect(0, &["never", "labels"]);

    let ran = house.shunt(&["ctl", "label", "h1", "h2", "+old", "region=us"]);
    ran.expect(0, &["h1: old region=us", "h2: old region=us"]);
    // Only the whole label counts: a key without its value is another label.
    let bare = house.submit(&["--filter", "labels=region"], "true");
    assert_eq!(house.api(&format!("jobs/{bare}/explain"))["verdict"], "never");
    let ran = house.shunt(&["ctl", "label", "h1", "+gpu", "-old", "region=eu"]);
    ran.expect(0, &["h1: gpu region=eu"]);
    assert_eq!(house.await_end(&waiting)["runner"], "h1");
    assert_eq!(house.api("runners/h2")["labels"], json!(["old", "region=us"]));
    house.shunt(&["ctl", "label", "--capabilities", "h1", "-region", "+docker"]).expect(0, &["h1: docker\n"]);
    house.await_end(&house.submit(&["--filter", "capabilities=docker"], "true"));
    // A job that runs is not asked again.
    house.shunt(&["ctl", "label", "h1", "-gpu", "-region"]).expect(0, &["h1: none"]);
    house.await_state(&running, &["running"]);
    h1.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&running)["state"], "succeeded");

    let events = house.api("runners/h1/events");
    let first = &events[0];
    assert_eq!((&first["event"], &first["by"]), (&json!("changed"), &json!("admin")), "{events}");
    assert_eq!(first["changes"], json!({"labels": {"before": [], "after": ["old", "region=us"]}}), "{events}");
    assert_eq!(events.as_array().map(Vec::len), Some(4), "{events}");
    // What is there already is no change.
    house.shunt(&["ctl", "label", "h1", "-gpu"]).expect(0, &["h1: none"]);
    assert_eq!(house.api("runners/h1/events"), events);

    // A typing error in one name changes nobody.
    house.shunt(&["ctl", "label", "h1", "h9", "+x"]).expect(1, &["h9"]);
    assert_eq!(house.api("runners/h1")["labels"], json!([]));
    house.shunt(&["ctl", "label", "h1", "+GPU"]).expect(2, &["label `GPU` is not allowed", "did you mean `gpu`?"]);
    house.shunt(&["ctl", "label", "h1", "+fact.os=linux"]).expect(2, &["`fact.`"]);
}

#[test]
fn two_people_do_not_overwrite_each_other() {
    let (h1, house) = (host("h1", UBUNTU_2204), House::start());
    house.enrol(&h1, 1);
    let labels: Vec<String> = (0..8).map(|n| format!("l{n}")).collect();
    let people: Vec<_> =
        labels.iter().map(|label| house.begin(&["ctl", "label", "h1", &format!("+{label}")])).collect();
    people.into_iter().for_each(|person| person.end().expect(0, &[]));
    assert_eq!(house.api("runners/h1")["labels"], json!(labels));
}

#[test]
fn a_runner_of_one_organisation_serves_no_other_until_it_is_shared_again() {
    let (h1, house) = (host("h1", UBUNTU_2204), House::start());
    house.enrol(&h1, 1);
    house.shunt(&["ctl", "scope", "h1", "org", "acme"]).expect(1, &["there is no organisation `acme`"]);
    house.shunt(&["api", "post", "orgs", "-d", r#"{"name":"acme"}"#]).expect(0, &[]);
    house.shunt(&["ctl", "scope", "h1", "org", "acme"]).expect(0, &["h1: org:acme"]);
    house.shunt(&["ctl", "list-runners"]).expect(0, &["org:acme"]);
    let job = house.submit(&[], "true");
    let explained = house.api(&format!("jobs/{job}/explain"));
    assert_eq!((&explained["verdict"], &explained["scope_excluded"]), (&json!("never"), &json!(["h1"])), "{explained}");
    house.shunt(&["ctl", "scope", "h1", "enterprise"]).expect(0, &["h1: enterprise"]);
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    house.shunt(&["ctl", "scope", "h1", "enterprise", "acme"]).expect(2, &["leave the name out"]);
    house.shunt(&["ctl", "scope", "h1", "org"]).expect(2, &["NAME"]);
}

#[test]
fn a_test_learns_what_the_host_is_by_now() {
    let (h1, house) = (host("h1", UBUNTU_2204), House::start());
    house.enrol(&h1, 1);
    let job = house.submit(&["--filter", "platform_version=24.04"], "true");
    assert_eq!(house.api(&format!("jobs/{job}/explain"))["verdict"], "never");
    h1.run_inside("sed -i 's/22.04/24.04/' /etc/os-release");
    house.shunt(&["ctl", "test-runner", "h1"]).expect(0, &["ubuntu 24.04"]);
    assert_eq!(house.api("runners/h1")["platform_version"], "24.04");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
}
