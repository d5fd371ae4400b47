//! The local runner: `shuntd serve --local`, jobs that outlive the dispatcher, and what becomes of them when it is turned off.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::client::Client;
use super::house::{House, await_that, host};
use crate::support::sshd::{UBUNTU_2204, free_port};

const ON: &[(&str, &str)] = &[("SHUNTD_LOCAL_ENABLED", "true")];

/// Prints numbered lines, the same into `~/truth`, until `~/go` exists. Ends by itself when its home is gone.
const COUNTER: &str = "n=0; until [ -e ~/go ] || [ ! -d ~ ]; do n=$((n + 1)); echo line $n | tee -a ~/truth; sleep 0.02; done; echo done | tee -a ~/truth";

impl House {
    /// Where jobs of the local runner are at home.
    fn local_home(&self) -> PathBuf {
        self.data_dir().join("local/home")
    }

    fn truth_lines(&self) -> usize {
        fs::read_to_string(self.local_home().join("truth")).unwrap_or_default().lines().count()
    }

    fn await_more_lines(&self) {
        let before = self.truth_lines();
        await_that("the job goes on", || self.truth_lines() > before + 3, || self.log());
    }

    fn stored_log(&self, job: &str) -> Vec<u8> {
        self.shunt(&["logs", job]).stdout
    }

    /// Waits until something new of the job's output is stored: it is followed, not only alive.
    fn await_followed(&self, job: &str) {
        let before = self.stored_log(job).len();
        await_that("the job is followed", || self.stored_log(job).len() > before, || self.log());
    }

    fn runner(&self, name: &str) -> Value {
        self.api(&format!("runners/{name}"))
    }

    fn await_runner(&self, name: &str, contact: &str) {
        let status = || self.runner(name)["contact"]["status"].clone();
        await_that(&format!("{name} is {contact}"), || status() == contact, || self.runner(name).to_string());
    }
}

#[test]
fn one_machine_needs_one_flag_and_its_runner_is_like_any_other_but_not_made_or_removed_by_hand() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true"), ("SHUNTD_LOCAL_SLOTS", "2")]);
    assert!(house.log().contains("its jobs can read the dispatcher's data"), "{}", house.log());
    let ran =
        house.shunt(&["run", "--quiet", "--filter", "os=linux", "--", "sh", "-c", "env; pwd; echo $SHUNT_RUNNER"]);
    ran.expect(0, &["SHUNT_RUNNER=local"]);
    assert!(!ran.text().contains("SHUNTD_"), "the dispatcher's own environment: {}", ran.text());
    assert!(ran.text().contains(house.local_home().to_str().unwrap()), "{}", ran.text());
    let machine = String::from_utf8(Command::new("uname").arg("-n").output().unwrap().stdout).unwrap();
    assert_eq!(house.shunt(&["run", "--quiet", "--", "uname", "-n"]).text(), machine);

    let runner = house.runner("local");
    assert_eq!(
        (&runner["local"], &runner["slots"], &runner["address"]),
        (&true.into(), &2.into(), &"127.0.0.1".into())
    );
    house.shunt(&["ctl", "list-runners"]).expect(0, &["local"]);
    house.shunt(&["ctl", "show-runner", "local"]).expect(0, &["the dispatcher's own machine"]);
    house.shunt(&["ctl", "test-runner", "local"]).expect(0, &[]);
    house.shunt(&["ctl", "label", "local", "+gpu"]).expect(0, &["gpu"]);
    house.shunt(&["run", "--quiet", "--filter", "labels=gpu", "--", "true"]).expect(0, &[]);

    house.shunt(&["ctl", "delete-runner", "local", "-y"]).expect(1, &["[local] enabled = false"]);
    house.shunt(&["ctl", "delete-runner", "local", "-y", "--force"]).expect(1, &["[local] enabled = false"]);
    let words = ["ctl", "install-runner", "local", "root", "--address", "127.0.0.1", "-y", "--password-stdin"];
    house.begin_with_input(&words, b"x\n").end().expect(1, &["choose another name"]);
    let ran = house.shunt(&["api", "patch", "runners/local", "-d", r#"{"slots":3}"#]);
    ran.expect(1, &["[local] slots"]);
    assert!(!house.shunt(&["ctl", "export"]).text().contains("local"), "a file for other machines");
    assert_eq!(house.runner("local")["slots"], 2);
    only_the_runners_key_opens(&runner, house.home().join("key"));
}

/// Another key, and no password is even asked for.
fn only_the_runners_key_opens(runner: &Value, key: PathBuf) {
    let mut keygen = Command::new("ssh-keygen");
    assert!(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap().success());
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
    ssh.args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"]).arg(&key);
    ssh.args(["-p", &runner["port"].to_string(), "-l", runner["user"].as_str().unwrap(), "127.0.0.1", "id"]);
    Client::start(ssh, b"").end().expect(255, &["Permission denied (publickey)."]);
}

#[test]
fn a_local_job_outlives_kill_9_and_a_stop_of_the_dispatcher_and_its_log_is_whole() {
    let mut house = House::start_set("", ON);
    let before = house.runner("local");
    let job = house.submit(&[], COUNTER);
    house.await_followed(&job);

    house.kill();
    house.await_more_lines();
    house.start_again();
    house.await_followed(&job);

    assert!(house.terminate().success());
    house.await_more_lines();
    // Somebody takes the port meanwhile: an address is not what the runner is.
    let port = u16::try_from(before["port"].as_u64().unwrap()).unwrap();
    let taken = TcpListener::bind(("127.0.0.1", port)).expect("the port is free while nobody listens");
    house.start_again();
    house.await_followed(&job);
    drop(taken);

    fs::write(house.local_home().join("go"), "").unwrap();
    assert_eq!(house.await_end(&job)["state"], "succeeded");
    let truth = fs::read(house.local_home().join("truth")).unwrap();
    assert!(truth.ends_with(b"done\n") && house.stored_log(&job) == truth, "the log is not what the job wrote");
    let after = house.runner("local");
    assert_ne!(after["port"], before["port"]);
    for key in ["id", "host_keys", "created_at", "openssh_public_key", "base_dir"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(house.api("runners").as_array().unwrap().len(), 1);
}

#[test]
fn turned_off_it_takes_no_job_ends_those_that_it_has_and_is_itself_again_when_it_is_turned_on() {
    let mut house = House::start_set("", ON);
    house.shunt(&["ctl", "label", "local", "+gpu"]).expect(0, &[]);
    let running = house.submit(&[], COUNTER);
    house.await_followed(&running);
    assert!(house.terminate().success());

    house.set(&[]);
    house.start_again();
    assert!(house.log().contains("still has jobs"), "{}", house.log());
    let runner = house.runner("local");
    assert_eq!(runner["state"], "disabled");
    assert!(runner["state_note"]["reason"].as_str().unwrap().contains("[local] enabled"), "{runner}");
    house.await_followed(&running);
    let waiting = house.submit(&["--filter", "labels=gpu"], "echo at last");
    house.shunt(&["explain", &waiting]).expect(0, &["disabled"]);
    house.shunt(&["ctl", "enable", "local"]).expect(1, &["[local] enabled = true"]);
    fs::write(house.local_home().join("go"), "").unwrap();
    assert_eq!(house.await_end(&running)["state"], "succeeded");
    let truth = fs::read(house.local_home().join("truth")).unwrap();
    assert!(house.stored_log(&running) == truth, "the log is not what the job wrote");

    house.terminate();
    house.start_again();
    house.await_runner("local", "unreachable");
    let contact = house.runner("local")["contact"].clone();
    assert!(contact["reason"].as_str().unwrap().contains("turned off"), "{contact}");
    assert_eq!(contact["next_try_at"], Value::Null, "nobody tries");
    house.shunt(&["ctl", "test-runner", "local"]).expect(1, &["[local] enabled = true"]);
    assert_eq!(house.job(&waiting)["state"], "queued");

    house.terminate();
    house.set(ON);
    house.start_again();
    assert_eq!(house.await_end(&waiting)["state"], "succeeded");
    let runner = house.runner("local");
    assert_eq!((&runner["state"], &runner["labels"]), (&"enrolled".into(), &serde_json::json!(["gpu"])));
    let history = house.api("runners/local/events").to_string();
    assert!(history.contains("the dispatcher") && history.contains("turned off"), "{history}");

    house.terminate();
    house.set(&[]);
    house.start_again();
    house.shunt(&["ctl", "delete-runner", "local", "-y"]).expect(0, &["runner local is removed", "data directory"]);
    assert_eq!(house.api("runners"), serde_json::json!([]));
    assert_eq!(house.job(&waiting)["runner"], "local", "history stays");
}

#[test]
fn a_runner_that_was_installed_by_hand_keeps_its_name_and_the_local_one_may_be_called_otherwise() {
    let other = host("local", UBUNTU_2204);
    let mut house = House::with(&[(&other, 1)]);
    house.terminate();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut refused = house.shuntd_command(&listen);
    refused.arg("--local");
    Client::start(refused, b"").end().expect(1, &["there is already a runner `local`", "[local] name"]);

    house.set(&[("SHUNTD_LOCAL_ENABLED", "true"), ("SHUNTD_LOCAL_NAME", "this-machine")]);
    house.start_again();
    let on = |name: &str| house.shunt(&["run", "--quiet", "--filter", &format!("hostname={name}"), "--", "pwd"]).text();
    assert!(on("this-machine").contains(house.local_home().to_str().unwrap()), "{}", house.log());
    assert!(on("local").contains("/home/deploy"), "{}", house.log());
    let id = house.runner("this-machine")["id"].clone();

    house.terminate();
    house.set(&[("SHUNTD_LOCAL_ENABLED", "true"), ("SHUNTD_LOCAL_NAME", "here")]);
    house.start_again();
    assert_eq!(house.runner("here")["id"], id, "a new name, not a new runner");
    assert_eq!(house.api("runners").as_array().unwrap().len(), 2);
}
