//! Shared environments: one change of a pipeline at a time, and the projects that depend on another in its union.

use serde_json::json;

use super::yard::{Yard, of_rows, rows, stage};
use crate::cli::house::{await_truth, truth};

#[test]
fn two_changes_of_a_pipeline_are_in_acceptance_one_after_the_other() {
    let yard = Yard::open();
    let script = "echo in $(cat text) >>~/acceptance; until test -e ~/go-$(cat text); do sleep 0.05; done; \
                  echo out $(cat text) >>~/acceptance";
    let config = json!({
        "job_dispatch": {"version": "v2", "filters": {"default": {"platform": ["centos"]}}},
        "phases": {"deploy": {"run": script}},
    });
    let [first, second, third] = ["1", "2", "3"].map(|text| yard.submit("shared", &config, &[("text", text)]));
    let elsewhere = yard.submit("other", &config, &[("text", "x")]);
    yard.act(&third, "approve");
    await_truth(&yard.c1, "acceptance", "in 3\n");
    // By approval, not by submission.
    yard.act(&second, "approve");
    yard.await_stage(&second, "build", 1, "skipped");
    yard.act(&first, "approve");
    yard.await_stage(&first, "build", 1, "skipped");
    // Another project has environments of its own.
    yard.act(&elsewhere, "approve");
    await_truth(&yard.c1, "acceptance", "in x\n");
    for waiting in [&first, &second] {
        assert!(stage(&yard.change(waiting), "acceptance").is_null(), "it waits at the door");
    }
    yard.c1.run_inside("cd /home/deploy && touch go-x go-3");
    await_truth(&yard.c1, "acceptance", "in 2\n");
    assert!(!truth(&yard.c1, "acceptance").contains("in 1\n"));
    yard.c1.run_inside("cd /home/deploy && touch go-1 go-2");
    for id in [&first, &second, &third, &elsewhere] {
        yard.await_stage(id, "acceptance", 1, "passed");
    }
    let order: Vec<String> =
        truth(&yard.c1, "acceptance").lines().filter(|line| !line.ends_with('x')).map(Into::into).collect();
    assert_eq!(order, ["in 3", "out 3", "in 2", "out 2", "in 1", "out 1"]);
}

#[test]
fn a_consumers_latest_delivered_change_runs_in_union_and_its_failure_blocks() {
    let yard = Yard::open();
    let told = "echo $SHUNT_STAGE $SHUNT_PROJECT $(cat text) >>~/deployed";
    let centos = json!({"version": "v2", "filters": {"default": {"platform": ["centos"]}}});
    let base = json!({"job_dispatch": centos, "phases": {"deploy": {"run": told}}});
    let mut shop = base.clone();
    shop["dependencies"] = json!(["base"]);
    shop["phases"]["smoke"] = json!({"run": "test ! -e ~/broken"});
    // Of the consumer one change is delivered, and a newer one only proposed.
    let delivered = yard.submit("shop", &shop, &[("text", "delivered")]);
    yard.deliver(&delivered);
    let mut newer = shop.clone();
    newer["phases"]["smoke"]["run"] = json!("touch ~/never");
    let proposed = yard.submit("shop", &newer, &[("text", "proposed")]);
    yard.await_stage(&proposed, "verify", 1, "skipped");
    // Another organisation's consumer, which names where the project is, and its pipeline.
    let mut far = base.clone();
    far["dependencies"] = json!(["default/base:master"]);
    let far = far.to_string();
    let digest = yard.upload(&[("config.json", &far), ("text", "far")]);
    let body = json!({"title": "far", "source": {"workspace": {"digest": digest}}}).to_string();
    let answer = yard.send("POST", "orgs/globex/projects/far/pipelines/release/changes", Some(body.as_bytes()));
    assert_eq!(answer.status, 201, "{answer:?}");
    yard.deliver(answer.json()["id"].as_str().expect("an id"));

    yard.c1.run_inside("touch /home/deploy/broken; rm /home/deploy/deployed");
    let id = yard.submit("base", &base, &[("text", "new")]);
    yard.act(&id, "approve");
    yard.act(&id, "deliver");
    let blocked = yard.await_stage(&id, "union", 1, "failed");
    assert!(stage(&blocked, "rehearsal").is_null(), "a failed consumer blocks: {blocked:#}");
    assert_eq!(of_rows(rows(&blocked, "union", "deploy"), "project"), ["base", "far", "shop"]);
    let smoke = rows(&blocked, "union", "smoke");
    assert_eq!(of_rows(smoke, "status"), ["skipped", "skipped", "failed"], "{smoke:#?}");
    assert_eq!(of_rows(smoke, "description")[2], r#"shop - {"platform":["centos"]}"#);
    let mut lines: Vec<String> = truth(&yard.c1, "deployed").lines().map(Into::into).collect();
    lines.sort();
    assert_eq!(lines, ["acceptance base new", "union base new", "union far far", "union shop delivered"]);

    yard.c1.run_inside("rm /home/deploy/broken");
    yard.act(&id, "rerun_failed");
    yard.await_stage(&id, "union", 2, "passed");
    let change = yard.await_stage(&id, "delivered", 1, "passed");
    assert_eq!(of_rows(rows(&change, "rehearsal", "deploy"), "project"), ["base"], "consumers are in union alone");
    assert!(!yard.c1.path("home/deploy/never").exists(), "the change that was only proposed took no part");
}
