//! Secrets that jobs are handed: whose, as what, and that nothing of them is in a log, also after a restart.

use serde_json::json;

use super::house::{House, await_that, host, truth};
use super::project::Project;
use crate::support::sshd::UBUNTU_2204;

fn set(house: &House, name: &str, flags: &[&str], value: &str) {
    house.begin_with_input(&[&["secret", "set", name], flags].concat(), value.as_bytes()).end().expect(0, &["is set"]);
}

#[test]
fn a_job_is_handed_the_most_specific_secret_as_a_variable_or_a_file_and_its_log_shows_none() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 4)]);
    let project = Project::new(&house, "web", &[]);
    std::fs::create_dir_all(&project.dir).unwrap();
    let handed = |n: usize| {
        let run = ["run", "--secret", "TOKEN=T", "--secret-file", "TOKEN=F", "--", "sh", "-c"];
        let script =
            format!("printf '%s' \"$T\" >~/t{n}; cat \"$F\" >~/f{n}; echo \"[$T]\" $(printf '%s' \"$T\" | base64)");
        let ran = project.shunt(&house, &[&run[..], &[&script]].concat());
        ran.expect(0, &[]);
        assert_eq!(truth(&host, &format!("t{n}")), truth(&host, &format!("f{n}")));
        (truth(&host, &format!("t{n}")), ran.text())
    };
    project.shunt(&house, &["run", "--secret", "TOKEN", "--", "true"]).expect(
        1,
        &[
            "there is no secret TOKEN",
            "project web, organisation default, the enterprise",
            "secret set TOKEN --project web",
        ],
    );
    let scopes: [(&[&str], &str); 4] = [
        (&["--whole-enterprise"], "enterprise-wide-value"),
        (&["--org", "default"], "value-of-the-org"),
        (&["--project", "web"], "value-of-the-project"),
        (&["--runner", "u1"], "value-of-the-runner"),
    ];
    for (n, (flags, value)) in scopes.iter().enumerate() {
        set(&house, "TOKEN", flags, &format!("{value}\n"));
        let (given, said) = handed(n);
        assert_eq!(given, *value);
        assert!(said.contains(&format!("[{}] ****", "*".repeat(value.len()))) && !said.contains("dm"), "{said}");
    }
    let listed = house.shunt(&["secret", "list", "--runner", "u1", "--json"]);
    listed.expect(0, &[]);
    assert!(listed.text().contains(r#""created_by": "admin""#) && !listed.text().contains("value-of"), "{listed:#?}");
    house.shunt(&["secret", "delete", "TOKEN", "--runner", "u1"]).expect(0, &["TOKEN of runner u1 is deleted"]);
    assert_eq!(handed(4).0, "value-of-the-project");
    let nobody = house.begin_with_input(&["secret", "set", "TOKEN", "--runner", "nobody"], b"value");
    nobody.end().expect(1, &["there is no runner `nobody`"]);
}

#[test]
fn a_secret_that_is_gone_when_a_job_starts_keeps_it_from_starting_and_says_so() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    set(&house, "TOKEN", &["--org", "default"], "a-value-of-the-org");
    let first = house.submit(&[], "until [ -e ~/go ]; do sleep 0.05; done");
    house.await_state(&first, &["running"]);
    let second = house.post_job(&json!({"script": "echo ran >~/ran", "secrets": ["TOKEN"], "project": "web"}));
    house.shunt(&["secret", "delete", "TOKEN", "--org", "default"]).expect(0, &[]);
    host.run_inside("touch /home/deploy/go");
    let ended = house.await_end(&second);
    assert_eq!(
        (ended["state"].as_str(), ended["not_run_reason"].as_str()),
        (Some("failed"), Some("placements_exhausted"))
    );
    let said = house.shunt(&["explain", &second]).text();
    let told = house.api(&format!("jobs/{second}/events")).to_string();
    assert!(told.contains("there is no secret TOKEN for this job: runner u1, project web"), "{told}\n{said}");
    assert!(!host.run_inside("ls /home/deploy").contains("ran"));
}

#[test]
fn a_masked_log_is_the_same_when_the_dispatcher_is_killed_in_the_middle_of_a_secret_that_is_changed_then() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let secret = "correct horse battery staple 0123456789";
    set(&house, "TOKEN", &["--org", "default"], secret);
    let script = "echo start $TOKEN; printf '%s' 'and correct horse bat'; until [ -e ~/go ]; do sleep 0.05; done; \
                  echo 'tery staple 0123456789'; echo \"token=$TOKEN\" >>$SHUNT_OUTPUT; printf '%s' \"end $TOKEN\"";
    let id = house.post_job(&json!({"script": script, "secrets": ["TOKEN"]}));
    let hidden = "*".repeat(secret.len());
    let log = |house: &House| house.shunt(&["logs", &id]).text();
    await_that("what is no beginning is shown", || log(&house).contains("and "), || log(&house));
    assert_eq!(log(&house), format!("start {hidden}\nand "));
    house.kill();
    house.start_again();
    set(&house, "TOKEN", &["--org", "default"], "another-value");
    house.await_contact(&host, "connected");
    host.run_inside("touch /home/deploy/go");
    let ended = house.await_end(&id);
    assert_eq!((ended["state"].as_str(), ended["truncated"].as_bool()), (Some("succeeded"), Some(false)), "{ended}");
    assert_eq!(log(&house), format!("start {hidden}\nand {hidden}\nend {hidden}"));
    assert_eq!(ended["outputs"]["token"], hidden.as_str());
    assert!(!house.log().contains(secret));
}
