//! Rows of a phase: on which hosts they run, what one that fails does to the others, and running them again.

use serde_json::{Value, json};

use super::yard::{Yard, allowed, of_rows, rows, stage};
use crate::cli::house::{await_that, truth};

/// The configuration of a project that only has the phase `unit`.
fn unit(rows: &Value, settings: Value) -> Value {
    json!({"job_dispatch": {"version": "v2", "filters": {"unit": rows}}, "phases": {"unit": settings}})
}

fn job_of(yard: &Yard, row: &Value) -> Value {
    yard.house.job(row["job"].as_str().expect("a job"))
}

#[test]
fn rows_run_where_they_belong_and_end_their_phase_as_its_author_said() {
    let yard = Yard::open();
    let (ubuntu, centos) = (json!({"platform": ["ubuntu"]}), json!({"platform": ["centos"]}));
    let rhel = json!({"os": ["linux"], "platform_family": ["rhel"]});

    // All of them go their way side by side.
    let script = "echo $SHUNT_MATRIX_ROW $SHUNT_RUNNER >>~/matrix; test $SHUNT_MATRIX_ROW != 1 || test -e ~/mended";
    let mut config = unit(&json!([ubuntu, centos, rhel]), json!({"run": script}));
    config["skip_phases"] = json!(["lint", "quality"]);
    config["phases"]["lint"] = json!({"run": "touch ~/never"});
    config["phases"]["quality"] = json!({"run": "touch ~/never"});
    let matrix = yard.submit("matrix", &config, &[]);

    let script = "touch ~/fast-$SHUNT_MATRIX_ROW; until test -e ~/fail; do sleep 0.05; done; exit 4";
    let fast = yard.submit("fast", &unit(&json!([ubuntu, centos]), json!({"run": script, "fail_fast": true})), &[]);

    let script = "test $SHUNT_RUNNER = u1";
    let settings = json!({"run": script, "continue_on_error": [centos]});
    let tolerant = yard.submit("tolerant", &unit(&json!([ubuntu, centos]), settings), &[]);

    let script = "mkdir ~/alone || touch ~/overlap; echo $SHUNT_MATRIX_ROW >>~/order; sleep 0.1; rmdir ~/alone";
    let settings = json!({"run": script, "max_parallel": 1});
    let narrow = yard.submit("narrow", &unit(&json!([ubuntu, ubuntu, ubuntu]), settings), &[]);

    let mut config = unit(&ubuntu, json!({"run": "sleep 600"}));
    config["phase_timeouts"] = json!({"default": 600, "unit": 1});
    let slow = yard.submit("slow", &config, &[]);

    let words = "env | sed -n 's/^\\(SHUNT_[A-Z_]*\\)=/\\1 /p' | sort >~/words; env | cut -d = -f 1 | sort >~/names";
    let words = yard.submit("words", &unit(&ubuntu, json!({"run": words, "env": {"MINE": "1"}})), &[]);

    a_failed_row_fails_its_phase_and_alone_runs_again(&yard, &matrix);
    the_first_failed_row_stops_its_siblings(&yard, &fast);
    a_row_that_may_fail_fails_nothing(&yard, &tolerant);

    yard.await_stage(&narrow, "verify", 1, "passed");
    assert_eq!(truth(&yard.u1, "order"), "0\n1\n2\n");
    assert!(!yard.u1.path("home/deploy/overlap").exists(), "two rows ran at a time");

    let change = yard.await_stage(&slow, "verify", 1, "failed");
    let job = job_of(&yard, &rows(&change, "verify", "unit")[0]);
    assert_eq!((&job["state"], &job["stop_reason"]), (&"timed_out".into(), &"run_limit".into()), "{job}");

    yard.await_stage(&words, "verify", 1, "passed");
    let told = truth(&yard.u1, "words");
    for line in [
        &format!("SHUNT_CHANGE_ID {words}"),
        "SHUNT_CHANGE_TITLE A change of words",
        "SHUNT_ORG default",
        "SHUNT_PROJECT words",
        "SHUNT_PIPELINE master",
        "SHUNT_STAGE verify",
        "SHUNT_PHASE unit",
        "SHUNT_MATRIX_ROW 0",
        "SHUNT_MATRIX_FILTER {\"platform\":[\"ubuntu\"]}",
        "SHUNT_RUNNER u1",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} is not in:\n{told}");
    }
    let names = truth(&yard.u1, "names");
    let others: Vec<&str> = names.lines().filter(|name| !name.starts_with("SHUNT_")).collect();
    let known = ["HOME", "LANG", "LOGNAME", "MINE", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL", "TMPDIR", "USER", "_"];
    assert!(others.iter().all(|name| known.contains(name)) && others.contains(&"MINE"), "{others:?}");
}

fn a_failed_row_fails_its_phase_and_alone_runs_again(yard: &Yard, id: &str) {
    let change = yard.await_stage(id, "verify", 1, "failed");
    let unit = rows(&change, "verify", "unit");
    assert_eq!(of_rows(unit, "status"), ["passed", "failed", "passed"], "siblings run on: {unit:#?}");
    let described = [
        r#"matrix - {"platform":["ubuntu"]}"#,
        r#"matrix - {"platform":["centos"]}"#,
        r#"matrix - {"os":["linux"],"platform_family":["rhel"]}"#,
    ];
    assert_eq!(of_rows(unit, "description"), described);
    assert_eq!(of_rows(unit, "search_description")[0], r#"{"platform":["ubuntu"]}"#);
    let ran_on: Vec<Value> = unit.iter().map(|row| job_of(yard, row)["runner"].clone()).collect();
    assert_eq!(ran_on, ["u1", "c1", "c1"]);
    for (phase, why) in [("lint", "configured"), ("syntax", "nothing_to_run")] {
        let rows = rows(&change, "verify", phase);
        assert_eq!((of_rows(rows, "status"), of_rows(rows, "skip")), (vec!["skipped"], vec![why]), "{phase}");
    }
    assert_eq!(allowed(&change), ["close", "rerun_failed", "trigger"]);

    yard.c1.run_inside("touch /home/deploy/mended");
    yard.act(id, "rerun_failed");
    let again = yard.await_stage(id, "verify", 2, "passed");
    let carried: Vec<bool> = rows(&again, "verify", "unit").iter().map(|row| row["carried"] == true).collect();
    assert_eq!(carried, [true, false, true], "{again:#}");
    assert_eq!(of_rows(rows(&again, "verify", "unit"), "job")[0], of_rows(unit, "job")[0], "the job that passed");
    assert_eq!(
        (truth(&yard.u1, "matrix").as_str(), sorted(&truth(&yard.c1, "matrix"))),
        ("0 u1\n", "1 c1|1 c1|2 c1".into())
    );

    // What is skipped is skipped in every stage.
    yard.act(id, "approve");
    let built = yard.await_stage(id, "build", 1, "passed");
    for phase in ["lint", "quality", "publish"] {
        assert_eq!(of_rows(rows(&built, "build", phase), "status"), ["skipped"], "{phase}");
    }
    let skipped = yard.await_stage(id, "acceptance", 1, "skipped");
    assert_eq!(of_rows(rows(&skipped, "acceptance", "deploy"), "skip"), ["nothing_to_run"]);
    assert!([&yard.u1, &yard.c1].iter().all(|host| !host.path("home/deploy/never").exists()));
}

fn the_first_failed_row_stops_its_siblings(yard: &Yard, id: &str) {
    for (host, row) in [(&yard.u1, 0), (&yard.c1, 1)] {
        await_that(
            "both rows have begun",
            || host.path(&format!("home/deploy/fast-{row}")).exists(),
            || yard.change(id).to_string(),
        );
    }
    yard.u1.run_inside("touch /home/deploy/fail");
    let change = yard.await_stage(id, "verify", 1, "failed");
    let unit = rows(&change, "verify", "unit");
    assert_eq!(of_rows(unit, "status"), ["failed", "failed"]);
    let [first, second] = [&unit[0], &unit[1]].map(|row| job_of(yard, row));
    assert_eq!((&first["state"], &first["exit_code"]), (&"failed".into(), &4.into()), "{first}");
    assert_eq!((&second["state"], &second["stop_reason"]), (&"cancelled".into(), &"fail_fast".into()), "{second}");
}

fn a_row_that_may_fail_fails_nothing(yard: &Yard, id: &str) {
    let change = yard.await_stage(id, "verify", 1, "passed");
    let unit = rows(&change, "verify", "unit");
    assert_eq!(job_of(yard, &unit[1])["state"], "failed");
    assert_eq!(unit.iter().map(|row| row["continue_on_error"] == true).collect::<Vec<_>>(), [false, true]);
    assert_eq!(stage(&change, "verify")["phases"][0]["status"], "passed", "{change:#}");
    assert_eq!(allowed(&change), ["approve", "close", "rerun_failed", "trigger"], "what failed may be run again");
}

fn sorted(lines: &str) -> String {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines.join("|")
}
