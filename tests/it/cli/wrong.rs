//! What the commands about jobs say when they are used wrongly.

use super::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

const UNKNOWN: &str = "01890000-0000-7000-8000-000000000001";

/// Every way to ask for one job.
const OF_ONE_JOB: [&[&str]; 8] = [
    &["logs"],
    &["logs", "--json"],
    &["logs", "-f"],
    &["logs", "-f", "--json"],
    &["explain"],
    &["explain", "--json"],
    &["cancel"],
    &["cancel", "--json"],
];

#[test]
fn an_unknown_id_a_bad_id_and_no_server_are_sentences_that_name_the_next_step() {
    let mut house = House::start();
    for words in OF_ONE_JOB {
        let unknown = house.shunt(&[words, &[UNKNOWN]].concat());
        unknown.expect(1, &["error: ", &format!("no job {UNKNOWN}"), "`shunt jobs --all`"]);
        for bad in ["7", "$(id)", "latest"] {
            let ran = house.shunt(&[words, &[bad]].concat());
            ran.expect(2, &[&format!("`{bad}` is not a job id"), "`shunt jobs`"]);
        }
        house.shunt(&[words, &["beef"]].concat()).expect(2, &["no job has an id", "`beef`", "`shunt jobs`"]);
        house.shunt(words).expect(2, &["<ID>", "--help"]);
    }
    house.kill();
    for words in OF_ONE_JOB {
        let ran = house.shunt(&[words, &[UNKNOWN]].concat());
        ran.expect(1, &["cannot reach http://127.0.0.1:", "connection refused", "`shuntd serve`", "--server"]);
    }
}

#[test]
fn jobs_names_what_is_wrong_with_its_flags_and_what_is_allowed() {
    let mut house = House::start();
    for json in [&[][..], &["--json"]] {
        let jobs = |words: &[&str]| house.shunt(&[&["jobs"], words, json].concat());
        jobs(&["--state", "asleep"]).expect(2, &["asleep", "queued", "timed_out"]);
        jobs(&["--limit", "0"]).expect(2, &["0", "1.."]);
        jobs(&["--limit", "10001"]).expect(2, &["10001", "1..=10000"]);
        jobs(&["--runner", "$(id)"]).expect(2, &["host name `$(id)` is not allowed"]);
        jobs(&["--runner", "u9"]).expect(1, &["there is no runner `u9`"]);
    }
    house.kill();
    house.shunt(&["jobs", "--json"]).expect(1, &["cannot reach", "`shuntd serve`"]);
}

#[test]
fn run_refuses_what_it_cannot_mean_and_submits_nothing() {
    let house = House::start();
    for (words, said) in [
        (&["run"][..], &["--phase", "--script"][..]),
        (&["run", "--phase", "unti"], &["unti", "unit"]),
        (&["run", "--phase", "unit", "--", "true"], &["cannot be used with"]),
        (&["run", "--timeout", "soon", "--", "true"], &["`soon` is not a duration", "90s"]),
        (&["run", "--filter", "hostname=$(id)", "--", "true"], &["host name `$(id)` is not allowed"]),
        (&["run", "--env", "A-B=1", "--", "true"], &["`A-B=1` is not KEY=VALUE"]),
        (&["run", "--script", "-"], &["the script is empty"]),
    ] {
        house.shunt(words).expect(2, said);
    }
    house.shunt(&["run", "--title", "two\nlines", "--", "true"]).expect(1, &["control character, at title"]);
    house.shunt(&["run", "--script", "/no/such/script"]).expect(1, &["/no/such/script"]);
    assert_eq!(house.api("jobs?state=all"), serde_json::json!([]));
}

#[test]
fn json_of_each_command_holds_what_its_text_says() {
    let host = host("u1", UBUNTU_2204);
    let house = House::with(&[(&host, 1)]);
    let json = |words: &[&str]| -> serde_json::Value {
        let ran = house.shunt(words);
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.stderr);
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {}", ran.text()))
    };
    let ran = house.shunt(&["run", "--json", "--", "sh", "-c", "echo its output; exit 3"]);
    let job: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("one job");
    assert_eq!((ran.code, &job["state"], &job["exit_code"]), (3, &"failed".into(), &3.into()));
    assert!(ran.stderr.contains("its output"), "{}", ran.stderr);
    let id = house.submit(&[], "printf 'a\\377b'");
    house.await_end(&id);
    assert_eq!(json(&["logs", "--json", &id]), serde_json::json!({"offset": 0, "base64": "Yf9i"}));
    assert_eq!(json(&["logs", "-f", "--json", &id]), serde_json::json!({"offset": 0, "base64": "Yf9i"}));

    let waiting = house.submit(&["--filter", "platform=plan9,ubuntu", "--filter", "labels=gpu"], "true");
    let why = json(&["explain", "--json", &waiting]);
    assert_eq!((&why["verdict"], &why["clauses"][0]["matching"]), (&"never".into(), &1.into()), "{why}");
    assert_eq!(why["clauses"][1]["excluded_runners"], serde_json::json!(["u1"]), "{why}");
    let cancelled = json(&["cancel", "--json", &waiting]);
    assert_eq!((&cancelled[0]["id"], &cancelled[0]["state"]), (&waiting.clone().into(), &"cancelled".into()));
    let all = json(&["jobs", "--all", "--json"]);
    assert_eq!(all[0]["id"], waiting);
    house.shunt(&["explain", "--json", &id]).expect(1, &["does not wait: it is succeeded"]);
}
