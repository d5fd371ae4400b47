//! `shuntd check` and `--version`: what the daemon would do, without doing it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use diesel::connection::SimpleConnection as _;
use serde_json::Value;

use super::house::{House, command};
use super::store_faults::database;

fn output(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("shuntd runs");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

#[test]
fn check_prints_the_configuration_as_toml_names_the_file_and_hides_the_password() {
    let home = tempfile::tempdir().expect("a home");
    let check = |config: Option<&str>| {
        let mut command = command("shuntd", home.path());
        command.args(["check", "--config-only"]).envs(config.map(|file| ("SHUNTD_CONFIG", file)));
        output(command)
    };
    let (code, text) = check(None);
    assert!(code == Some(0) && text.starts_with("# the configuration is good; no file was read\n"), "{text}");
    let file = home.path().join("x.toml");
    fs::write(&file, "[store]\nurl = \"postgres://u:hunter2@h/d\"\n").expect("a file");
    let (code, text) = check(file.to_str());
    let read = format!("# the configuration is good; read {}\n", file.display());
    assert!(code == Some(0) && text.starts_with(&read) && !text.contains("hunter2"), "{text}");
    let shown: toml::Table = text.parse().expect("TOML");
    assert_eq!(shown["store"]["url"].as_str(), Some("postgres://u:***@h/d"));
    // Set to nothing is not set; a file that is named and not there is a fault.
    assert_eq!(check(Some("")).0, Some(0));
    let (code, text) = check(Some("/no/such/file"));
    assert!(code == Some(2) && text.contains("/no/such/file"), "{text}");
}

/// The findings of a data directory: code and level, and the exit code.
fn findings(house: &House) -> (Option<i32>, Vec<(String, String)>) {
    let mut command = command("shuntd", house.home());
    let Output { status, stdout, stderr } = command.args(["check", "--json"]).output().expect("shuntd runs");
    let found: Result<Value, _> = serde_json::from_slice(&stdout);
    let found = found.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
    let word = |finding: &Value, key: &str| finding[key].as_str().expect("a word").to_owned();
    let list = found["findings"].as_array().expect("a list");
    (status.code(), list.iter().map(|one| (word(one, "code"), word(one, "level"))).collect())
}

fn codes(found: &[(String, String)], level: &str) -> Vec<String> {
    let mut codes: Vec<String> = found.iter().filter(|one| one.1 == level).map(|one| one.0.clone()).collect();
    codes.sort();
    codes
}

#[test]
fn check_beside_a_running_dispatcher_finds_nothing_wrong_and_changes_nothing() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    house.shunt(&["run", "--", "echo", "out"]).expect(0, &[]);
    let listed = || {
        let all = fs::read_dir(house.data_dir()).expect("the data directory");
        let mut names: Vec<_> = all.map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        names
    };
    let before = listed();
    let (code, found) = findings(&house);
    assert_eq!((code, codes(&found, "fault")), (Some(0), Vec::<String>::new()), "{found:?}");
    let notes = codes(&found, "note");
    for code in ["contents", "database", "master_key", "running"] {
        assert!(notes.iter().any(|note| note == code), "{code} is missing in {notes:?}");
    }
    assert_eq!(listed(), before);
    house.shunt(&["run", "--", "true"]).expect(0, &[]);
}

#[test]
fn check_tells_all_faults_of_a_data_directory_at_once_and_leaves_no_file_behind() {
    let mut house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let id = house.submit(&[], "echo out");
    house.await_end(&id);
    assert!(house.terminate().success());
    let data = house.data_dir();
    assert_eq!(findings(&house).0, Some(0), "{:?}", findings(&house));
    let log = format!("{}-1.log", id.replace('-', ""));
    let shelf = data.join("logs").join(&id[id.len() - 2..]);
    fs::rename(shelf.join(&log), shelf.join("0190a0a0a0a07000a0a0a0a0a0a0a0a0-1.log")).expect("another job's log");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::rename(data.join("master.key"), data.join("kept.key")).expect("the key is away");
    let (code, found) = findings(&house);
    assert_eq!(code, Some(2), "{found:?}");
    assert_eq!(codes(&found, "fault"), ["master_key_missing", "open_to_others"], "{found:?}");
    assert_eq!(codes(&found, "warning"), ["missing_logs", "unknown_logs"], "{found:?}");
    assert!(!data.join("master.key").exists(), "a check makes no key");
    fs::write(data.join("master.key"), [7; 32]).expect("another key");
    fs::set_permissions(data.join("master.key"), fs::Permissions::from_mode(0o400)).expect("a mode");
    assert!(codes(&findings(&house).1, "fault").contains(&"other_master_key".to_owned()));
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')";
    database(&house).batch_execute(newer).expect("a later version");
    assert!(codes(&findings(&house).1, "fault").contains(&"newer_database".to_owned()));
    fs::write(data.join("shuntyard.db"), "no database").expect("a file");
    let mut check = command("shuntd", house.home());
    check.arg("check").env("SHUNTD_LOG_LEVEL", "loud");
    let (code, text) = output(check);
    assert!(code == Some(2) && text.contains("SHUNTD_LOG_LEVEL: found `loud`"), "{text}");
    assert!(text.contains("fault: ") && text.contains("restore a backup") && text.contains("chmod 700"), "{text}");
}

#[test]
fn check_opens_every_sealed_value_and_knows_half_a_rotation() {
    let mut house = House::start();
    house.begin_with_input(&["secret", "set", "TOKEN", "--whole-enterprise"], b"fourteen-bytes").end().expect(0, &[]);
    assert!(house.terminate().success());
    let key = house.data_dir().join("master.key");
    let next = key.with_extension("key.next");
    fs::copy(&key, &next).expect("a next key");
    assert_eq!(codes(&findings(&house).1, "fault"), ["half_a_rotation"]);
    fs::remove_file(&next).expect("no next key");
    // Where somebody else keeps it.
    let elsewhere = house.home().join("elsewhere.key");
    fs::rename(&key, &elsewhere).expect("another place");
    assert_eq!(codes(&findings(&house).1, "fault"), ["master_key_missing"]);
    let mut check = command("shuntd", house.home());
    check.arg("check").env("SHUNTD_DATA_MASTER_KEY_FILE", &elsewhere);
    let (code, text) = output(check);
    assert!(code == Some(0) && text.contains("elsewhere.key opens 1 sealed value\n"), "{text}");
    fs::write(&key, [7; 32]).expect("another key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).expect("a mode");
    assert_eq!(codes(&findings(&house).1, "fault"), ["other_master_key"]);
}

#[cfg(feature = "postgres")]
#[test]
fn a_dispatcher_on_postgresql_is_checked_paused_over_a_restart_and_backed_up_beside_pg_dump() {
    let url = crate::support::postgres::fresh_database();
    let settings = [("SHUNTD_STORE_URL", url.as_str()), ("SHUNTD_RETENTION_JOB_MAX_AGE_DAYS", "1")];
    let mut house = House::start_set("", &[&settings[..], &[("SHUNTD_LOCAL_ENABLED", "true")]].concat());
    house.shunt(&["run", "--", "echo", "out"]).expect(0, &[]);
    let shuntd = |house: &House, words: &[&str]| {
        let mut command = command("shuntd", house.home());
        command.args(words).envs(settings);
        output(command)
    };
    let (code, text) = shuntd(&house, &["check"]);
    assert!(code == Some(0) && text.contains("is of this version") && text.contains("1 job (0 unfinished)"), "{text}");
    house.shunt(&["queue", "pause"]).expect(0, &["paused since"]);
    assert!(house.terminate().success());
    house.start_again();
    house.shunt(&["queue", "resume"]).expect(0, &["the queue is open"]);
    house.shunt(&["retention", "apply"]).expect(0, &["those of 0 jobs are gone"]);
    let file = house.home().join("b.tar.zst");
    let file = file.to_str().expect("a path");
    let (code, text) = shuntd(&house, &["backup", file]);
    assert!(code == Some(1) && text.contains("pg_dump") && !text.contains("password"), "{text}");
    let (code, text) = shuntd(&house, &["backup", "--files-only", file]);
    assert!(code == Some(0) && text.contains("The database is not in it"), "{text}");
    let to = house.home().join("restored");
    let (code, text) = shuntd(&house, &["restore", file, "--to", to.to_str().expect("a path")]);
    assert!(code == Some(0) && text.contains("1. restore the pg_dump"), "{text}");
}

#[test]
fn programs_tell_their_own_names() {
    let home = tempfile::tempdir().expect("a home");
    for name in ["shuntd", "shunt"] {
        let mut command = command(name, home.path());
        command.arg("--version");
        let (code, text) = output(command);
        assert!(code == Some(0) && text.starts_with(&format!("{name} {}", env!("CARGO_PKG_VERSION"))), "{text}");
    }
}
