//! `/events` and the streams of snapshots: places rise, a reader who was cut goes on where it was, or is told that it cannot.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::http::request;
use crate::cli::house::House;

/// One event of a stream.
#[derive(Debug)]
struct Told {
    name: String,
    id: Option<String>,
    data: Value,
}

/// An open stream, as a client sees it that can do no more than HTTP/1.0.
struct Stream {
    lines: BufReader<TcpStream>,
    last: Option<String>,
}

impl Stream {
    fn open(house: &House, path: &str, last: Option<&str>) -> Self {
        let mut socket = TcpStream::connect(house.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let last_id = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
        let head = format!(
            "GET /api/v0/e/default/{path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {}\r\n{last_id}\r\n",
            house.token()
        );
        socket.write_all(head.as_bytes()).unwrap();
        let mut stream = Self { lines: BufReader::new(socket), last: last.map(Into::into) };
        let status = stream.line();
        assert!(status.contains(" 200 "), "{status}");
        while !stream.line().is_empty() {}
        stream
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line in time");
        assert!(!line.is_empty(), "the stream ended");
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// The next event; its place lies behind the last one.
    fn next(&mut self) -> Told {
        let (mut name, mut id, mut data) = (String::new(), None, String::new());
        loop {
            let line = self.line();
            match line.split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("id", value)) => id = Some(value.to_owned()),
                Some(("data", value)) => data = value.to_owned(),
                _ if line.is_empty() && !name.is_empty() => break,
                _ => (),
            }
        }
        if let Some(id) = &id {
            if let Some(last) = &self.last {
                assert!(
                    number(id) > number(last) || epoch(id) != epoch(last) || name == "snapshot",
                    "{last}, then {id}"
                );
            }
            self.last = Some(id.clone());
        }
        Told { name, id, data: serde_json::from_str(&data).expect("JSON in one line") }
    }

    fn until(&mut self, mut is_it: impl FnMut(&Told) -> bool) -> Told {
        loop {
            let told = self.next();
            if is_it(&told) {
                return told;
            }
        }
    }
}

fn epoch(id: &str) -> &str {
    id.split_once('-').expect("EPOCH-SEQ").0
}

fn number(id: &str) -> u64 {
    id.split_once('-').expect("EPOCH-SEQ").1.parse().expect("a number")
}

fn is_job(told: &Told, id: &str, state: &str) -> bool {
    told.name == "job" && told.data["job"]["id"] == id && told.data["job"]["state"] == state
}

fn cancel(house: &House, id: &str) {
    let path = format!("/api/v0/e/default/jobs/{id}");
    assert_eq!(request(house.address(), "DELETE", &path, Some(&house.token()), None).status, 204);
}

/// What a reader knows of jobs: their states by id.
fn learn(known: &mut BTreeMap<String, String>, told: &Told) {
    let mut job = |job: &Value| {
        let word = |key: &str| job[key].as_str().unwrap().to_owned();
        known.insert(word("id"), word("state"));
    };
    match told.name.as_str() {
        "snapshot" => told.data["jobs"].as_array().into_iter().flatten().for_each(job),
        "job" => job(&told.data["job"]),
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
    let told = stream.until(|told| is_job(told, &second, "queued"));
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
    let finished = known.values().filter(|state| *state == "finished").count();
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
