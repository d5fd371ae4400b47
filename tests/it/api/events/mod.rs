//! `/events` and the streams of snapshots: places rise, a reader who was cut goes on where it was, or is told that it cannot.

mod resumed;
mod stream;
mod world;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::http::{Answer, request, send};
use super::users::{ask, make_user, token_of};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::UBUNTU_2204;
use stream::{Stream, Told, epoch, number};

fn is_job(told: &Told, id: &str, status: &str) -> bool {
    told.name == "job" && told.data["id"] == id && told.data["status"] == status
}

fn cancel(house: &House, id: &str) {
    let path = format!("/api/v0/e/default/jobs/{id}");
    assert_eq!(request(house.address(), "DELETE", &path, Some(&house.token()), None).status, 204);
}

/// What a reader knows of jobs: their states by id.
fn learn(known: &mut BTreeMap<String, String>, told: &Told) {
    let mut job = |job: &Value| {
        let word = |key: &str| job[key].as_str().unwrap().to_owned();
        known.insert(word("id"), word("status"));
    };
    match told.name.as_str() {
        "snapshot" => told.data["jobs"].as_array().into_iter().flatten().for_each(job),
        "job" => job(&told.data),
        _ => (),
    }
}

#[test]
fn a_reader_who_was_cut_goes_on_where_it_was_and_one_from_before_a_restart_begins_again() {
    let mut house = House::start();
    let first = house.post_job(&json!({"script": "true"}));
    let mut stream = Stream::open(&house, "events?topics=jobs", None);
    let mut known = BTreeMap::new();
    let end = stream.until(|told| {
        learn(&mut known, told);
        told.data["more"] == false
    });
    assert_eq!(known.keys().collect::<Vec<_>>(), [&first]);
    let before = end.id.expect("the last page has a place");

    let second = house.post_job(&json!({"script": "true"}));
    let told = stream.until(|told| is_job(told, &second, "pending"));
    let between = told.id.unwrap();
    drop(stream);
    cancel(&house, &first);
    cancel(&house, &second);

    // From wherever it goes on, it ends at the same.
    for last in [&before, &between] {
        let mut stream = Stream::open(&house, "events?topics=jobs", Some(last));
        let told =
            stream.until(|told| is_job(told, &second, "finished") || told.name == "snapshot" || told.name == "reset");
        assert_eq!(told.name, "job", "neither a snapshot nor a reset: {told:?}");
        assert!(number(&told.id.unwrap()) > number(last));
    }
    // A page that shows what there was says so in its address; a browser that comes again knows better.
    let since = format!("events?topics=jobs&since={before}");
    let mut stream = Stream::open(&house, &since, None);
    assert_eq!(stream.next().name, "job");
    let mut stream = Stream::open(&house, &since, Some(&between));
    let told = stream.until(|told| told.name != "job" || told.data["id"] == *second);
    assert!(told.name == "job" && number(&told.id.unwrap()) > number(&between));
    // A place that has not been yet cannot be one of this run.
    let mut stream = Stream::open(&house, "events?topics=jobs", Some(&format!("{}-99999999", epoch(&before))));
    assert_eq!(stream.next().data["reason"], "slow");
    stream.until(|told| told.name == "snapshot" && told.data["more"] == false);

    house.terminate();
    house.start_again();
    let mut stream = Stream::open(&house, "events?topics=jobs", Some(&between));
    let told = stream.next();
    assert_eq!((told.name.as_str(), &told.data["reason"]), ("reset", &json!("restarted")));
    let end = stream.until(|told| told.data["more"] == false);
    assert_ne!(epoch(&end.id.unwrap()), epoch(&between));
}

#[test]
fn a_slow_reader_costs_nothing_and_ends_with_what_is_stored() {
    let house = House::start();
    let mut stream = Stream::open(&house, "events?topics=jobs", None);
    stream.until(|told| told.data["more"] == false);
    let memory = house.memory_kib("VmRSS");
    let script = format!("true # {}", "x".repeat(100));
    let ids: Vec<String> = (0..150).map(|_| house.post_job(&json!({"script": script}))).collect();
    ids.iter().skip(1).for_each(|id| cancel(&house, id));
    assert!(house.memory_kib("VmRSS") < memory + 64 * 1024);
    let mut known = BTreeMap::new();
    // The last change comes last; each job is told of as it is by then.
    stream.until(|told| {
        learn(&mut known, told);
        is_job(told, ids.last().unwrap(), "finished")
    });
    let finished = known.values().filter(|status| *status == "finished").count();
    assert_eq!((known.len(), finished), (150, 149));
}

#[test]
fn who_has_a_snapshot_already_gets_the_next_one_only_when_something_changes() {
    let house = House::start();
    let id = house.post_job(&json!({"script": "true"}));
    let mut stream = Stream::open(&house, "jobs/streaming", None);
    let first = stream.next();
    assert_eq!((first.name.as_str(), first.data[0]["id"].as_str()), ("update_job_queue", Some(id.as_str())));
    drop(stream);
    let mut stream = Stream::open(&house, "jobs/streaming", first.id.as_deref());
    cancel(&house, &id);
    // Had the first one been repeated, it would show the job.
    assert_eq!(stream.next().data, json!([]));
}

#[test]
fn a_runner_that_leaves_is_told_to_who_saw_it_and_to_nobody_else() {
    let u1 = host("u1", UBUNTU_2204);
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    house.enrol(&u1, 1);
    let admin = house.token();
    assert_eq!(ask(&house, "POST", "orgs", &admin, Some(&json!({"name": "acme"}))).status, 201);
    make_user(&house, "ann", &json!([{"role": "observer", "org": "acme"}]));
    let patch = |hostname: &str, body: Value| {
        let answer = ask(&house, "PATCH", &format!("runners/{hostname}"), &admin, Some(&body));
        assert_eq!(answer.status, 200, "{}", answer.json());
    };
    let id = house.api("runners/u1")["id"].clone();
    let mut all = Stream::open(&house, "events?topics=runners", None);
    let mut anns = Stream::of(house.address(), &token_of(&house, "ann"), "events", None);
    for stream in [&mut all, &mut anns] {
        let first = stream.next();
        assert_eq!(first.data["runners"].as_array().map(Vec::len), Some(2), "{first:?}");
    }

    patch("u1", json!({"scope": {"org": "default"}}));
    let gone = json!({"kind": "runner", "id": id});
    assert_eq!(anns.until(|told| told.name == "removed").data, gone);
    // Who sees both places is told where it is now.
    assert_eq!(all.until(|told| told.name == "removed").data, gone);
    all.until(|told| told.name == "runner" && told.data["scope"]["org"] == "default");

    let before = anns.last.clone().expect("a place");
    patch("u1", json!({"labels": ["a"]}));
    assert_eq!(ask(&house, "DELETE", "runners/u1?force=true", &admin, None).status, 204);
    patch("local", json!({"labels": ["last"]}));
    assert_eq!(all.until(|told| told.name == "removed").data, gone);
    let is_last = |told: &Told| {
        assert!(told.data["hostname"] == "local" || told.name != "runner" && told.name != "removed", "{told:?}");
        told.data["labels"] == json!(["last"])
    };
    anns.until(is_last);
    // It is the same for who was away.
    drop(anns);
    Stream::of(house.address(), &token_of(&house, "ann"), "events", Some(&before)).until(is_last);
}

#[test]
fn other_roles_are_another_view_also_for_who_was_away_meanwhile() {
    let house = House::start();
    let admin = house.token();
    let id = house.post_job(&json!({"script": "true", "project": "web"}));
    make_user(&house, "ann", &json!([{"role": "observer"}]));
    let token = token_of(&house, "ann");
    let open = |last: Option<&str>| Stream::of(house.address(), &token, "events?topics=jobs", last);
    let (mut here, mut away) = (open(None), open(None));
    assert_eq!(here.next().data["jobs"][0]["id"], *id);
    away.next();
    let place = away.last.clone().expect("a place");
    drop(away);
    let grants = json!({"grants": [{"role": "observer", "org": "default", "project": "shop"}]});
    assert_eq!(ask(&house, "PUT", "users/ann/grants", &admin, Some(&grants)).status, 200);
    for stream in [&mut here, &mut open(Some(&place))] {
        let told = stream.next();
        assert_eq!((told.name.as_str(), &told.data["reason"]), ("reset", &json!("access")));
        assert_eq!(stream.next().data["jobs"], json!([]));
    }
    cancel(&house, &id);
    let seen = house.post_job(&json!({"script": "true", "project": "shop"}));
    assert_eq!(here.until(|told| told.name == "job").data["id"], *seen, "of the other project nothing is told");
    // Without any role it is over, and said so.
    assert_eq!(ask(&house, "PUT", "users/ann/grants", &admin, Some(&json!({"grants": []}))).status, 200);
    here.until(|told| told.name == "denied");
    assert!(here.ends());
}

#[test]
fn a_caller_has_so_many_streams_and_one_that_is_closed_makes_room() {
    let house = House::start_set("", &[("SHUNTD_LIMITS_STREAMS", "2")]);
    make_user(&house, "ann", &json!([{"role": "observer"}]));
    let ann = token_of(&house, "ann");
    let refused = |path: &str| {
        let bearer = format!("Bearer {ann}");
        send(house.address(), "GET", &format!("/api/v0/e/default/{path}"), &[("Authorization", &bearer)], None)
    };
    let open = |path: &str| Stream::of(house.address(), &ann, path, None);
    let (first, _second) = (open("events"), open("jobs/streaming"));
    for path in ["events", "runners/streaming"] {
        let answer: Answer = refused(path);
        let json = answer.json();
        assert_eq!((answer.status, &json["error"]), (429, &json!("too_many_streams")), "{path}");
        let says = json["message"].as_str().unwrap_or_default();
        assert!(says.contains("has 2 event streams open") && says.contains("[limits] streams"), "{says}");
    }
    // Lists are no streams, and others are not concerned.
    assert_eq!(refused("jobs").status, 200);
    Stream::open(&house, "events", None).next();
    drop(first);
    let begun = || {
        let bearer = format!("Bearer {ann}");
        let path = "/api/v0/e/default/events";
        super::http::send_to_event(house.address(), "GET", path, &[("Authorization", &bearer)], None).status == 200
    };
    await_that("there is room again", begun, || house.log());
}

#[test]
fn a_log_goes_on_behind_the_last_byte_that_its_reader_has() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let id = house.post_job(&json!({"script": "echo one; until [ -e go ]; do sleep 0.05; done; echo two"}));
    let path = format!("jobs/{id}/log/streaming");
    let chunk = |stream: &mut Stream| stream.until(|told| told.name == "chunk");
    let mut first = Stream::open(&house, &path, None);
    let one = chunk(&mut first);
    assert_eq!((one.data["base64"].as_str(), one.id.as_deref()), (Some("b25lCg=="), Some("4")));
    drop(first);
    // It is there again with all of it, with a part, and with none.
    for (last, offset) in [("4", 4), ("2", 2), ("0", 0)] {
        let mut again = Stream::open(&house, &path, Some(last));
        if offset < 4 {
            assert_eq!(chunk(&mut again).data["offset"], offset);
        } else {
            assert_eq!(again.next().name, "state", "no byte again");
        }
    }
    cancel(&house, &id);
}
