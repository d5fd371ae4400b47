//! Inventory files: faults under fixtures/inventories, plans, and the way there and back.

use serde::Deserialize;
use serde_json::{Value, json};
use shuntyard_domain::inventory_file::{Action, Plan, parse, plan, write};
use shuntyard_domain::wire::api::RunnerBody;

/// What a fault must say; keys that are not given may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    path: String,
    message: String,
    found: Option<String>,
    nearest: Option<String>,
    /// A part of what is allowed.
    allowed: Option<String>,
}

#[test]
fn every_fault_of_a_file_is_told_with_its_place_and_what_is_allowed() {
    let faults = parse(include_str!("../../../fixtures/inventories/bad.toml")).unwrap_err();
    let expected: Vec<Expected> =
        serde_json::from_str(include_str!("../../../fixtures/inventories/bad.faults.json")).unwrap();
    assert_eq!(
        faults.iter().map(|fault| &fault.path).collect::<Vec<_>>(),
        expected.iter().map(|fault| &fault.path).collect::<Vec<_>>()
    );
    for (fault, expected) in faults.iter().zip(&expected) {
        let good = fault.message.starts_with(&expected.message)
            && expected.found.as_ref().is_none_or(|found| *found == fault.found)
            && (expected.nearest.is_none() || expected.nearest == fault.nearest)
            && expected.allowed.as_ref().is_none_or(|part| fault.allowed.join(", ").contains(part));
        assert!(good, "expected {expected:?}\nfound {fault:?}");
    }
}

#[test]
fn text_that_is_no_toml_is_a_fault_with_its_line() {
    let faults = parse("[runners.h1]\nslots = \n").unwrap_err();
    assert_eq!((faults[0].line, faults[0].allowed.as_slice()), (2, &["TOML".to_owned()][..]), "{faults:?}");
}

fn runner(hostname: &str, changes: &Value) -> RunnerBody {
    let mut body = json!({
        "id": "01890000-0000-7000-8000-000000000001", "hostname": hostname, "job": {}, "openssh_public_key": "",
        "health": {}, "os": "linux", "platform": "debian", "platform_family": "debian", "platform_version": "12",
        "address": "192.0.2.7", "port": 2222, "user": "deploy", "facts": {
            "os": "linux", "platform": "debian", "platform_family": "debian", "platform_version": "12",
            "arch": "x86_64", "cpus": 2, "memory_bytes": 1
        },
        "labels": ["gpu"], "capabilities": [], "scope": "enterprise", "slots": 1, "slots_free": 1, "state": "enrolled",
        "contact": {"status": "connected", "since": ""}, "host_keys": [], "running_jobs": [], "wrapper_version": "1",
        "base_dir": "/b", "system_mode": false, "last_seen_at": null, "created_at": "",
    });
    for (key, value) in changes.as_object().unwrap() {
        body[key] = value.clone();
    }
    serde_json::from_value(body).unwrap()
}

/// `ACTION NAME`, and `KEY: BEFORE > AFTER` for each key.
fn told(plan: &Plan) -> Vec<String> {
    let step = |step: &shuntyard_domain::inventory_file::PlanStep| {
        let key = |change: &shuntyard_domain::inventory_file::KeyChange| {
            format!("{}: {} > {}", change.key, change.before.as_deref().unwrap_or("new"), change.after)
        };
        std::iter::once(format!("{:?} {}", step.action, step.hostname))
            .chain(step.changes.iter().map(key))
            .collect::<Vec<_>>()
    };
    plan.steps.iter().flat_map(step).collect()
}

#[test]
fn a_plan_names_every_key_that_changes_and_leaves_alone_what_the_file_does_not_say() {
    let inventory = [
        runner("h1", &json!({})),
        runner("h2", &json!({"labels": ["a", "b"], "scope": {"org": "acme"}})),
        runner("h3", &json!({})),
        runner("h4", &json!({})),
    ];
    let file = parse(
        "[runners.h1]\nlabels = [\"region=eu\", \"gpu\"]\nslots = 2\nstate = \"draining\"\nreason = \"old\"\n\
         [runners.h2]\nlabels = [\"b\", \"a\"]\nscope = \"org:acme\"\n\
         [runners.h3]\naddress = \"192.0.2.8\"\n\
         [runners.h5]\nuser = \"deploy\"\nscope = \"enterprise\"\n",
    )
    .unwrap();
    let kept = plan(&file, &inventory, false);
    assert_eq!(
        told(&kept),
        [
            "Change h1",
            "labels: [\"gpu\"] > [\"gpu\", \"region=eu\"]",
            "slots: 1 > 2",
            "state: \"enrolled\" > \"draining\"",
            "reason: none > \"old\"",
            "None h2",
            "Move h3",
            "address: \"192.0.2.7\" > \"192.0.2.8\"",
            "Create h5",
            "user: new > \"deploy\"",
            "scope: new > \"enterprise\"",
        ]
    );
    assert!(!kept.is_done());
    let pruned = plan(&file, &inventory, true);
    assert_eq!(told(&pruned).last().unwrap(), "Delete h4");
    assert_eq!((pruned.count(Action::Delete), kept.count(Action::Delete)), (1, 0));
}

#[test]
fn an_exported_inventory_has_nothing_to_be_done_about() {
    let inventory = [
        runner("build-1.example.com", &json!({"labels": ["region=eu", "gpu"], "scope": {"org": "acme"}})),
        runner("h2", &json!({"system_mode": true, "port": 22, "address": "h2", "capabilities": ["docker"]})),
        runner(
            "h3",
            &json!({
                "state": "draining", "state_note": {"since": "", "by": "admin", "reason": "a \"new\" disk"}
            }),
        ),
        runner("h4", &json!({"state": "quarantined"})),
    ];
    let text = write(&inventory);
    let file = parse(&text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    let plan = plan(&file, &inventory, true);
    assert!(plan.is_done(), "{:?}\n{text}", told(&plan));
    assert_eq!(plan.steps.len(), 4);
    for said in ["[runners.\"build-1.example.com\"]", "scope = \"org:acme\"", "# state = \"quarantined\""] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}
