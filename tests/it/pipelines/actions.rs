//! What people may do about a change and when; everything else is refused with its reason and changes nothing.

use serde_json::{Value, json};

use super::yard::{Yard, allowed, of_rows, rows, stage};
use crate::cli::client::Client;
use crate::cli::house::{await_that, await_truth, truth};

/// Runs its phases at once, but `unit` when `~/go` is there; every phase writes down the text of the change's own file.
fn config() -> Value {
    let told = "echo $SHUNT_STAGE $(cat text) >>~/$SHUNT_PROJECT-$SHUNT_PHASE";
    json!({
        "job_dispatch": {"version": "v2", "filters": {"default": {"platform": ["ubuntu"]}}},
        "phases": {
            "unit": {"run": format!("{told}; until test -e ~/go; do sleep 0.05; done")},
            "deploy": {"run": told},
        }
    })
}

/// Sends each request to the change's path and holds the answer to 412 and its reason.
fn refused(yard: &Yard, id: &str, project: &str, cases: &[(&str, &str, &str)]) {
    let before = yard.change(id);
    for (method, tail, why) in cases {
        let answer = yard.send(method, &format!("orgs/default/projects/{project}/changes/{id}{tail}"), None);
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["error"]),
            (412, &"precondition_failed".into()),
            "{method} {tail}: {answer:?}"
        );
        assert!(body["message"].as_str().unwrap_or_default().contains(why), "{method} {tail}: {body}");
    }
    let after = yard.change(id);
    assert_eq!((allowed(&after), &after["state"]), (allowed(&before), &before["state"]), "nothing was changed");
}

#[test]
fn an_action_at_the_wrong_time_is_refused_with_its_reason() {
    let yard = Yard::open();
    let id = yard.submit("gates", &config(), &[("text", "one")]);
    let refused = |cases: &[(&str, &str, &str)]| refused(&yard, &id, "gates", cases);
    await_truth(&yard.u1, "gates-unit", "verify one");
    let stream = yard.house.begin(&["api", "get", &format!("changes/{id}/streaming")]);
    stream.await_output("event: change\n");

    assert_eq!(allowed(&yard.change(&id)), ["cancel", "close"]);
    refused(&[
        ("POST", "/merge", "stage verify has not ended"),
        ("POST", "/accept", "has not passed stage acceptance"),
        ("POST", "/trigger/verify", "stage verify has not ended"),
        ("POST", "/trigger/build?failed_only=true", "stage verify has not ended"),
    ]);

    yard.act(&id, "cancel");
    let change = yard.await_stage(&id, "verify", 1, "failed");
    assert_eq!(stage(&change, "verify")["cancelled_by"], "admin");
    let job = yard.house.job(rows(&change, "verify", "unit")[0]["job"].as_str().expect("a job"));
    assert_eq!((&job["state"], &job["stop_reason"]), (&"cancelled".into(), &"user".into()), "{job}");
    assert_eq!(job["change"]["id"], id.as_str(), "{job}");
    assert_eq!(allowed(&change), ["close", "rerun_failed", "trigger"]);
    refused(&[
        ("POST", "/merge", "stage verify has failed"),
        ("POST", "/accept", "has not passed stage acceptance"),
        ("POST", "/cancel", "nothing of the change runs"),
        ("POST", "/trigger/build", "only that one can be run again, not build"),
    ]);

    yard.u1.run_inside("touch /home/deploy/go");
    yard.act(&id, "trigger");
    let change = yard.await_stage(&id, "verify", 2, "passed");
    assert_eq!(stage(&change, "verify")["triggered_by"], "admin");
    assert_eq!(allowed(&change), ["approve", "close", "trigger"]);
    refused(&[
        ("POST", "/accept", "has not passed stage acceptance"),
        ("POST", "/trigger/verify?failed_only=true", "no row of the latest run has failed"),
        ("POST", "/cancel", "nothing of the change runs"),
    ]);

    yard.act(&id, "approve");
    let change = yard.await_stage(&id, "acceptance", 1, "passed");
    assert_eq!((allowed(&change), &change["state"]), (vec!["deliver", "trigger"], &"merged".into()));
    assert_eq!(change["approved_by"], "admin");
    refused(&[
        ("POST", "/merge", "already approved"),
        ("DELETE", "", "already approved"),
        ("POST", "/trigger/verify", "only that one can be run again, not verify"),
    ]);

    yard.act(&id, "deliver");
    let change = yard.await_stage(&id, "delivered", 1, "passed");
    assert_eq!((allowed(&change), &change["delivered_by"]), (vec!["trigger"], &"admin".into()));
    refused(&[
        ("POST", "/accept", "already delivered"),
        ("POST", "/cancel", "nothing of the change runs"),
        ("POST", "/trigger/union", "only that one can be run again, not union"),
    ]);
    assert_eq!(
        truth(&yard.u1, "gates-deploy"),
        "acceptance one\nunion one\nrehearsal one\ndelivered one\n",
        "each stage once"
    );
    the_stream_has_told_it_all(&stream, &change);
    drop(stream);
    a_change_that_is_given_up_stays_so(&yard);
    nothing_is_found_where_nothing_is(&yard, &id);
}

/// A snapshot first, and again after every change: the last one is the change as it is.
fn the_stream_has_told_it_all(stream: &Client, change: &Value) {
    let told = || -> Vec<Value> {
        let text = String::from_utf8_lossy(&stream.stdout()).into_owned();
        let snapshots = text.lines().filter_map(|line| line.strip_prefix("data:"));
        // The last line may not be whole.
        snapshots.filter_map(|data| serde_json::from_str(data).ok()).collect()
    };
    let is_last = || told().last() == Some(change);
    await_that("the stream tells the change as it is", is_last, || format!("{:#?}", told().last()));
    assert_eq!(allowed(&told()[0]), ["cancel", "close"], "a snapshot came first");
}

fn a_change_that_is_given_up_stays_so(yard: &Yard) {
    yard.u1.run_inside("rm /home/deploy/go");
    let id = yard.submit("closed", &config(), &[("text", "one")]);
    await_truth(&yard.u1, "closed-unit", "verify one");
    yard.act(&id, "close");
    let change = yard.await_stage(&id, "verify", 1, "failed");
    assert_eq!(
        (&change["state"], of_rows(rows(&change, "verify", "unit"), "status")),
        (&"closed".into(), vec!["failed"])
    );
    assert_eq!(allowed(&change), Vec::<&str>::new());
    refused(
        yard,
        &id,
        "closed",
        &[
            ("POST", "/merge", "closed"),
            ("POST", "/accept", "closed"),
            ("POST", "/cancel", "closed"),
            ("POST", "/trigger/verify", "closed"),
            ("DELETE", "", "closed"),
        ],
    );
    yard.u1.run_inside("touch /home/deploy/go");
}

fn nothing_is_found_where_nothing_is(yard: &Yard, id: &str) {
    let nobody = "0192d3a0-0000-7000-8000-000000000000";
    for path in [
        format!("changes/{nobody}"),
        format!("orgs/default/projects/closed/changes/{id}"),
        format!("orgs/other/projects/gates/changes/{id}"),
    ] {
        assert_eq!(yard.send("GET", &path, None).status, 404, "{path}");
        assert_eq!(yard.send("POST", &format!("{path}/merge"), None).status, 404, "{path}");
    }
    let unknown = yard.send("POST", &format!("changes/{id}/trigger/deliverd"), None);
    assert!((400..=404).contains(&unknown.status), "{unknown:?}");
}

#[test]
fn a_stage_is_planned_from_the_changes_own_files_and_a_faulty_tree_is_no_change() {
    let yard = Yard::open();
    yard.u1.run_inside("touch /home/deploy/go");
    let older = yard.submit("own", &config(), &[("text", "older")]);
    yard.await_stage(&older, "verify", 1, "passed");
    let mut other = config();
    other["phases"]["unit"]["run"] = json!("echo another >>~/own-unit");
    other["phases"]["lint"] = json!({"run": "echo another >>~/own-lint"});
    let newer = yard.submit("own", &other, &[("text", "newer")]);
    yard.await_stage(&newer, "verify", 1, "passed");
    let planned = |id: &str| {
        let plan = yard.get(&format!("changes/{id}/plan?stage=build"));
        let phases = plan["stages"][0]["groups"][0].as_array().expect("phases").clone();
        phases.iter().map(|phase| phase["skip"].as_str().unwrap_or("runs").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(planned(&older), ["runs", "nothing_to_run", "nothing_to_run"]);
    assert_eq!(planned(&newer), ["runs", "runs", "nothing_to_run"]);
    yard.act(&older, "approve");
    yard.await_stage(&older, "build", 1, "passed");
    assert_eq!(truth(&yard.u1, "own-unit"), "verify older\nanother\nbuild older\n");
    assert_eq!(truth(&yard.u1, "own-lint"), "another\n", "in the newer change's verify");

    let faulty =
        json!({"skip_phases": ["unti"], "job_dispatch": {"version": "v2", "filters": {"unit": []}}}).to_string();
    for (listed, error, said) in [
        (
            &[(".delivery/config.json", faulty.as_str())][..],
            "bad_config",
            &["skip_phases[0]", "job_dispatch.filters.unit"][..],
        ),
        (
            &[("config.json", "{}"), (".delivery/project.toml", "[local_phases]\nunti = \"x\"\n")],
            "bad_config",
            &["project.toml", "unti"],
        ),
        (&[("config.json", "{"), (".delivery/project.toml", "unit")], "bad_config", &["$", "project.toml"]),
        (&[("README", "no configuration")], "bad_request", &["config.json"]),
        (
            &[("config.json", r#"{"phases": {"unit": {"run": "x", "env": {"SHUNT_STAGE": "x"}}}}"#)],
            "bad_config",
            &["phases.unit.env.SHUNT_STAGE"],
        ),
    ] {
        let answer = yard.propose("faulty", &yard.upload(listed));
        let body = answer.json();
        assert_eq!((answer.status, &body["error"]), (400, &error.into()), "{body}");
        assert!(said.iter().all(|said| body.to_string().contains(said)), "{said:?}: {body}");
    }
    let unknown = yard.propose("faulty", &"0a".repeat(32));
    assert_eq!((unknown.status, &unknown.json()["error"]), (400, &"bad_request".into()), "{unknown:?}");
    assert_eq!(yard.get("changes?project=faulty"), json!([]), "nothing was stored");
}
