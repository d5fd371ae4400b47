//! Lost attempts: proved by the boot of the intent, shown with the evidence, started again only when that was said.

use serde_json::Value;

use super::house::{House, await_that, await_truth, host, truth};
use super::store_faults::forget_started;
use crate::support::sshd::{TestHost, UBUNTU_2204};

fn base_dir(house: &House) -> String {
    house.api("runners/u1")["base_dir"].as_str().expect("a base directory").to_owned()
}

/// As after a power cut: no process of a job is left, the kernel has another boot id, and what was not synced is gone.
fn cut_power(host: &TestHost, base: &str, unsynced: &str, boot: &str) {
    host.kill_sshd();
    host.run_inside(&format!(
        "pkill -KILL -u deploy || :; cd {base} && rm -rf {unsynced}; echo {boot} >/run/{boot}; \
         mount --bind /run/{boot} /proc/sys/kernel/random/boot_id"
    ));
}

fn submit(house: &House, keys: &Value, script: &str) -> String {
    let mut body = keys.clone();
    body["script"] = script.into();
    let ran = house.shunt(&["api", "post", "jobs", "-d", &body.to_string()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_slice::<Value>(&ran.stdout).unwrap()["id"].as_str().unwrap().to_owned()
}

/// A job that has run, and of whose start the store knows only the intent; the dispatcher is down.
fn start_unconfirmed(house: &mut House, host: &TestHost, keys: &Value) -> String {
    let id = submit(house, keys, "echo ran >>~/ran; [ -e ~/go ] || exec sleep 300");
    await_truth(host, "ran", "ran");
    house.await_state(&id, &["running"]);
    house.kill();
    forget_started(house, &id);
    id
}

#[test]
fn a_job_whose_claim_was_lost_with_the_power_is_lost_and_not_run_again() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let boot = host.run_inside("cat /proc/sys/kernel/random/boot_id");
    let id = start_unconfirmed(&mut house, &host, &serde_json::json!({}));
    cut_power(&host, &base_dir_of(&host), "c/* j/* w/*", "second-boot");
    host.restart();
    house.start_again();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &"rebooted".into()), "{job}");
    let attempt = &job["attempts"][0];
    assert_eq!((&attempt["boot_id"], &attempt["runner"]), (&boot.as_str().into(), &"u1".into()), "{job}");
    assert_eq!(
        (&attempt["lost"]["boot_id"], &attempt["lost"]["evidence"]),
        (&"second-boot".into(), &"rebooted".into())
    );
    assert_eq!(attempt["lost"]["instance_id"], attempt["instance_id"], "{job}");
    let evidence = format!("attempt 1 on u1 was lost: rebooted (boot id then {boot}, now second-boot; instance id ");
    house.shunt(&["jobs", &id]).expect(0, &[&evidence]);
    house.shunt(&["explain", &id]).expect(0, &["it is lost on u1", &evidence]);
    assert_eq!(truth(&host, "ran"), "ran\n", "it ran twice");
    // A start of the new boot that is fenced in it never ran, whatever was before.
    host.run_inside("touch /home/deploy/go");
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
    assert_eq!(house.job(&id)["attempt"], 1);
}

/// The user mode's base directory, without a dispatcher to ask.
fn base_dir_of(host: &TestHost) -> String {
    let base = "/home/deploy/.cache/shuntyard";
    host.run_inside(&format!("[ -d {base}/c ]"));
    base.to_owned()
}

#[test]
fn a_claim_that_survived_the_power_cut_proves_the_loss_and_the_job_is_started_again_when_that_was_said() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let base = base_dir(&house);
    let again = serde_json::json!({"retry": {"on_lost": true}, "queue_limit_s": 3600});
    let id = submit(&house, &again, "echo attempt $SHUNT_ATTEMPT; echo ran >>~/ran; [ -e ~/go ] || exec sleep 300");
    await_truth(&host, "ran", "ran");
    house.await_state(&id, &["running"]);
    let follower = house.begin(&["logs", "-f", &id]);
    follower.await_output("attempt 1\n");
    // The result's blanks and the log were written; what is left of the attempt is in its claim.
    cut_power(&host, &base, "w/*", "second-boot");
    host.run_inside("touch /home/deploy/go");
    host.restart();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &2.into()), "{job}\n{}", house.log());
    let attempts = job["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["lost"]["evidence"]), (2, &"rebooted".into()), "{job}");
    assert_eq!((&attempts[1]["boot_id"], attempts[1].get("lost")), (&"second-boot".into(), None), "{job}");
    assert_eq!(truth(&host, "ran"), "ran\nran\n");
    let followed = follower.end();
    assert_eq!(followed.text(), "attempt 1\nattempt 2\n");
    assert!(followed.stderr.contains("the job was lost and started again: attempt 2"), "{}", followed.stderr);
    assert_eq!(house.shunt(&["logs", &id]).text(), "attempt 2\n");
    let events = house.api(&format!("jobs/{id}/events"));
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "requeued_after_loss").count(), 1, "{kinds:?}");
    house.shunt(&["jobs", &id]).expect(0, &["succeeded", "attempt 1 on u1 was lost: rebooted"]);
}

#[test]
fn a_lost_job_that_was_cancelled_meanwhile_is_not_started_again() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let id = start_unconfirmed(&mut house, &host, &serde_json::json!({"retry": {"on_lost": true}}));
    cut_power(&host, &base_dir_of(&host), "c/* j/* w/*", "second-boot");
    house.start_again();
    house.shunt(&["cancel", &id]).expect(0, &[]);
    host.restart();
    let job = house.await_end(&id);
    assert_eq!((&job["state"], &job["lost_evidence"]), (&"lost".into(), &"rebooted".into()), "{job}");
    assert_eq!(truth(&host, "ran"), "ran\n");
}

#[test]
fn a_start_that_is_refused_is_tried_elsewhere_even_where_less_is_free() {
    let (first, second) = (host("u1", UBUNTU_2204), host("u2", UBUNTU_2204));
    let house = House::with(&[(&first, 4), (&second, 2)]);
    let blocker = house.submit(&["--filter", "hostname=u2"], "echo up >~/up; until [ -e ~/go ]; do sleep 0.05; done");
    await_truth(&second, "up", "up");
    first.run_inside(&format!("chmod 500 {}/c", base_dir(&house)));
    let id = house.submit(&[], "echo ran >>~/ran");
    let job = house.await_end(&id);
    let runners: Vec<&str> =
        job["attempts"].as_array().unwrap().iter().map(|attempt| attempt["runner"].as_str().unwrap()).collect();
    assert_eq!((&job["state"], runners), (&"succeeded".into(), vec!["u1", "u2"]), "{job}");
    assert_eq!((truth(&first, "ran").as_str(), truth(&second, "ran").as_str()), ("", "ran\n"));
    second.run_inside("touch /home/deploy/go");
    house.await_end(&blocker);
    // Where there is no elsewhere, the same runner is asked again.
    let only = house.submit(&["--filter", "hostname=u1"], "echo ran >>~/ran");
    let tried = || house.job(&only)["attempt"].as_u64() >= Some(2);
    await_that("a second placement", tried, || house.job(&only).to_string());
    first.run_inside(&format!("chmod 700 {}/c", base_dir(&house)));
    assert_eq!(house.await_end(&only)["state"], "succeeded");
}
