//! A change as Chef's clients read it.

mod pipeline_world;

use pipeline_world::World;
use serde_json::json;
use shuntyard_domain::stage::allowed;
use shuntyard_domain::wire::change::ChangeBody;

#[test]
fn a_change_has_chefs_keys_rows_and_links() {
    let config = json!({
        "job_dispatch": { "version": "v2", "filters": { "unit": [{ "os": ["linux"] }, { "platform": ["centos"], "os": ["linux"] }] } },
        "phases": { "unit": { "run": "make" } }
    });
    let mut world = World::new(&config.to_string());
    world.settle();
    world.event("run unit 0").unwrap();
    let body = |world: &World| {
        let runs: Vec<_> = world.runs.iter().map(|run| world.run_view(run)).collect();
        let body = ChangeBody::of(&world.change, &runs, &allowed(&world.view()));
        let json = serde_json::to_value(&body).unwrap();
        assert_eq!(serde_json::from_value::<ChangeBody>(json.clone()).unwrap(), body);
        json
    };
    let json = body(&world);
    let base = "/api/v0/e/default/orgs/acme/projects/hello";
    let change = "00000000-0000-0000-0000-000000000001";
    assert_eq!(
        json["_links"]["cancel"],
        json!({ "method": "POST", "href": format!("{base}/changes/{change}/cancel") })
    );
    assert_eq!(json["_links"]["close"], json!({ "method": "DELETE", "href": format!("{base}/changes/{change}") }));
    assert_eq!(
        (&json["state"], &json["submit_by"], &json["approved_by"]),
        (&json!("open"), &json!("ada"), &json!(null))
    );
    assert_eq!(json["submit_at"], "1970-01-01 00:00:00");
    assert_eq!(json["stages"][0]["stage"], "verify");
    assert_eq!(json["stages"][0]["status"], "running");
    let unit = &json["stages"][0]["phases"][0];
    assert_eq!((&unit["name"], &unit["status"]), (&json!("unit"), &json!("running")));
    let row = &unit["run_details"][1];
    let job = row["job"].as_str().unwrap();
    assert_eq!(row["status"], "idle");
    assert_eq!(row["description"], r#"hello - {"os":["linux"],"platform":["centos"]}"#);
    assert_eq!(row["search_description"], r#"{"os":["linux"],"platform":["centos"]}"#);
    assert_eq!(row["search_query"], json!(null));
    assert_eq!(row["href"], format!("{base}/pipelines/master/phase_runs/{job}"));
    assert_eq!(row["job_href"], format!("/api/v0/e/default/jobs/{job}"));
    let lint = &json["stages"][0]["phases"][1]["run_details"][0];
    assert_eq!(
        (&lint["status"], &lint["skip"], &lint["href"]),
        (&json!("skipped"), &json!("nothing_to_run"), &json!(null))
    );

    world.event("fail unit 0 1").unwrap();
    world.settle();
    let links = body(&world)["_links"].clone();
    let names: Vec<&str> = links.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["close", "rerun_failed", "trigger"]);
    assert_eq!(links["rerun_failed"]["href"], format!("{base}/changes/{change}/trigger/verify?failed_only=true"));
}
