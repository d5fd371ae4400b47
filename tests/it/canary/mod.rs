//! Twenty secrets, put in by every way that there is; then all that the dispatcher keeps, logs, prints, answers and shows to
//! other processes is searched for them: raw, in base64 at its three phases, and in hexadecimal.

mod dump;
mod search;

use std::fs;

use serde_json::{Value, json};
use shuntyard::http::{Needs, declared_pages, declared_routes};

use super::cli::house::{House, command, host};
use crate::api::http::send;
use crate::support::sshd::{TestHost, UBUNTU_2204};
use search::{Canaries, CommandLines};

/// Jobs print what they were handed in every form that people print.
const PRINTS: &str = r#"set -x; : "$TOKEN_ENTERPRISE" "$TOKEN_ORG"; set +x
for value in "$TOKEN_ENTERPRISE" "$TOKEN_ORG" "$TOKEN_PROJECT" "$TOKEN_RUNNER" "$AS_ENV" "$(cat "$KEY_FILE")"; do
  echo "raw $value"; printf 'x%s' "$value" | base64; printf 'xy%s' "$value" | base64 -w 20; printf '%s' "$value" | od -An -tx1
  printf '{"a": "%s"}\n' "$(printf '%s' "$value" | sed 's/"/\\"/g')"
  printf '%s' "$value" | sed 's/ /%20/g; s/"/%22/g; s#/#%2F#g'; echo; printf '%s' "$value" | cut -c 1-12; sleep 0.02
  printf '%s=%s\n' "out_$(printf '%s' "$value" | cksum | cut -d ' ' -f 1)" "$value" >>"$SHUNT_OUTPUT"
done
echo kept >"kept $(head -n 1 "$KEY_FILE")"; echo done"#;

/// The daemon's login and its master key: the one place of each.
const OWN_FILES: [&str; 2] = ["admin.token", "master.key"];

struct Scene {
    host: TestHost,
    house: House,
    canaries: Canaries,
    /// Everything that `shunt` has printed, but for what it shows once.
    printed: String,
}

impl Scene {
    fn start() -> Self {
        let (host, mut canaries) = (host("u1", UBUNTU_2204), Canaries::default());
        let password = canaries.make("login and sudo password");
        host.run_inside(&format!("echo deploy:{password} | chpasswd"));
        let house = House::start_logging("debug");
        canaries.note("API token", house.token().as_bytes());
        canaries.note("master key", &fs::read(house.data_dir().join("master.key")).expect("the key"));
        canaries.note("any private key", b"openssh-key-v1");
        Self { host, house, canaries, printed: String::new() }
    }

    fn shunt(&mut self, words: &[&str], input: &str) {
        let ran = self.house.begin_with_input(words, input.as_bytes()).end();
        ran.expect(0, &[]);
        self.printed.push_str(&format!("{}{}", ran.text(), ran.stderr));
    }

    /// What is shown once is noted as a secret, and its answer is not searched.
    fn shown_once(&mut self, what: &'static str, words: &[&str], key: &str) {
        let ran = self.house.shunt(words);
        ran.expect(0, &[]);
        let answer: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        let shown = answer[key].as_str().unwrap_or_else(|| panic!("no {key} in {answer}"));
        self.canaries.note(what, shown.as_bytes());
    }

    fn install(&mut self) {
        let (address, port) = (self.host.address.clone(), self.host.port.to_string());
        let flags = ["--address", &address, "-p", &port, "-y", "--password-stdin", "--slots", "2"];
        let password = self.canaries.of("login and sudo password");
        self.shunt(&[&["ctl", "install-runner", "u1", "deploy"], &flags[..]].concat(), &format!("{password}\n"));
    }

    fn set_secrets(&mut self) {
        for (name, flags) in [
            ("TOKEN_ENTERPRISE", &["--whole-enterprise"][..]),
            ("TOKEN_ORG", &["--org", "default"]),
            ("TOKEN_PROJECT", &["--project", "web"]),
            ("TOKEN_RUNNER", &["--runner", "u1"]),
            ("RENAMED", &["--project", "web"]),
            ("GIT_USERNAME", &["--project", "web"]),
            ("GIT_TOKEN", &["--project", "web"]),
            ("GIT_SSH_KEY", &["--project", "web"]),
            ("NEVER_USED", &["--project", "web"]),
            ("KEY", &["--project", "web"]),
            ("OF_A_PHASE", &["--project", "web"]),
            ("UNUSED", &["--whole-enterprise"]),
        ] {
            let value = self.canaries.make(name);
            let value = if name == "KEY" { format!("{value}\nsecond line {value}\n") } else { value };
            self.shunt(&[&["secret", "set", name], flags].concat(), &value);
            self.shunt(&[&["secret", "list"], flags].concat(), "");
        }
        // An old value is as secret as the new one.
        let value = self.canaries.make("NEVER_USED once more");
        self.shunt(&["secret", "set", "NEVER_USED", "--project", "web"], &value);
        self.shunt(&["secret", "delete", "NEVER_USED", "--project", "web"], "");
    }

    fn make_what_is_shown_once(&mut self) {
        let url = "https://hooks.example.com/x";
        let webhook = ["ctl", "webhook", "create", "told", "--url", url, "--events", "job.finished", "--json"];
        self.shown_once("webhook secret", &webhook, "secret");
        let token = ["api", "post", "enrolment-tokens", "-d", r#"{"name": "rack"}"#];
        self.shown_once("enrolment token", &token, "token");
        let pool = ["ctl", "pool", "create", "cloud", "--url", "https://pool.example.com/hook", "--max", "1", "--json"];
        self.shown_once("pool secret", &pool, "secret");
    }

    /// A job that is handed its secrets, one of which a dispatcher that is killed meanwhile must mask, too.
    fn run_jobs(&mut self) {
        let uses = json!([
            "TOKEN_ENTERPRISE", "TOKEN_ORG", "TOKEN_PROJECT", "TOKEN_RUNNER",
            {"secret": "RENAMED", "env": "AS_ENV"}, {"file": "KEY", "env": "KEY_FILE"}
        ]);
        let job = json!({"script": PRINTS, "project": "web", "secrets": uses, "artifacts": ["kept*"]});
        let whole = self.house.post_job(&job);
        assert_eq!(self.house.await_end(&whole)["state"], "succeeded");
        let config = json!({"phases": {"unit": {"run": "echo $OF_A_PHASE | base64", "secrets": ["OF_A_PHASE"]}}});
        let phase = json!({"project": "web", "phase": "unit", "config": config.to_string()}).to_string();
        self.shunt(&["api", "post", "phase_runs", "-d", &phase], "");
        let waits = format!("until [ -e ~/go ]; do sleep 0.05; done; {PRINTS}");
        let cut = self.house.post_job(&json!({"script": waits, "project": "web", "secrets": uses}));
        self.house.await_state(&cut, &["running"]);
        self.house.kill();
        self.house.start_again();
        self.house.await_contact(&self.host, "connected");
        self.host.run_inside("touch ~job_runner/go ~job_runner/home/go /home/deploy/go 2>/dev/null; true");
        let ended = self.house.await_end(&cut);
        assert_eq!((&ended["state"], &ended["truncated"]), (&json!("succeeded"), &json!(false)), "{ended}");
        for id in [&whole, &cut] {
            let log = self.house.shunt(&["logs", id]).text();
            assert!(log.contains("done") && log.matches("raw ******").count() == 6, "{log}");
            for words in [&["logs", id][..], &["explain", id], &["jobs", "--json"], &["artifacts", "list", id]] {
                self.printed.push_str(&self.house.shunt(words).text());
            }
        }
        self.printed.push_str(&format!("{whole} {cut}"));
    }

    /// Everything in a backup that is made now, unpacked.
    fn backup(&self) -> Vec<u8> {
        let file = self.house.home().join("backup.tar.zst");
        let made = command("shuntd", self.house.home()).arg("backup").arg(&file).output().expect("shuntd runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let packed = fs::read(&file).expect("the backup");
        let bytes = zstd::decode_all(packed.as_slice()).expect("an archive");
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(
            has("SQLite format 3") && has("manifest.json") && has("raw ******"),
            "it has the database and the logs"
        );
        bytes
    }

    /// The answer of every route that reads, for things that exist.
    fn answers(&self) -> String {
        let jobs = self.house.api("jobs?state=all");
        let job = jobs[0]["id"].as_str().expect("a job").to_owned();
        let listed = self.house.api("webhooks");
        let webhook =
            listed.pointer("/webhooks/0/id").or(listed.pointer("/0/id")).and_then(Value::as_str).unwrap_or("none");
        let mut answers = String::new();
        let mut good = 0;
        for route in declared_routes() {
            let streams = route.path.contains("streaming") || route.path == "/events";
            if route.method != "GET" || route.needs == Needs::Nothing || streams {
                continue;
            }
            let id = if route.path.starts_with("/webhooks") { webhook } else { job.as_str() };
            let path = route.path.replace("{id}", id).replace("{hostname}", "u1").replace("{org}", "default");
            let path = path.replace("{project}", "web").replace("{pool}", "cloud").replace("{pipeline}", "master");
            let ran = self.house.shunt(&["api", "get", path.trim_start_matches('/')]);
            good += usize::from(ran.code == 0);
            answers.push_str(&format!("{path}: {}{}\n", ran.text(), ran.stderr));
        }
        assert!(good >= 15, "only {good} routes answered:\n{answers}");
        answers + &self.pages(&job)
    }

    /// Every page of the browser, as the admin sees it.
    fn pages(&self, job: &str) -> String {
        let cookie = format!("shunt_session={}", self.house.token());
        let mut pages = String::new();
        let mut good = 0;
        for route in declared_pages().into_iter().filter(|route| route.method == "GET" && route.needs != Needs::Nothing)
        {
            let path = route.path.replace("{id}", job).replace("{hostname}", "u1");
            let page = send(self.house.address(), "GET", &path, &[("Accept", "text/html"), ("Cookie", &cookie)], None);
            good += usize::from(page.status == 200);
            pages.push_str(&format!("{path}: {}\n", String::from_utf8_lossy(&page.body)));
        }
        assert!(good >= 12, "only {good} pages were shown:\n{pages}");
        pages
    }
}

#[test]
fn no_secret_is_found_in_anything_that_the_dispatcher_keeps_prints_or_answers() {
    let mut scene = Scene::start();
    scene.canaries.make_all(&[
        "TOKEN_ENTERPRISE",
        "TOKEN_ORG",
        "TOKEN_PROJECT",
        "TOKEN_RUNNER",
        "RENAMED",
        "GIT_USERNAME",
        "GIT_TOKEN",
        "GIT_SSH_KEY",
        "NEVER_USED",
        "NEVER_USED once more",
        "KEY",
        "OF_A_PHASE",
    ]);
    let watch = CommandLines::watch(scene.canaries.clone());
    scene.install();
    scene.set_secrets();
    scene.make_what_is_shown_once();
    scene.run_jobs();
    let answers = scene.answers();
    let mut seen = watch.end();
    // The host is asked for a file that the job itself has called by its secret: the job's doing, on its own host.
    seen.retain(|line| !line.starts_with("dd if=./kept "));
    assert_eq!(seen, [""; 0], "on a command line");

    assert_eq!(scene.canaries.count(), 20);
    let mut found = scene.canaries.in_bytes("what shunt printed", scene.printed.as_bytes());
    found.extend(scene.canaries.in_bytes("an answer of the API", answers.as_bytes()));
    found.extend(scene.canaries.in_files(scene.house.home(), &OWN_FILES));
    // Its log was checked to be a talkative one.
    assert!(scene.house.log().contains("DEBUG"), "the daemon logs at debug level");
    found.extend(scene.canaries.in_bytes("a backup", &scene.backup()));
    assert_eq!(found, [""; 0]);
    // While it still runs, and behind a clean end, which folds the WAL into the database.
    scene.house.terminate();
    assert_eq!(scene.canaries.in_files(scene.house.home(), &OWN_FILES), [""; 0]);
    let spools = ["var/lib/shuntyard/runner", "home/deploy/.cache", "tmp", "var/tmp"].map(|dir| scene.host.path(dir));
    let left: Vec<String> = spools.iter().flat_map(|dir| scene.canaries.in_files(dir, &[])).collect();
    assert_eq!(left, [""; 0], "on the host");
}

#[test]
fn the_search_finds_what_is_there() {
    let mut canaries = Canaries::default();
    let value = canaries.make("one").into_bytes();
    for shown in search::forms(&value) {
        let found = canaries.in_bytes("here", &[b"(".as_slice(), &shown, b")"].concat());
        assert_eq!(found.len(), 1, "{}", String::from_utf8_lossy(&shown));
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), &value).unwrap();
    assert_eq!(canaries.in_files(dir.path(), &[]).len(), 1);
    let watch = CommandLines::watch(canaries);
    let shown = std::process::Command::new("sh")
        .args(["-c", "sleep 0.5; : $1", "sh", &String::from_utf8_lossy(&value)])
        .status()
        .unwrap();
    assert!(shown.success() && !watch.end().is_empty());
}
