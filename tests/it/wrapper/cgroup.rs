//! A job in a cgroup of its own: every escapee hears TERM, nothing outlives the KILL, and no cgroup is left behind.
//!
//! Where this machine has no cgroup of version 2 that we may divide, the same is asked of the other means.

use std::path::PathBuf;

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::receipt::StopReceipt;
use shuntyard_domain::wire::control::{Control, Hello};
use shuntyard_domain::wire::frame::{Verb, Word};

use super::driver::*;

/// Lets the wrapper of this host give every job a cgroup below ours; tells whether it can, and says so when it cannot.
pub fn with_cgroups(host: &Host) -> bool {
    let wrapper = host.base().join("wrapper-1");
    let text = std::fs::read_to_string(&wrapper).unwrap();
    std::fs::write(&wrapper, format!("shunt_cgroup=own\n{text}")).unwrap();
    let has = hello(host).means.contains(&"cgroup".to_owned());
    if !has {
        eprintln!("no cgroup of version 2 that these tests may divide: only the other means are tested");
    }
    has
}

fn hello(host: &Host) -> Hello {
    let answer = host.ask(|nonce| Verb::Hello { nonce });
    let Some(Control::Hello(hello)) = answer.into_iter().next() else { panic!("no hello") };
    hello
}

/// Removes an attempt's files, and its cgroup.
fn forget(host: &Host, id: AttemptId) {
    let nonce = nonce();
    let mut channel = host.open(&Verb::Remove { nonce: &nonce, ids: &[id] }, &nonce);
    channel.close();
    channel.wait_closed();
    assert_eq!(cgroup(host, id), None);
}

fn receipt(channel: &Channel) -> StopReceipt {
    let mut receipt = StopReceipt::default();
    for control in channel.controls() {
        if let Control::Receipt(line) = control {
            receipt.add(line);
        }
    }
    receipt
}

/// An attempt of its own: all tests of this machine share its cgroups.
pub fn fresh() -> AttemptId {
    AttemptId { job: JobId(uuid::Uuid::now_v7()), attempt: 1 }
}

fn named(host: &Host, file: &str, wanted: usize) -> Vec<u32> {
    let read = || std::fs::read_to_string(host.dir.path().join(file)).unwrap_or_default();
    wait_until("the script's processes", || read().lines().count() >= wanted, read);
    read().lines().map(|line| line.parse().unwrap()).collect()
}

/// Where the attempt's cgroup is, if it has one.
fn cgroup(host: &Host, id: AttemptId) -> Option<PathBuf> {
    let text = std::fs::read_to_string(host.spool(id).join("cgroup")).unwrap_or_default();
    Some(PathBuf::from(text.trim())).filter(|path| path.is_absolute())
}

/// Out of the session by two forks, without the cookie, without the log: only a cgroup finds it.
fn ghost(body: &str) -> String {
    format!(
        "p=$HOME/pids h=$HOME/heard; export p h; env -i PATH=\"$PATH\" p=$p h=$h setsid sh -c '(setsid sh -c '\\''echo $$ >>$p; {body}'\\'' \
         </dev/null >/dev/null 2>&1 &)'"
    )
}

#[test]
fn what_left_session_environment_and_log_is_found_by_its_cgroup() {
    under_every_shell(|host| {
        let cgroups = with_cgroups(host);
        for body in [
            "exec sleep 60",
            "trap \"\" TERM; while :; do sleep 0.1; done",
            "kill -STOP $$; exec sleep 61",
            "(setsid sleep 62 &) ; exec sleep 63",
        ] {
            let id = fresh();
            let _ = std::fs::remove_file(host.dir.path().join("pids"));
            let mut channel = host.run(id, &format!("{}\nsleep 70", ghost(body)));
            let pids = named(host, "pids", 1);
            channel.wait_ok();
            if !cgroups {
                channel.word(Word::Cancel { grace_s: Some(0) });
                channel.wait_end(0);
                run(std::process::Command::new("kill").args(["-KILL", &pids[0].to_string()]));
                continue;
            }
            let cgroup = cgroup(host, id).unwrap_or_else(|| panic!("no cgroup under {}", host.shell.argv[0]));
            assert!(std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap().contains(&pids[0].to_string()));
            channel.word(Word::Cancel { grace_s: Some(1) });
            let end = channel.wait_end(0);
            assert_eq!(end.stopped, Some(StopReason::User));
            assert!(!runs(pids[0]), "`{body}` outlived the end under {}", host.shell.argv[0]);
            let receipt = receipt(&channel);
            assert_eq!(receipt.means, ["cgroup", "environment", "log", "session", "group"]);
            assert!(receipt.before.as_ref().unwrap().pids.contains(&pids[0]), "{pids:?} in {receipt:?}");
            assert!(
                receipt.signals[0].signal == "TERM" && receipt.signals[0].to.pids.contains(&pids[0]),
                "{receipt:?}"
            );
            assert_eq!(receipt.left.as_ref().map(|left| left.count), Some(0), "{receipt:?}");
            channel.word(Word::Ack { remove: true });
            channel.wait_closed();
            assert!(!cgroup.exists(), "{cgroup:?} is left under {}", host.shell.argv[0]);
        }
    });
}

#[test]
fn an_escapee_hears_term_and_may_clean_up_within_the_grace() {
    under_every_shell(|host| {
        if !with_cgroups(host) {
            return;
        }
        let body = "trap \"sleep 0.5; echo cleaned >\\$h; exit\" TERM; while :; do sleep 0.05; done";
        let id = fresh();
        let mut channel = host.run(id, &format!("{}\nsleep 70", ghost(body)));
        named(host, "pids", 1);
        channel.wait_ok();
        channel.word(Word::Cancel { grace_s: Some(20) });
        channel.wait_end(0);
        assert_eq!(std::fs::read_to_string(host.dir.path().join("heard")).unwrap_or_default(), "cleaned\n");
        assert!(receipt(&channel).signals.iter().all(|sent| sent.signal != "KILL"), "{:?}", receipt(&channel));
        forget(host, id);
    });
}

#[test]
fn what_lives_on_after_a_natural_end_keeps_its_cgroup_until_it_ends() {
    under_every_shell(|host| {
        if !with_cgroups(host) {
            return;
        }
        let id = fresh();
        let mut channel =
            host.run(id, &format!("{}\nuntil [ -s ~/pids ]; do sleep 0.02; done", ghost("exec sleep 60")));
        assert_eq!(channel.wait_end(0).exit_code, 0);
        let (pids, cgroup) = (named(host, "pids", 1), cgroup(host, id).unwrap());
        channel.word(Word::Ack { remove: true });
        channel.wait_closed();
        assert!(runs(pids[0]) && cgroup.exists());
        run(std::process::Command::new("kill").args(["-KILL", &pids[0].to_string()]));
        wait_until("it is gone", || !runs(pids[0]), || pids[0].to_string());
        hello(host);
        wait_until("its cgroup is gone", || !cgroup.exists(), || cgroup.display().to_string());
    });
}

#[test]
fn a_dead_waiting_side_leaves_nothing_of_the_job_in_its_cgroup() {
    under_every_shell(|host| {
        if !with_cgroups(host) {
            return;
        }
        let id = fresh();
        let channel = host.run(id, &format!("{}\nsleep 70", ghost("exec sleep 60")));
        let pids = named(host, "pids", 1);
        let waiter = channel.wait_ok();
        run(std::process::Command::new("kill").args(["-KILL", &waiter.to_string()]));
        channel.wait_control("lost", |c| matches!(c, Control::Lost { .. }));
        wait_until("the job's processes are gone", || !runs(pids[0]), || format!("{pids:?}"));
        forget(host, id);
    });
}

#[test]
fn a_host_without_a_cgroup_of_ours_runs_jobs_with_the_other_means() {
    under_every_shell(|host| {
        assert_eq!(hello(host).means, ["environment", "log", "session", "group"]);
        // Asked for at the bootstrap, and gone since: root's program is not there.
        let wrapper = host.base().join("wrapper-1");
        let text = std::fs::read_to_string(&wrapper).unwrap();
        let elsewhere =
            text.replace("mounted=/sys/fs/cgroup\n", "mounted=/nowhere\n").replace("/sys/fs/cgroup", "/nowhere");
        std::fs::write(&wrapper, format!("shunt_cgroup=sudo\n{elsewhere}")).unwrap();
        assert_eq!(hello(host).means, ["environment", "log", "session", "group"]);
        let id = fresh();
        assert_eq!(host.run(id, "echo runs").finish().1, "runs\n");
        assert!(!host.spool(id).join("cgroup").exists());
    });
}
