//! A change from its submission to its delivery, as somebody does it at a terminal.

use super::house::{House, await_that, host, truth};
use super::project::{Project, newest_change};
use crate::support::sshd::{CENTOS_7, TestHost, UBUNTU_2204};

const CONFIG: &str = r#"{
  "job_dispatch": { "version": "v2", "filters": { "unit": [{ "platform": ["ubuntu"] }, { "platform": ["centos"] }] } },
  "phases": {
    "unit": { "run": "echo unit says $(cat name)" },
    "deploy": { "run": "echo $SHUNT_STAGE >>~/deployed; echo deployed in $SHUNT_STAGE" }
  }
}"#;

fn two_hosts() -> (TestHost, TestHost) {
    (host("u1", UBUNTU_2204), host("c1", CENTOS_7))
}

#[test]
fn a_change_goes_from_its_submission_to_its_delivery_by_hand() {
    let (ubuntu, centos) = two_hosts();
    let house = House::with(&[(&ubuntu, 4), (&centos, 4)]);
    let project = Project::new(&house, "hello", &[("config.json", CONFIG), ("name", "one\n")]);
    project.commit("Says one");
    project.write("name", "two\n");
    let submitted = project.shunt(&house, &["change", "submit"]);
    submitted.expect(0, &["1 uncommitted file stays", "shunt change follow", "shunt change close"]);
    let id = submitted.text().trim().to_owned();
    let end = &id[id.len() - 12..];

    let verify = house.shunt(&["run", "--stage", "verify", "--change", end]);
    verify.expect(0, &["✔ unit passed: 2 row(s)", "lint skipped: nothing to run", "waits for approval"]);
    for line in ["unit[ubuntu] | unit says one\n", "unit[centos] | unit says one\n"] {
        assert!(verify.text().contains(line), "{verify:#?}");
    }
    let shown = house.shunt(&["change", "show", end]);
    shown.expect(0, &["Says one", "✔ verify → (approve) → ○ build", &format!("shunt change approve {id}"), "on u1"]);
    house.shunt(&["change", "list", "--project", "hello"]).expect(0, &[&id, "waits for approval", "hello/master"]);
    house.shunt(&["change", "list", "--project", "other"]).expect(0, &["no changes"]);

    house
        .shunt(&["change", "deliver", &id])
        .expect(1, &["has not passed stage acceptance", "412", &format!("allowed now:\n  shunt change approve {id}")]);
    house.shunt(&["change", "cancel", &id]).expect(1, &["nothing of the change runs"]);
    house.shunt(&["change", "retrigger", &id, "--failed-only"]).expect(1, &["no row of the latest run has failed"]);
    house.shunt(&["change", "retrigger", &id, "--stage", "build"]).expect(1, &["stands in stage verify", "not build"]);

    let approved = house.shunt(&["change", "approve", &id, "--follow"]);
    approved.expect(0, &["approved", "✔ build passed", "✔ acceptance passed", "waits for delivery"]);
    assert!(approved.text().contains("deploy | deployed in acceptance\n"), "{approved:#?}");
    house.shunt(&["change", "approve", &id]).expect(1, &["already approved"]);
    house.shunt(&["change", "close", &id]).expect(1, &["already approved"]);
    house
        .shunt(&["change", "deliver", &id, "--follow"])
        .expect(0, &["✔ delivered passed", "it has passed every stage"]);
    let deployed = truth(&ubuntu, "deployed") + &truth(&centos, "deployed");
    for stage in ["acceptance", "union", "rehearsal", "delivered"] {
        assert_eq!(deployed.lines().filter(|line| *line == stage).count(), 1, "{stage} in {deployed}");
    }
    house.shunt(&["change", "show", &id]).expect(0, &["(approve ✔)", "✔ delivered", "approved by", "delivered by"]);
    house.shunt(&["project", "show", "hello"]).expect(0, &["default/hello", "master"]);
}

#[test]
fn a_change_that_nobody_waits_for_goes_on_and_can_be_given_up() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let config = r#"{"phases": {"unit": {"run": "echo begun; until [ -e ~/go ]; do sleep 0.05; done; echo done"}}}"#;
    let project = Project::new(&house, "hello", &[("config.json", config)]);
    // Without a repository the files are brought as they are.
    let follow = project.begin(&house, &["change", "submit", "--dirty", "--follow", "--title", "Blocks"]);
    follow.await_output("unit | begun");
    follow.interrupt();
    follow.end().expect(130, &["the change goes on without this command: shunt change show"]);
    let id = newest_change(&house);
    assert_eq!(house.api(&format!("changes/{id}"))["stages"][0]["status"], "running");
    // Its output may come before it is stored that it runs.
    let shown = || house.shunt(&["change", "show", &id]).text();
    await_that("it runs", || shown().contains("running on u1"), shown);
    house.shunt(&["change", "show", &id]).expect(0, &["Blocks", "● verify: running", "follow it"]);
    house.shunt(&["change", "approve", &id]).expect(1, &["stage verify has not ended"]);
    house.shunt(&["change", "close", &id]).expect(0, &["closed; what runs is being stopped"]);
    let closed = || house.api(&format!("changes/{id}"));
    await_that("its run ends", || closed()["stages"][0]["finished_at"].is_string(), || closed().to_string());
    house.shunt(&["change", "list", "--state", "closed"]).expect(0, &[&id, "Blocks"]);
    house.shunt(&["change", "retrigger", &id]).expect(1, &["the change is closed"]);
    house.shunt(&["change", "show", "01890000-0000-7000-8000-000000000001"]).expect(1, &["there is no change"]);
    house.shunt(&["change", "show", "beefbeefbeef"]).expect(2, &["no change has an id"]);
}

#[test]
fn organisations_projects_and_pipelines_are_made_listed_and_chosen() {
    let house = House::start();
    house.shunt(&["org", "create", "acme"]).expect(0, &["organisation acme is made"]);
    house.shunt(&["org", "create", "acme"]).expect(1, &["409"]);
    house.shunt(&["org", "list"]).expect(0, &["acme\n", "default\n"]);
    house.shunt(&["project", "create", "shop", "--org", "acme"]).expect(0, &[]);
    house.shunt(&["pipeline", "create", "shop", "release", "--org", "acme"]).expect(0, &[]);
    house.shunt(&["pipeline", "list", "shop", "--org", "acme"]).expect(0, &["release\n"]);
    house.shunt(&["project", "list", "--org", "acme"]).expect(0, &["shop\n"]);
    house.shunt(&["project", "show", "nope"]).expect(1, &["404"]);
    let config = r#"{"phases": {"unit": {"run": "true"}}, "skip_phases": ["unit"]}"#;
    let project = Project::new(&house, "other", &[("config.json", config)]);
    let words = ["change", "submit", "--dirty", "--follow", "--org", "acme", "--name", "shop", "--pipeline", "release"];
    project.shunt(&house, &words).expect(0, &["unit skipped: skip_phases names it", "waits for approval"]);
    house.shunt(&["change", "list", "--org", "acme"]).expect(0, &["acme/shop/release", "files of other"]);
}

#[test]
fn with_git_no_files_are_sent_and_the_settings_are_those_of_the_commit() {
    let house = House::start();
    let config = r#"{"phases": {"unit": {"run": "echo one"}}}"#;
    let project = Project::new(&house, "hello", &[("config.json", config)]);
    project.commit("Says one");
    project.git(&["tag", "v1"]);
    project.git(&["remote", "add", "origin", "https://git.example.com/hello.git"]);
    project.write("config.json", r#"{"phases": {"unit": {"run": "echo two"}}}"#);
    project.commit("Says two");
    let submitted = project.shunt(&house, &["change", "submit", "--git", "--ref", "v1", "--json"]);
    submitted.expect(0, &["is it pushed?", "Says one", "warning: verify unit"]);
    let change: serde_json::Value = serde_json::from_slice(&submitted.stdout).expect("JSON");
    let source = &change["source"]["git"];
    assert_eq!(source["url"], "https://git.example.com/hello.git");
    assert_eq!(source["ref"].as_str().map(str::len), Some(40), "{source}");
    let id = change["id"].as_str().unwrap();
    house.shunt(&["plan", "--change", id, "--stage", "verify"]).expect(1, &["echo one", "nobody"]);
    house.shunt(&["change", "close", id]).expect(0, &[]);
}
