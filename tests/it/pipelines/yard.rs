//! A dispatcher with two hosts of different platforms, and changes in its pipelines, over the HTTP API.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::http::{Answer, request};
use crate::cli::house::{House, await_within, host};
use crate::support::sshd::{CENTOS_7, TestHost, UBUNTU_2204};
use crate::support::trees::{Tree, bundle, sha256, zstd};

/// Stages that compile take their time on a loaded machine.
const LIMIT: Duration = Duration::from_secs(240);

/// Fields are dropped in this order: the dispatcher goes before its hosts.
pub struct Yard {
    pub house: House,
    /// An Ubuntu 22.04, of the debian family.
    pub u1: TestHost,
    /// A CentOS 7, of the rhel family.
    pub c1: TestHost,
}

impl Yard {
    pub fn open() -> Self {
        Self::with_hosts(host("u1", UBUNTU_2204), host("c1", CENTOS_7))
    }

    pub fn with_hosts(u1: TestHost, c1: TestHost) -> Self {
        Self { house: House::with(&[(&u1, 8), (&c1, 8)]), u1, c1 }
    }

    /// Sends a request; `path` is the whole path of a link, or what stands behind the enterprise.
    pub fn send(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v0/e/default/{path}") };
        request(self.house.address(), method, &path, Some(&self.house.token()), body)
    }

    pub fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, None);
        assert_eq!(answer.status, 200, "GET {path}: {answer:?}");
        answer.json()
    }

    /// Uploads a tree, only what the server lacks; returns its digest.
    pub fn upload(&self, listed: &[(&str, &str)]) -> String {
        let tree = Tree::new(listed);
        let path = format!("workspaces/{}", tree.digest());
        let taken = self.send("PUT", &path, Some(tree.text().as_bytes()));
        assert_eq!(taken.status, 200, "{taken:?}");
        let missing = taken.json()["missing"].to_string();
        let mut seen = HashSet::new();
        let wanted = |file: &&[u8]| missing.contains(&sha256(file).to_string());
        let files: Vec<&[u8]> =
            tree.files.iter().map(Vec::as_slice).filter(wanted).filter(|f| seen.insert(*f)).collect();
        if !files.is_empty() {
            let whole = self.send("PUT", &format!("{path}/files"), Some(&zstd(&bundle(&files))));
            assert_eq!((whole.status, &whole.json()["missing"]), (200, &json!([])), "{whole:?}");
        }
        tree.digest().to_string()
    }

    /// Asks for a change whose files are in this workspace.
    pub fn propose(&self, project: &str, digest: &str) -> Answer {
        let body = json!({"title": format!("A change of {project}"), "source": {"workspace": {"digest": digest}}});
        let path = format!("orgs/default/projects/{project}/pipelines/master/changes");
        self.send("POST", &path, Some(body.to_string().as_bytes()))
    }

    /// Submits a change with this configuration and these other files; returns its id.
    pub fn submit(&self, project: &str, config: &Value, files: &[(&str, &str)]) -> String {
        let config = config.to_string();
        let listed = [&[(".shuntyard/config.json", config.as_str())], files].concat();
        self.submit_tree(project, &listed)
    }

    /// Submits a change with these files, the configuration among them.
    pub fn submit_tree(&self, project: &str, listed: &[(&str, &str)]) -> String {
        let answer = self.propose(project, &self.upload(listed));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    pub fn change(&self, id: &str) -> Value {
        self.get(&format!("changes/{id}"))
    }

    /// Waits until the change is as it should be, and returns it.
    pub fn await_change(&self, id: &str, what: &str, mut is: impl FnMut(&Value) -> bool) -> Value {
        let mut change = Value::Null;
        let reached = || {
            change = self.change(id);
            is(&change)
        };
        await_within(LIMIT, &format!("change {id}: {what}"), reached, || format!("{:#}", self.change(id)));
        change
    }

    /// Waits until a run of the stage with this number has ended, and holds it to its status.
    pub fn await_stage(&self, id: &str, name: &str, number: u32, status: &str) -> Value {
        let ended = |change: &Value| {
            let stage = stage(change, name);
            stage["number"] == number && !stage["finished_at"].is_null()
        };
        let change = self.await_change(id, &format!("run {number} of {name} ends"), ended);
        assert_eq!(stage(&change, name)["status"], status, "{change:#}");
        change
    }

    /// Does what a link of the change allows now.
    pub fn act(&self, id: &str, action: &str) {
        let change =
            self.await_change(id, &format!("{action} is allowed"), |change| !change["_links"][action].is_null());
        let link = &change["_links"][action];
        let (method, href) = (link["method"].as_str().expect("a method"), link["href"].as_str().expect("a path"));
        let answer = self.send(method, href, None);
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{action}: {answer:?}");
    }

    /// Lets a change go through the rest of its pipeline, gates included.
    pub fn deliver(&self, id: &str) -> Value {
        self.act(id, "approve");
        self.act(id, "deliver");
        self.await_stage(id, "delivered", 1, "passed")
    }
}

/// The latest run of a stage; null when the change has not reached it.
pub fn stage<'a>(change: &'a Value, name: &str) -> &'a Value {
    let stages = change["stages"].as_array().expect("stages");
    stages.iter().find(|stage| stage["stage"] == name).unwrap_or(&Value::Null)
}

/// The rows of one phase.
pub fn rows<'a>(change: &'a Value, in_stage: &str, phase: &str) -> &'a [Value] {
    let phases = stage(change, in_stage)["phases"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = phases.iter().find(|shown| shown["name"] == phase);
    found.and_then(|shown| shown["run_details"].as_array()).map(Vec::as_slice).unwrap_or_default()
}

/// A key of each row, as words.
pub fn of_rows<'a>(rows: &'a [Value], key: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[key].as_str().unwrap_or("-")).collect()
}

/// The names of what is allowed now, by alphabet.
pub fn allowed(change: &Value) -> Vec<&str> {
    change["_links"].as_object().expect("links").keys().map(String::as_str).collect()
}
