//! Passwords, passphrases and private keys of a bootstrap: in no command line, no environment, no file, no log.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::enrolment::*;
use super::house::{House, host};
use super::terminal::Terminal;
use crate::support::sshd::{DEBIAN_12, TestHost};

/// Looks through the command lines and environments of all processes of this machine, those in test hosts included,
/// while `work` runs; returns where one of `secrets` was seen, and how often it has looked.
fn watched<T>(secrets: &[&str], work: impl FnOnce() -> T) -> (T, Vec<String>, u32) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let (mut seen, mut looks) = (Vec::new(), 0);
            while !over.load(Ordering::Relaxed) {
                looks += 1;
                for process in fs::read_dir("/proc").expect("/proc").flatten() {
                    for name in ["cmdline", "environ"] {
                        let text = fs::read(process.path().join(name)).unwrap_or_default();
                        if secrets.iter().any(|secret| holds(&text, secret)) {
                            seen.push(format!("{name}: {}", String::from_utf8_lossy(&text).replace('\0', " ")));
                        }
                    }
                }
            }
            (seen, looks)
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        let (seen, looks) = watch.join().expect("the watch");
        (done, seen, looks)
    })
}

fn holds(text: &[u8], secret: &str) -> bool {
    text.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// Every file below `dir` that holds one of the secrets.
fn files_with(dir: &Path, secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let kind = entry.file_type().expect("its type");
        if kind.is_dir() {
            found.extend(files_with(&entry.path(), secrets));
        } else if kind.is_file() {
            let text = fs::read(entry.path()).unwrap_or_default();
            let held = secrets.iter().filter(|secret| holds(&text, secret));
            found.extend(held.map(|secret| format!("{} has {secret}", entry.path().display())));
        }
    }
    found
}

/// Nothing on either side may hold the secrets. Host keys and the like are private keys, too: only ours are looked for.
fn expect_nowhere(house: &House, host: &TestHost, secrets: &[&str]) {
    assert_eq!(files_with(house.home(), secrets), [""; 0], "on the dispatcher's side");
    for dir in ["etc/sudoers.d", "home", "root", "var/lib", "var/log", "var/tmp", "tmp", "dev/shm", "run"] {
        assert_eq!(files_with(&host.path(dir), secrets), [""; 0], "on the host");
    }
    assert!(!secrets.iter().any(|secret| host.log().contains(secret)));
}

/// A secret of this run alone: the watch sees the whole machine, where the same test may run a second time.
fn unique(word: &str) -> String {
    format!("{word}-{:x}", std::process::id())
}

fn talkative_house() -> House {
    House::start_logging("trace")
}

#[test]
fn a_password_is_seen_nowhere_while_and_after_it_is_used() {
    let (host, house) = (host("d1", DEBIAN_12), talkative_house());
    let password = &unique("swordfish");
    host.run_inside(&format!("echo carol:{password} | chpasswd"));
    let secrets = [password.as_str()];
    let (ran, seen, looks) = watched(&secrets, || install_by_password(&house, &host, "carol", password, &[]));
    ran.expect(0, &["sudo with the password"]);
    assert_eq!(seen, [""; 0]);
    assert!(looks >= 3, "looked only {looks} times");
    expect_nowhere(&house, &host, &[password, "PRIVATE KEY"]);
    // Its removal has a secret of its own, which must be in no command line, and the hash of it in no log.
    let hash = host.run_inside("cut -d' ' -f1 /var/lib/shuntyard/retire-hashes");
    house.shunt(&["ctl", "delete-runner", "d1", "-y"]).expect(0, &["removed key"]);
    expect_nowhere(&house, &host, &[password, &hash, "PRIVATE KEY"]);

    let ran = install_by_password(&house, &host, "carol", "wrong-8d1e77", &[]);
    ran.expect(1, &["failed: step connect"]);
    expect_nowhere(&house, &host, &[password, "wrong-8d1e77"]);
}

#[test]
fn a_passphrase_and_its_key_are_seen_nowhere_while_and_after_they_are_used() {
    let (host, house) = (host("d1", DEBIAN_12), talkative_house());
    let (passphrase, outside) = (&unique("open-sesame"), tempfile::tempdir().unwrap());
    let key = outside.path().join("key");
    fs::rename(login_key(&house, &host, "deploy"), &key).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let lock = Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", passphrase, "-f"]).arg(&key).status();
    assert!(lock.unwrap().success());
    let text = fs::read_to_string(&key).unwrap();
    let of_key = text.lines().nth(2).unwrap();
    let secrets = [passphrase.as_str(), of_key];
    let port = host.port.to_string();
    let ((code, screen), seen, looks) = watched(&secrets, || {
        let mut command = house.shunt_command();
        command.args(["ctl", "install-runner", "d1", "deploy", "-y", "--address", &host.address, "-p", &port, "-i"]);
        let mut terminal = Terminal::start(command.arg(&key));
        terminal.answer("passphrase of the key: ", passphrase);
        terminal.end()
    });
    assert!(code == 0 && screen.contains("runner d1 is enrolled"), "{screen}");
    assert_eq!(seen, [""; 0]);
    assert!(looks >= 3, "looked only {looks} times");
    assert!(!secrets.iter().any(|secret| screen.contains(secret)), "{screen}");
    expect_nowhere(&house, &host, &[passphrase, of_key, "PRIVATE KEY"]);
}

#[test]
fn the_watch_itself_sees_what_there_is_to_see() {
    let fish = &unique("halibut");
    let ((), seen, _) = watched(&[fish], || {
        let sleep = Command::new("sleep").arg("0.3").env("FISH", fish).status();
        assert!(sleep.unwrap().success());
    });
    assert!(seen.iter().any(|place| place.starts_with("environ: ")), "{seen:?}");
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("deep")).unwrap();
    fs::write(dir.path().join("deep/file"), [b"\0\xff", fish.as_bytes(), b"\0"].concat()).unwrap();
    assert_eq!(files_with(dir.path(), &[fish]).len(), 1);
}
