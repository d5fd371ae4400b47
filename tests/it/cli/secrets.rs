//! The admin token and the runner's private key: in no log, on no command line, in no plain field.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::house::{House, host};
use crate::support::sshd::UBUNTU_2204;

/// Of this test alone: others start hosts, with their passwords, while this one watches the whole machine.
const PASSWORD: &str = "l0gin-of-the-secrets-test";

/// Every file below `dir`, with its bytes.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    found
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Every command line and environment of the machine, as long as it lives, that holds one of the secrets.
struct Watcher {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Watcher {
    fn start(secrets: Vec<String>) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, found) = (Arc::clone(&stop), Arc::clone(&seen));
        let thread = std::thread::spawn(move || {
            let mut looks = 0;
            while !stopped.load(Ordering::Relaxed) {
                looks += 1;
                for entry in fs::read_dir("/proc").expect("/proc").flatten() {
                    for name in ["cmdline", "environ"] {
                        let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
                        if secrets.iter().any(|secret| holds(&bytes, secret)) {
                            found.lock().unwrap().push(format!("{}/{name}", entry.path().display()));
                        }
                    }
                }
            }
            looks
        });
        Self { stop, seen, thread: Some(thread) }
    }

    fn end(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let looks = self.thread.take().expect("a thread").join().expect("it ends");
        assert!(looks > 3, "only {looks} looks");
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

#[test]
fn secrets_are_in_no_log_on_no_command_line_and_in_no_plain_field() {
    let host = host("u1", UBUNTU_2204);
    host.run_inside(&format!("echo deploy:{PASSWORD} | chpasswd"));
    let mut house = House::start();
    let token = house.token();
    let watcher = Watcher::start(vec![token.clone(), PASSWORD.to_owned()]);
    house.enrol_with_password(&host, 2, PASSWORD);
    let id = house.submit(&[], "echo ok");
    house.await_end(&id);
    house.shunt(&["ctl", "test-runner", "u1"]).expect(0, &[]);
    house.kill();
    house.start_again();
    house.await_contact(&host, "connected");
    assert_eq!(watcher.end(), Vec::<String>::new(), "a secret was on a command line or in an environment");

    let key = "PRIVATE KEY";
    let answers = format!("{}{}{}", house.api("runners"), house.api("jobs?state=all"), house.api("runners/u1"));
    for hidden in [token.as_str(), PASSWORD, key] {
        assert!(!house.log().contains(hidden) && !host.log().contains(hidden), "{hidden} is in a log");
        assert!(!answers.contains(hidden), "{hidden} is in an answer");
    }
    let mut kept = Vec::new();
    for (path, bytes) in files(&house.data_dir()) {
        for hidden in [token.as_str(), PASSWORD, key, "openssh-key-v1", "b3BlbnNzaC1rZXktdjE"] {
            if holds(&bytes, hidden) {
                kept.push(format!("{hidden} in {}", path.rsplit('/').next().unwrap_or_default()));
            }
        }
    }
    assert_eq!(kept, [format!("{token} in admin.token")], "what is not sealed");
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(house.data_dir().join(name)).expect(name).permissions().mode() & 0o7777
    };
    assert_eq!((mode("admin.token"), mode("master.key"), mode(".")), (0o600, 0o400, 0o700));
}
