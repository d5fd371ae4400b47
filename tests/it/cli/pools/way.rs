//! From a job that waits to a machine that is gone.

use serde_json::json;

use super::provider::Provider;
use super::{await_pool, house, machine, make_pool, submit};
use crate::cli::house::await_that;
use crate::outgoing::calls::signed_by_openssl;

#[test]
fn a_waiting_job_gets_a_machine_that_goes_when_it_has_nothing_to_do() {
    let (provider, house) = (Provider::start(), house());
    let secret = make_pool(&house, &provider, &["--max", "2", "--idle", "2s", "--fact", "platform=ubuntu"]);
    // Nothing waits that it could help.
    let other = house.submit(&["--filter", "platform=centos"], "true");
    house.shunt(&["explain", &other]).expect(0, &["never"]);
    assert_eq!(provider.asked("start"), Vec::<String>::new());

    let job = house.submit(&["--filter", "labels=cloud", "--filter", "platform=ubuntu"], "echo from the cloud");
    let ended = house.await_end(&job);
    assert_eq!(ended["state"], "succeeded", "{ended}\n{}", house.log());
    let name = ended["runner"].as_str().unwrap().to_owned();
    assert!(name.starts_with("cloud-"), "{name}");
    assert_eq!(provider.asked("start"), std::slice::from_ref(&name));

    let call = &provider.calls("start")[0];
    let body = call.json();
    assert_eq!((&body["pool"], &body["labels"]), (&json!("cloud"), &json!(["cloud"])), "{body}");
    let (id, at) = (call.header("webhook-id"), call.header("webhook-timestamp"));
    assert_eq!(id, format!("start-{name}"));
    assert_eq!(call.header("webhook-signature"), signed_by_openssl(&secret, id, at, &call.body));
    assert!(!house.log().contains(body["enrolment"]["token"].as_str().unwrap()), "the log holds the token");

    let gone = await_pool(&house, "the machine is gone", |pool| machine(pool, 0)["state"] == "stopped");
    assert_eq!(machine(&gone, 0)["reason"], "idle", "{gone}");
    assert_eq!(machine(&gone, 0)["provider_id"], json!(format!("i-{name}")));
    assert_eq!(provider.asked("stop"), std::slice::from_ref(&name));
    assert_eq!(house.api("runners"), json!([]));
    let events = house.api(&format!("runners/{name}/events"));
    let last = events.as_array().unwrap().last().unwrap();
    assert_eq!((&last["event"], &last["by"]), (&json!("deleted"), &json!("pool cloud")), "{events}");
    assert_eq!(house.job(&job)["runner"], json!(name));
    house.shunt(&["logs", &job]).expect(0, &["from the cloud"]);
    house.shunt(&["ctl", "pool", "show", "cloud"]).expect(0, &["cloud is enabled: 0 of up to 2", &name, "idle"]);
    house.shunt(&["ctl", "pool", "list"]).expect(0, &["cloud", "enabled"]);
}

#[test]
fn a_deleted_pool_stops_its_machines_first_and_lets_their_jobs_end() {
    let (provider, house) = (Provider::start(), house());
    make_pool(&house, &provider, &["--min", "1"]);
    await_pool(&house, "a machine is there without a job", |pool| pool["counts"]["enrolled"] == 1);
    let job = submit(&house, "touch /tmp/began; until [ -e /tmp/go ]; do sleep 0.05; done");
    house.await_state(&job, &["running"]);
    house.shunt(&["ctl", "pool", "delete", "cloud"]).expect(0, &["goes when its machines are stopped"]);
    await_pool(&house, "the machine drains", |pool| pool["counts"]["draining"] == 1 && pool["deleting"] == true);
    assert_eq!(provider.asked("stop"), Vec::<String>::new(), "a machine with a job was stopped");
    let name = house.job(&job)["runner"].as_str().unwrap().to_owned();
    house.shunt(&["ctl", "enable", &name]).expect(1, &["its pool stops this machine"]);
    house
        .shunt(&["ctl", "pool", "delete", "cloud", "--keep"])
        .expect(1, &["1 machine(s) are being started or stopped"]);
    provider.host(&name).unwrap().run_inside("touch /tmp/go");
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    await_that("the pool is gone", || house.api("pools") == json!([]), || house.api("pools").to_string());
    assert_eq!(provider.asked("stop"), [name]);
}
