//! A dispatcher that is killed in the middle of a stage: the stage goes on, and every row runs exactly once.

use std::collections::BTreeMap;

use serde_json::json;

use super::yard::{Yard, rows};
use crate::cli::house::{await_that, truth};

/// How often each row of each stage's phase was begun, on both hosts.
fn starts(yard: &Yard) -> BTreeMap<String, usize> {
    let mut starts = BTreeMap::new();
    for line in
        [&yard.u1, &yard.c1].iter().flat_map(|host| truth(host, "starts").lines().map(String::from).collect::<Vec<_>>())
    {
        *starts.entry(line).or_default() += 1;
    }
    starts
}

fn await_starts(yard: &Yard, holds: &str, at_least: usize) {
    let begun = || starts(yard).keys().filter(|line| line.starts_with(holds)).count() >= at_least;
    await_that(&format!("{at_least} rows of {holds} have begun"), begun, || format!("{:?}", starts(yard)));
}

fn kill_and_start(yard: &mut Yard) {
    yard.house.kill();
    yard.house.start_again();
}

#[test]
fn a_stage_goes_on_after_the_dispatcher_was_killed_and_every_row_runs_once() {
    let mut yard = Yard::open();
    let begin = "echo $SHUNT_STAGE $SHUNT_PHASE $SHUNT_MATRIX_ROW >>~/starts";
    let held = format!("{begin}; until test -e ~/go-$SHUNT_STAGE; do sleep 0.05; done");
    let matrix: Vec<_> =
        (0..6).map(|row| json!({"platform": [if row % 2 == 0 { "ubuntu" } else { "centos" }]})).collect();
    let config = json!({
        "job_dispatch": {"version": "v2", "filters": {"unit": matrix, "deploy": matrix, "default": {"platform": ["ubuntu"]}}},
        "phases": {
            "unit": {"run": held, "max_parallel": 4},
            "quality": {"run": begin},
            "publish": {"run": begin},
            "deploy": {"run": held, "max_parallel": 3},
            "smoke": {"run": begin},
        }
    });
    let id = yard.submit("crash", &config, &[]);
    // Four rows run, two were not queued yet.
    await_starts(&yard, "verify unit", 4);
    kill_and_start(&mut yard);
    yard.u1.run_inside("touch /home/deploy/go-verify");
    yard.c1.run_inside("touch /home/deploy/go-verify");
    let change = yard.await_stage(&id, "verify", 1, "passed");
    assert_eq!(rows(&change, "verify", "unit").len(), 6);

    // Killed at once behind the answer: the approval is stored, and what follows from it is done later.
    for host in [&yard.u1, &yard.c1] {
        host.run_inside("touch /home/deploy/go-build");
    }
    yard.act(&id, "approve");
    kill_and_start(&mut yard);
    await_starts(&yard, "acceptance deploy", 3);
    // Killed again and again while rows end, phases follow each other and a stage ends.
    yard.house.kill();
    for host in [&yard.u1, &yard.c1] {
        host.run_inside("touch /home/deploy/go-acceptance");
    }
    for _ in 0..3 {
        yard.house.start_again();
        yard.house.kill();
    }
    yard.house.start_again();
    yard.await_stage(&id, "acceptance", 1, "passed");

    let mut expected = BTreeMap::new();
    for place in ["verify unit", "build unit", "acceptance deploy"] {
        expected.extend((0..6).map(|row| (format!("{place} {row}"), 1)));
    }
    for place in ["build quality 0", "build publish 0", "acceptance smoke 0"] {
        expected.insert(place.to_owned(), 1);
    }
    assert_eq!(starts(&yard), expected, "each row exactly once");
    let jobs = yard.get("jobs?state=succeeded&limit=500");
    assert_eq!(jobs.as_array().map(Vec::len), Some(expected.len()));
}
