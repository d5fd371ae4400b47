//! What stands for a cloud: it starts hosts and runs the line on them that it was given.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::cli::house::host;
use crate::support::receiver::{Received, Receiver, Reply};
use crate::support::sshd::{TestHost, UBUNTU_2204};

/// How it behaves, and what it has.
#[derive(Default)]
pub struct Cloud {
    /// Its machines; `None` while they boot, and for those that never do.
    pub machines: BTreeMap<String, Option<Arc<TestHost>>>,
    /// Those that it was asked to stop.
    pub stopped: Vec<String>,
    /// The most that it had at a time.
    pub most: usize,
    /// Starts that it answers with 500 from now on.
    pub failing_starts: u32,
    /// It says yes, and no host comes up.
    pub boots_nothing: bool,
    /// It gets a start and does not answer until its connection ends.
    pub hangs: bool,
    /// What it answers to a start instead.
    pub refuses: Option<u16>,
}

pub struct Provider {
    receiver: Receiver,
    cloud: Arc<Mutex<Cloud>>,
}

impl Provider {
    pub fn start() -> Self {
        let cloud: Arc<Mutex<Cloud>> = Arc::default();
        let own = cloud.clone();
        let receiver = Receiver::start_plain(move |request| answer(&own, request));
        Self { receiver, cloud }
    }

    pub fn url(&self) -> String {
        self.receiver.url("127.0.0.1", "/hook")
    }

    pub fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().expect("no panic")
    }

    /// The calls of one action, in the order of coming.
    pub fn calls(&self, action: &str) -> Vec<Received> {
        self.receiver.received().into_iter().filter(|call| call.json()["action"] == action).collect()
    }

    /// The machines that were asked for, each as often as it was.
    pub fn asked(&self, action: &str) -> Vec<String> {
        let name = |call: &Received| call.json()["instance"].as_str().expect("a name").to_owned();
        self.calls(action).iter().map(name).collect()
    }

    /// The host of a machine.
    pub fn host(&self, instance: &str) -> Option<Arc<TestHost>> {
        self.cloud().machines.get(instance).cloned().flatten()
    }
}

fn answer(cloud: &Arc<Mutex<Cloud>>, request: &Received) -> Reply {
    let body = request.json();
    let name = body["instance"].as_str().unwrap_or_default().to_owned();
    let mut has = cloud.lock().expect("no panic");
    match body["action"].as_str() {
        Some("start") if has.failing_starts > 0 => {
            has.failing_starts -= 1;
            Reply::Answer(500, b"no capacity\n".to_vec())
        }
        Some("start") if has.refuses.is_some() => Reply::Answer(has.refuses.unwrap_or(0), b"unknown image".to_vec()),
        Some("start") => {
            let is_new = !has.machines.contains_key(&name);
            if is_new {
                has.machines.insert(name.clone(), None);
                has.most = has.most.max(has.machines.len());
                if !has.boots_nothing {
                    boot(cloud.clone(), name.clone(), &body);
                }
            }
            if has.hangs { Reply::Hang } else { said(200, &json!({"provider_id": format!("i-{name}")})) }
        }
        Some("list") => {
            let instance = |name: &String| json!({"instance": name, "provider_id": format!("i-{name}"), "state": "up"});
            said(200, &json!({"instances": has.machines.keys().map(instance).collect::<Vec<_>>()}))
        }
        Some("stop") => {
            has.stopped.push(name.clone());
            let gone = has.machines.remove(&name);
            drop(has);
            Reply::Answer(if gone.is_some() { 204 } else { 404 }, Vec::new())
        }
        _ => Reply::Answer(400, Vec::new()),
    }
}

fn said(status: u16, body: &Value) -> Reply {
    Reply::Answer(status, body.to_string().into_bytes())
}

/// As a cloud boots a machine: later, and its user data runs as root.
fn boot(cloud: Arc<Mutex<Cloud>>, name: String, body: &Value) {
    let command = body["enrolment"]["command"].as_str().expect("a command").to_owned();
    std::thread::spawn(move || {
        let host = Arc::new(host("machine", UBUNTU_2204));
        if let Some(place) = cloud.lock().expect("no panic").machines.get_mut(&name) {
            *place = Some(host.clone());
        }
        let port = host.port;
        let _ = host.exec_inside(&format!("export SHUNT_ENROL_PORT={port}; {command}"));
    });
}
