//! A dispatcher in the test's own process, and what people do to it.

use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use shuntyard::config::{Config, ConfigSources, FlagOverrides};
use shuntyard::daemon::Daemon;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::api::http::{Answer, request};
use crate::cli::house::await_that;

const CONFIG: &str = "[local]\nenabled = true\nslots = 3\n[limits]\nrequests_per_s = 0\nanonymous_per_s = 0\n";
/// More than the feed remembers.
const FLOOD: usize = 9000;

/// One thing that somebody does.
#[derive(Clone, Debug)]
pub enum Act {
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

pub fn act() -> impl Strategy<Value = Act> {
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
pub struct World {
    daemon: Daemon,
    runtime: Runtime,
    admin: String,
    /// The token of somebody who looks.
    pub ann: String,
    _dir: TempDir,
}

impl World {
    pub fn start() -> Self {
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

    pub fn address(&self) -> String {
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

    pub fn act(&self, act: &Act) {
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
    pub fn settle(&self) {
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

    pub fn stop(self) {
        let Self { daemon, runtime, .. } = self;
        runtime.block_on(daemon.stop());
    }
}
