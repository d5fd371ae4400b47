//! `shuntd backup` beside a running dispatcher, and a restore whose runners know more than the backup.

use std::fs;
use std::path::Path;
use std::process::Output;

use super::client::Ran;
use super::house::{BLOCKER, House, await_that, await_truth, command, host, truth};
use crate::support::sshd::UBUNTU_2204;

fn shuntd(house: &House, words: &[&str]) -> Ran {
    let mut command = command("shuntd", house.home());
    let Output { status, stdout, stderr } = command.args(words).output().expect("shuntd runs");
    Ran { code: status.code().unwrap_or(-1), stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_restored_dispatcher_asks_its_runners_before_anything_starts_takes_up_what_runs_and_reports_the_rest() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let done = house.submit(&[], "echo done before");
    house.await_end(&done);
    let first = house.submit(&[], "until [ -e ~/one ]; do sleep 0.05; done");
    house.await_state(&first, &["running"]);
    let second = house.submit(&[], &format!("echo x >>~/starts; {BLOCKER}"));
    let third = house.submit(&[], "echo x >>~/third");
    let file = house.home().join("b.tar.zst");
    shuntd(&house, &["backup", text(&file)]).expect(0, &["master.key is not in it"]);
    assert!(shuntd(&house, &["backup", text(&file)]).stderr.contains("is there already"));
    // What the backup does not know: the first job ends, the second runs, and one more is submitted and ends.
    host.run_inside("touch /home/deploy/one");
    await_truth(&host, "starts", "x\n");
    let base = house.api("runners/u1")["base_dir"].as_str().expect("a base directory").to_owned();
    house.kill();
    // The channel that runs the second job would have said so at its end.
    host.run_inside(&format!("rm -r {base}/j/{}-1", first.replace('-', "")));
    let data = house.data_dir();
    let old = data.with_file_name("old");
    fs::rename(&data, &old).expect("the data is lost");
    shuntd(&house, &["restore", text(&file), "--to", text(&data)])
        .expect(0, &["put master.key", "queue starts paused"]);
    let again = shuntd(&house, &["restore", text(&file), "--to", text(&data)]);
    assert!(again.code == 1 && again.stderr.contains("is not empty"), "{}", again.stderr);
    let keyless = shuntd(&house, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(keyless.code == 1 && keyless.stderr.contains("master key"), "{}", keyless.stderr);
    fs::copy(old.join("master.key"), data.join("master.key")).expect("the key is put back");
    shuntd(&house, &["check"]).expect(0, &[]);
    house.start_again();
    let queue = || house.api("queue");
    await_that("every runner was asked", || queue()["paused"] == false, || format!("{}\n{}", queue(), house.log()));
    let log = house.log();
    assert!(log.contains("the queue is paused: no waiting job starts"), "{log}");
    assert!(log.contains("has run since; it is taken up"), "{log}");
    assert_eq!(house.job(&second)["state"], "running");
    // Its output is gone from the host, and was never stored here.
    assert_eq!(house.await_end(&first)["state"], "lost", "{}", house.log());
    host.run_inside("touch /home/deploy/go");
    assert_eq!(house.await_end(&second)["state"], "succeeded");
    assert_eq!(house.shunt(&["logs", &second]).text(), "begun\ndone\n");
    assert_eq!(house.await_end(&third)["state"], "succeeded");
    assert_eq!((truth(&host, "starts"), truth(&host, "third")), ("x\n".into(), "x\n".into()));
    assert_eq!(house.shunt(&["logs", &done]).text(), "done before\n");
}

#[test]
fn a_restore_waits_for_a_runner_that_is_away_until_an_admin_lets_the_queue_go_on() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 2)]);
    let file = house.home().join("b.tar.zst");
    shuntd(&house, &["backup", "--with-master-key", text(&file)]).expect(0, &["master.key IS in it"]);
    // Placed after the backup: nobody knows it then.
    let unknown = house.submit(&[], BLOCKER);
    house.await_state(&unknown, &["running"]);
    house.kill();
    host.kill_sshd();
    let data = house.data_dir();
    fs::remove_dir_all(&data).expect("the data is lost");
    shuntd(&house, &["restore", text(&file), "--to", text(&data)]).expect(0, &[]);
    house.start_again();
    let waits = house.submit(&[], "true");
    house.shunt(&["queue", "show"]).expect(0, &["shuntd restore", "not asked yet: u1"]);
    house.shunt(&["explain", &waits]).expect(0, &["from the backup of", "shunt queue resume"]);
    house.shunt(&["queue", "resume"]).expect(0, &["the queue is open"]);
    host.restart();
    assert_eq!(house.await_end(&waits)["state"], "succeeded");
    host.run_inside("touch /home/deploy/go");
}

#[test]
fn a_restore_does_not_wait_for_a_runner_that_is_deleted() {
    let host = host("u1", UBUNTU_2204);
    let mut house = House::with(&[(&host, 1)]);
    let waits = house.submit(&["--filter", "hostname=u2"], "true");
    let file = house.home().join("b.tar.zst");
    shuntd(&house, &["backup", "--with-master-key", text(&file)]).expect(0, &[]);
    assert!(house.terminate().success());
    host.kill_sshd();
    let data = house.data_dir();
    fs::remove_dir_all(&data).expect("the data is lost");
    shuntd(&house, &["restore", text(&file), "--to", text(&data)]).expect(0, &[]);
    assert!(!data.join("shuntyard.db.restoring").exists());
    house.start_again();
    house.shunt(&["queue", "show"]).expect(0, &["not asked yet: u1"]);
    house.shunt(&["ctl", "delete-runner", "u1", "--force", "-y"]).expect(0, &[]);
    house.shunt(&["queue", "show"]).expect(0, &["the queue is open"]);
    assert_eq!(house.job(&waits)["state"], "queued");
}

#[test]
fn a_damaged_or_cut_backup_is_refused_and_nothing_is_written() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    house.shunt(&["run", "--", "seq", "5000"]).expect(0, &[]);
    let file = house.home().join("b.tar.zst");
    shuntd(&house, &["backup", text(&file)]).expect(0, &[]);
    let whole = fs::read(&file).expect("the backup");
    let to = house.home().join("restored");
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    for (what, bytes) in [("cut", &whole[..whole.len() - 200]), ("flipped", &flipped[..]), ("other", b"no archive")] {
        fs::write(&file, bytes).expect("a damaged backup");
        let refused = shuntd(&house, &["restore", text(&file), "--to", text(&to)]);
        assert!(refused.code == 1 && refused.stderr.contains("not a whole backup"), "{what}: {}", refused.stderr);
        assert!(!to.exists(), "{what}: something was written");
    }
    let data = house.data_dir();
    fs::write(&file, &whole).expect("the backup");
    let running = shuntd(&house, &["restore", text(&file), "--to", text(&data)]);
    assert!(running.code == 1 && running.stderr.contains("a shuntd runs on"), "{}", running.stderr);
    shuntd(&house, &["restore", text(&file), "--to", text(&to)]).expect(0, &[]);
}
