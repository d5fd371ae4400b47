//! `shunt run --stage`: a whole stage, its exit code, Ctrl-C, a restart of the dispatcher, a terminal.

use serde_json::Value;

use super::client::Client;
use super::house::{BLOCKER, House, await_that, host, truth};
use super::project::{Project, newest_change};
use super::terminal::Terminal;
use crate::support::git::{GitDaemon, Repository};
use crate::support::sshd::{CENTOS_7, UBUNTU_2204};

#[test]
fn a_stage_that_fails_ends_with_one_and_its_failed_rows_run_again() {
    let (ubuntu, centos) = (host("u1", UBUNTU_2204), host("c1", CENTOS_7));
    let house = House::with(&[(&ubuntu, 2), (&centos, 2)]);
    let config = r#"{
      "job_dispatch": { "version": "v2", "filters": { "unit": [{ "platform": ["ubuntu"] }, { "platform": ["centos"] }] } },
      "phases": { "unit": { "run": "echo run >>~/runs; [ -e ~/mended ] || exit 3" } }
    }"#;
    ubuntu.run_inside("touch /home/deploy/mended");
    let project = Project::new(&house, "hello", &[("config.json", config)]);
    project.commit("Fails on centos");
    let failed = project.shunt(&house, &["run", "--stage", "verify"]);
    let id = newest_change(&house);
    let again = format!("shunt change retrigger {id} --failed-only");
    failed.expect(1, &["unit[centos]: ✖ failed on c1", "exit code 3", "✖ unit failed: 1 of 2 row(s)", &again]);
    centos.run_inside("touch /home/deploy/mended");
    let mended = house.shunt(&["run", "--stage", "verify", "--change", &id, "--failed-only"]);
    mended.expect(0, &["verify, run 2", "1 carried over", "✔ verify passed"]);
    assert_eq!((truth(&ubuntu, "runs").lines().count(), truth(&centos, "runs").lines().count()), (1, 2));
    house.shunt(&["change", "show", &id]).expect(0, &["carried over from the run before", "triggered by"]);
    // A stage that has ended is run again, whole.
    house.shunt(&["run", "--stage", "verify", "--change", &id, "-q"]).expect(0, &[]);
    assert_eq!((truth(&ubuntu, "runs").lines().count(), truth(&centos, "runs").lines().count()), (2, 3));
    house.shunt(&["run", "--stage", "build", "--change", &id]).expect(1, &["stands in stage verify", "412"]);
}

#[test]
fn ctrl_c_cancels_the_run_and_waits_for_its_end() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let script = "trap 'echo handled; exit 0' TERM; echo begun; while :; do sleep 0.05 & wait; done";
    let config = serde_json::json!({"phases": {"unit": {"run": script}, "lint": {"run": "echo linted"}}});
    let project = Project::new(&house, "hello", &[("config.json", &config.to_string())]);
    let run = project.begin(&house, &["run", "--stage", "verify", "--dirty"]);
    run.await_output("unit | begun");
    run.await_output("lint | linted");
    run.interrupt();
    let ran = run.end();
    ran.expect(130, &["cancelling the run", "cancelled by", "✖ verify failed", "retrigger"]);
    assert!(ran.text().contains("unit | handled\n"), "{ran:#?}");
    let at = |text: &str| ran.stderr.find(text).unwrap_or_else(|| panic!("no {text:?} in {ran:#?}"));
    assert!(at("lint: ✔ succeeded") < at("✔ lint passed") && at("✔ lint passed") < at("✖ verify failed"), "{ran:#?}");
    assert_eq!(house.api("jobs"), serde_json::json!([]), "nothing is left unfinished");
}

#[test]
fn a_second_ctrl_c_leaves_the_run_to_the_server_and_another_command_can_join_it() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let script = "trap '' TERM; echo begun; until [ -e ~/go ]; do sleep 0.05; done; echo done";
    let config = serde_json::json!({"phases": {"unit": {"run": script, "stop_grace_s": 300}}});
    let project = Project::new(&house, "hello", &[("config.json", &config.to_string())]);
    let run = project.begin(&house, &["run", "--stage", "verify", "--dirty"]);
    run.await_output("unit | begun");
    let id = newest_change(&house);
    let joined = house.begin(&["run", "--stage", "verify", "--change", &id]);
    joined.await_output("unit | begun");
    run.interrupt();
    run.await_note("cancelling the run");
    let stage = || house.api(&format!("changes/{id}"))["stages"][0].clone();
    await_that("the server knows", || stage()["cancelled_by"].is_string(), || stage().to_string());
    run.interrupt();
    run.end().expect(130, &[&id]);
    host.run_inside("touch /home/deploy/go");
    let joined = joined.end();
    joined.expect(1, &["verify failed", "cancelled by"]);
    assert_eq!(joined.text(), "unit | begun\nunit | done\n");
}

#[test]
fn a_change_that_waits_for_another_one_says_so_and_goes_on_when_it_may() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 4)]);
    let run =
        "until [ $SHUNT_CHANGE_TITLE != First -o -e ~/go ]; do sleep 0.05; done; echo deployed $SHUNT_CHANGE_TITLE";
    let config = serde_json::json!({"phases": {"deploy": {"run": run}}});
    let project = Project::new(&house, "hello", &[("config.json", &config.to_string())]);
    let follow = |title: &str| {
        project.shunt(&house, &["change", "submit", "--dirty", "--follow", "--title", title]).expect(0, &["approval"]);
        let id = newest_change(&house);
        house.begin(&["change", "approve", "--follow", &id])
    };
    let first = follow("First");
    first.await_note("deploy: running on u1");
    let second = follow("Second");
    second.await_note("on its way into acceptance: one change of the pipeline at a time");
    host.run_inside("touch /home/deploy/go");
    first.end().expect(0, &["waits for delivery", "deployed First"]);
    second.end().expect(0, &["waits for delivery", "deployed Second"]);
}

#[test]
fn a_run_goes_on_over_a_restart_of_the_dispatcher() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 2)]);
    let config = serde_json::json!({"phases": {"unit": {"run": format!("echo >>~/begun; {BLOCKER}")}}});
    let project = Project::new(&house, "hello", &[("config.json", &config.to_string())]);
    let run = project.begin(&house, &["run", "--stage", "verify", "--dirty"]);
    run.await_output("unit | begun");
    house.kill();
    run.await_note("lost contact with the server");
    house.start_again();
    run.await_note("the server is back");
    host.run_inside("touch /home/deploy/go");
    let ran = run.end();
    ran.expect(0, &["✔ verify passed"]);
    assert_eq!(ran.text(), "unit | begun\nunit | done\n");
    assert_eq!(truth(&host, "begun").lines().count(), 1);
}

#[test]
fn ctrl_c_leaves_by_itself_when_the_server_is_gone_and_says_that_nothing_was_cancelled() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 2)]);
    let config = serde_json::json!({"phases": {"unit": {"run": BLOCKER}}});
    let project = Project::new(&house, "hello", &[("config.json", &config.to_string())]);
    let run = project.begin(&house, &["run", "--stage", "verify", "--dirty"]);
    run.await_output("unit | begun");
    let id = newest_change(&house);
    house.kill();
    run.await_note("lost contact with the server");
    run.interrupt();
    run.end().expect(130, &[&format!("the server is away; nothing was cancelled: shunt change cancel {id}")]);
    house.start_again();
    host.run_inside("touch /home/deploy/go");
    // Nothing was: it is followed to its end by one who only watches, and is not run again.
    for ran in [house.shunt(&["change", "follow", &id]), house.shunt(&["change", "follow", &id])] {
        ran.expect(0, &["✔ verify passed", "waits for approval"]);
        assert_eq!(ran.text(), "unit | begun\nunit | done\n");
    }
    assert_eq!(house.api(&format!("changes/{id}"))["stages"][0]["number"], 1);
}

#[test]
fn programs_are_told_of_a_stage_in_one_json_event_a_line() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 2)]);
    let config = r#"{"phases": {"unit": {"run": "printf 'no line'; exit 7"}}}"#;
    let project = Project::new(&house, "hello", &[("config.json", config)]);
    let ran = project.shunt(&house, &["run", "--stage", "verify", "--dirty", "--json"]);
    ran.expect(1, &[]);
    let events: Vec<Value> = ran.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    assert_eq!(of("output")[0]["base64"], "bm8gbGluZQ==", "{events:#?}");
    assert_eq!(of("output")[0]["offset"], 0);
    let row = of("row").pop().unwrap();
    assert_eq!((&row["exit_code"], &row["ended"], &row["runner"]), (&7.into(), &true.into(), &"u1".into()), "{row}");
    assert!(of("row").iter().chain(&of("phase")).all(|event| event["number"] == 1), "{events:#?}");
    let at = |found: &dyn Fn(&Value) -> bool| events.iter().rposition(found).expect("such an event");
    let end_of_run = at(&|event| event["event"] == "run" && event["finished_at"].is_string());
    assert!(at(&|event| event["event"] == "phase") < end_of_run, "{events:#?}");
    assert_eq!(events.last().unwrap()["change"]["stages"][0]["status"], "failed");
    let detached = project.shunt(&house, &["run", "--stage", "verify", "--dirty", "--detach"]);
    detached.expect(0, &[]);
    assert_eq!(detached.text().trim(), newest_change(&house));
}

#[test]
fn on_a_terminal_each_row_has_a_line_that_goes_when_its_phase_has_ended() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let config = serde_json::json!({"phases": {"unit": {"run": BLOCKER}, "lint": {"run": "echo linted"}}});
    let project = Project::new(&house, "hello", &[("config.json", &config.to_string())]);
    project.commit("Blocks");
    let terminal = Terminal::start(&project.command(&house, &["run", "--stage", "verify"]));
    let shows = |text: &str| {
        await_that(&format!("it shows {text:?}"), || terminal.screen().contains(text), || terminal.screen())
    };
    shows("u1  running");
    shows("verify: ");
    host.run_inside("touch /home/deploy/go");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    for said in ["unit |", "linted", "unit passed: 1 row(s)", "verify passed", "waits for approval"] {
        assert!(screen.contains(said), "no {said:?} on {screen}");
    }
}

#[test]
fn a_whole_stage_runs_in_clones_that_the_runner_makes() {
    let config = r#"{"phases": {"unit": {"run": "sh ./say; git rev-parse HEAD"}}}"#;
    let repository = Repository::new(&[("say", "echo hello from the clone\n"), ("config.json", config)]);
    let (daemon, host) = (GitDaemon::start(&repository), host("u1", UBUNTU_2204));
    let house = House::with(&[(&host, 2)]);
    let begun = repository.git(&["rev-parse", "HEAD"]);
    let mut command = house.shunt_command();
    command.env("PATH", std::env::var("PATH").expect("a PATH")).env("GIT_CONFIG_NOSYSTEM", "1");
    command.current_dir(repository.path()).args(["run", "--stage", "verify", "--name", "hello"]);
    command.args(["--git", &daemon.url(), "--ref", "main"]);
    let ran = Client::start(command, b"").end();
    ran.expect(0, &["unit | hello from the clone\n", &format!("unit | {begun}\n"), "✔ verify passed"]);
}
