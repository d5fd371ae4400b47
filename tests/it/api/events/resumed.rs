//! Whatever happens, and wherever its stream is cut, a reader ends with what a fresh snapshot shows.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Value, json};
use shuntyard::config::{Config, ConfigSources, FlagOverrides};
use shuntyard::daemon::Daemon;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::stream::{Stream, Told};
use crate::api::http::{Answer, request};
use crate::cli::house::{LIMIT, await_that};

const CONFIG: &str = "[local]\nenabled = true\nslots = 3\n[limits]\nrequests_per_s = 0\nanonymous_per_s = 0\n";
/// More than the feed remembers.
const FLOOD: usize = 9000;
const KINDS: [(&str, &str); 4] =
    [("runner", "runners"), ("job", "jobs"), ("change", "changes"), ("fan_out", "fan_outs")];

/// One thing that somebody does.
#[derive(Clone, Debug)]
enum Act {
    /// A job of this project, which runs or waits for ever.
    Submit {
        project: &'static str,
        waits: bool,
    },
    Cancel(usize),
    FanOut,
    Change,
    Close(usize),
    /// What is set of the runner.
    Patch(Value),
    /// The reader sees all, or one project.
    Narrow(bool),
    /// More changes than are remembered.
    Flood,
    /// So many events are read; then the stream is cut, and opened again.
    Read(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let project = prop::sample::select(vec!["web", "shop"]);
    let patches = vec![
        json!({"labels": ["a"]}),
        json!({"labels": []}),
        json!({"labels": ["a", "b"]}),
        json!({"state": "disabled"}),
        json!({"state": "enrolled"}),
        json!({"scope": {"org": "default"}}),
        json!({"scope": "enterprise"}),
    ];
    prop_oneof![
        5 => (project, any::<bool>()).prop_map(|(project, waits)| Act::Submit { project, waits }),
        2 => (0_usize..9).prop_map(Act::Cancel),
        1 => Just(Act::FanOut),
        1 => Just(Act::Change),
        1 => (0_usize..9).prop_map(Act::Close),
        3 => prop::sample::select(patches).prop_map(Act::Patch),
        1 => any::<bool>().prop_map(Act::Narrow),
        1 => Just(Act::Flood),
        6 => (0_usize..9).prop_map(Act::Read),
    ]
}

/// A dispatcher in this process, whose feed can be flooded.
struct World {
    daemon: Daemon,
    runtime: Runtime,
    admin: String,
    ann: String,
    _dir: TempDir,
}

impl World {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("shuntd.toml");
        fs::write(&file, CONFIG).expect("a configuration");
        let data_dir = Some(dir.path().join("data"));
        let flags = FlagOverrides { listen: Some("127.0.0.1:0".into()), data_dir, ..FlagOverrides::default() };
        let config = Config::load(ConfigSources { file: Some(file), env: [], flags }).expect("a good configuration");
        let runtime = Runtime::new().expect("a runtime");
        let daemon = runtime.block_on(Daemon::start(&config)).expect("it starts");
        let admin = fs::read_to_string(config.paths().admin_token).expect("a token").trim().to_owned();
        let mut world = Self { daemon, runtime, admin, ann: String::new(), _dir: dir };
        for project in ["web", "shop"] {
            world.done("POST", "orgs/default/projects", &json!({"name": project}));
        }
        world.done("POST", "orgs/default/projects/web/pipelines", &json!({"name": "master"}));
        let ann = json!({"name": "ann", "password": "correct horse", "grants": [{"role": "observer"}]});
        world.done("POST", "users", &ann);
        let login = json!({"username": "ann", "password": "correct horse"});
        let token = world.done("POST", "users/ann/get-token", &login)["token"].clone();
        world.ann = token.as_str().expect("a token").to_owned();
        world
    }

    fn address(&self) -> String {
        self.daemon.address().to_string()
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let (body, path) = (body.map(ToString::to_string), format!("/api/v0/e/default/{path}"));
        request(&self.address(), method, &path, Some(&self.admin), body.as_deref().map(str::as_bytes))
    }

    fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, Some(body));
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        answer.json()
    }

    fn nth(&self, list: &str, n: usize) -> Option<String> {
        let ids = self.ask("GET", list, None).json();
        ids[n]["id"].as_str().map(str::to_owned)
    }

    fn act(&self, act: &Act) {
        match act {
            Act::Submit { project, waits } => {
                let filter = if *waits { json!({"platform": ["none"]}) } else { json!({}) };
                self.done("POST", "jobs", &json!({"script": "true", "project": project, "filter": filter}));
            }
            Act::Cancel(n) => {
                if let Some(id) = self.nth("jobs", *n) {
                    self.ask("DELETE", &format!("jobs/{id}"), None);
                }
            }
            Act::FanOut => {
                // Refused while no runner may take it.
                self.ask("POST", "fan_outs", Some(&json!({"job": {"script": "true", "project": "web"}})));
            }
            Act::Change => {
                let phases =
                    ["unit", "syntax", "quality", "security", "publish", "provision", "deploy", "smoke", "functional"];
                let filters = json!({"version": "v2", "filters": {"default": {"os": ["linux"]}}});
                let config =
                    json!({"job_dispatch": filters, "skip_phases": phases, "phases": {"lint": {"run": "true"}}});
                let body = json!({"title": "t", "source": "none", "config": config.to_string()});
                self.done("POST", "orgs/default/projects/web/pipelines/master/changes", &body);
            }
            Act::Close(n) => {
                if let Some(id) = self.nth("changes?state=open", *n) {
                    // Refused while it runs.
                    self.ask("DELETE", &format!("changes/{id}"), None);
                }
            }
            Act::Patch(body) => {
                self.done("PATCH", "runners/local", body);
            }
            Act::Narrow(narrow) => {
                let all = json!([{"role": "observer"}]);
                let web = json!([{"role": "observer", "org": "default", "project": "web"}]);
                self.done("PUT", "users/ann/grants", &json!({"grants": if *narrow { web } else { all }}));
            }
            Act::Flood => (0..FLOOD).for_each(|_| self.daemon.dispatcher().feed().limits_changed()),
            Act::Read(_) => (),
        }
    }

    /// Lets everything come to rest that can.
    fn settle(&self) {
        self.act(&Act::Patch(json!({"state": "enrolled", "scope": "enterprise"})));
        let busy = || {
            let jobs = self.ask("GET", "jobs?limit=500", None).json();
            let runs = |job: &&Value| job["filter"] == json!({}) || job["state"] != "queued";
            let running = self.ask("GET", "fan_outs?status=running", None).json();
            let jobs: Vec<Value> = jobs.as_array().into_iter().flatten().filter(runs).cloned().collect();
            (jobs, running)
        };
        let rests = || matches!(busy(), (jobs, running) if jobs.is_empty() && running == json!([]));
        await_that("everything has ended that can", rests, || format!("{:?}", busy()));
    }
}

/// What a reader knows: things by kind and id.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known(BTreeMap<&'static str, BTreeMap<String, Value>>);

impl Known {
    fn put(&mut self, kind: &'static str, mut body: Value) {
        let id = body["id"].as_str().expect("an id").to_owned();
        // What passes, or grows, without a change.
        for key in ["timeInState", "log_bytes", "last_seen_at", "connections", "max_sessions"] {
            body.as_object_mut().expect("an object").remove(key);
        }
        // What has ended is in no snapshot.
        let has_ended = match kind {
            "job" => body["status"] == "finished",
            "change" => body["state"] != "open",
            "fan_out" => body["status"] != "running",
            _ => false,
        };
        let things = self.0.entry(kind).or_default();
        if has_ended {
            things.remove(&id)
        } else {
            things.insert(id, body)
        };
    }

    fn apply(&mut self, told: &Told) {
        match told.name.as_str() {
            "snapshot" => {
                for (kind, list) in KINDS {
                    told.data[list].as_array().into_iter().flatten().for_each(|body| self.put(kind, body.clone()));
                }
            }
            "reset" => self.0.clear(),
            "removed" => {
                let things = self.0.get_mut(told.data["kind"].as_str().expect("a kind"));
                things.and_then(|things| things.remove(told.data["id"].as_str().expect("an id")));
            }
            name => {
                let (kind, _) = KINDS.into_iter().find(|(kind, _)| *kind == name).expect("a kind");
                self.put(kind, told.data.clone());
            }
        }
    }

    /// Without kinds of which there is nothing.
    fn seen(&self) -> Self {
        Self(self.0.iter().filter(|(_, things)| !things.is_empty()).map(|(kind, all)| (*kind, all.clone())).collect())
    }
}

/// A reader with its state, which opens its stream again whenever it ends.
struct Reader<'w> {
    world: &'w World,
    stream: Stream,
    known: Known,
    resets: Vec<String>,
}

impl<'w> Reader<'w> {
    fn new(world: &'w World) -> Self {
        let stream = Stream::of(&world.address(), &world.ann, "events", None);
        Self { world, stream, known: Known::default(), resets: Vec::new() }
    }

    /// Reads one event if one comes.
    fn read(&mut self, within: Duration) -> Option<Told> {
        let told = self.stream.next_within(within)?;
        if told.name == "reset" {
            self.resets.push(told.data["reason"].as_str().expect("a reason").to_owned());
        }
        self.known.apply(&told);
        Some(told)
    }

    fn cut(&mut self) {
        let last = self.stream.last.clone();
        if last.is_none() {
            self.known = Known::default();
        }
        self.stream = Stream::of(&self.world.address(), &self.world.ann, "events", last.as_deref());
    }

    /// What is known once nothing more comes for a while.
    fn caught_up(&mut self) -> Known {
        while self.read(Duration::from_millis(100)).is_some() {}
        self.known.seen()
    }

    /// What a snapshot shows.
    fn snapshot(world: &'w World) -> Known {
        let mut reader = Reader::new(world);
        while reader.read(LIMIT).expect("a page").data["more"] == true {}
        reader.known.seen()
    }
}

/// Plays the acts before two readers; one is cut now and then. Returns why they had to begin again.
fn play(world: &World, acts: &[Act]) -> Result<Vec<String>, TestCaseError> {
    let (mut steady, mut cut) = (Reader::new(world), Reader::new(world));
    for act in acts {
        world.act(act);
        if let Act::Read(count) = act {
            (0..*count).for_each(|_| _ = cut.read(Duration::from_millis(20)));
            cut.cut();
        }
    }
    world.settle();
    let until = Instant::now() + LIMIT;
    loop {
        let (steadys, cuts, fresh) = (steady.caught_up(), cut.caught_up(), Reader::snapshot(world));
        if steadys == fresh && cuts == fresh {
            return Ok([steady.resets, cut.resets].concat());
        }
        // The engine may do something yet.
        if Instant::now() > until {
            prop_assert_eq!(&steadys, &fresh, "who was never cut");
            prop_assert_eq!(&cuts, &fresh, "who was cut");
        }
    }
}

#[test]
fn a_reader_who_is_cut_anywhere_ends_with_what_a_fresh_snapshot_shows() {
    let world = World::start();
    let submit = || Act::Submit { project: "web", waits: true };
    let resets = play(&world, &[submit(), Act::Read(9), Act::Flood, submit(), Act::Read(2), submit()]);
    assert!(resets.expect("the same").contains(&"slow".to_owned()), "the flood was too much");
    let resets = play(&world, &[submit(), Act::Read(9), Act::Narrow(true), Act::Read(9), Act::Narrow(false)]);
    assert!(resets.expect("the same").contains(&"access".to_owned()), "other roles see other things");
    let mut runner = TestRunner::new(Cases { cases: 6, max_shrink_iters: 20, ..Cases::default() });
    let acts = prop::collection::vec(act(), 5..40);
    runner.run(&acts, |acts| play(&world, &acts).map(drop)).expect("the same");
    let World { daemon, runtime, .. } = world;
    runtime.block_on(daemon.stop());
}
