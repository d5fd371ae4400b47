//! The receipt of a stop: told before the end on every channel, and true by /proc.

use shuntyard_domain::job::JobSpec;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::receipt::StopReceipt;
use shuntyard_domain::wire::control::Control;
use shuntyard_domain::wire::frame::{Verb, Word};

use super::driver::*;

/// What the channel told before the end.
fn receipt(channel: &Channel) -> StopReceipt {
    let mut receipt = StopReceipt::default();
    for control in channel.controls() {
        match control {
            Control::Receipt(line) => receipt.add(line),
            Control::End(_) => break,
            _ => {}
        }
    }
    receipt
}

fn count(processes: Option<&shuntyard_domain::receipt::Processes>) -> Option<usize> {
    processes.map(|p| p.count)
}

/// The pids that a script wrote to `~/pids`, once there are `wanted`.
fn named(host: &Host, wanted: usize) -> Vec<u32> {
    let read = || std::fs::read_to_string(host.dir.path().join("pids")).unwrap_or_default();
    wait_until("the script's processes", || read().lines().count() >= wanted, read);
    read().lines().map(|line| line.parse().unwrap()).collect()
}

/// One way out of the job's group each; every one writes its pid to `~/pids`.
const ESCAPEES: [(&str, &str); 8] = [
    ("setsid", "setsid sh -c 'echo $$ >>~/pids; exec sleep 60' &"),
    ("double fork", "(setsid sh -c 'sh -c \"echo \\$\\$ >>~/pids; exec sleep 61\" & exit' &)"),
    ("env -i", "p=$HOME/pids; env -i PATH=\"$PATH\" sh -c \"echo \\$\\$ >>$p; exec sleep 62\" &"),
    ("env -i and setsid", "p=$HOME/pids; env -i PATH=\"$PATH\" setsid sh -c \"echo \\$\\$ >>$p; exec sleep 63\" &"),
    ("setsid, no output kept", "setsid sh -c 'echo $$ >>~/pids; exec sleep 64' </dev/null >/dev/null 2>&1 &"),
    ("stopped", "sh -c 'echo $$ >>~/pids; kill -STOP $$; exec sleep 65' &"),
    ("stopped in a session of its own", "setsid sh -c 'echo $$ >>~/pids; kill -STOP $$; exec sleep 66' &"),
    ("TERM ignored", "sh -c 'trap \"\" TERM; echo $$ >>~/pids; while :; do sleep 0.1; done' &"),
];

#[test]
fn every_escapee_is_gone_when_the_end_is_told_and_stands_in_the_receipt() {
    under_every_shell(|host| {
        for (n, (name, escape)) in (1..).zip(ESCAPEES) {
            let _ = std::fs::remove_file(host.dir.path().join("pids"));
            let mut channel = host.run(id(n), &format!("{escape}\nsleep 70"));
            let pids = named(host, 1);
            assert!(runs(pids[0]), "{name}");
            channel.word(Word::Cancel { grace_s: Some(1) });
            let end = channel.wait_end(0);
            assert!(!runs(pids[0]), "{name} outlived the end under {}", host.shell.argv[0]);
            let receipt = receipt(&channel);
            assert_eq!(end.stopped, Some(StopReason::User));
            let before = &receipt.before.as_ref().unwrap().pids;
            assert!(before.contains(&pids[0]), "{name}: {pids:?} in {receipt:?}");
            assert_eq!(count(receipt.left.as_ref()), Some(0), "{name}: {receipt:?}");
            let signals: Vec<&str> = receipt.signals.iter().map(|sent| sent.signal.as_str()).collect();
            assert!(signals.starts_with(&["TERM", "CONT"]), "{name}: {signals:?}");
            assert_eq!(receipt.means, ["environment", "log", "session", "group"]);
        }
    });
}

#[test]
fn a_job_that_ends_within_its_grace_is_not_killed_and_still_has_a_receipt() {
    under_every_shell(|host| {
        let mut channel = host.run(id(1), "trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done");
        channel.wait("up", |c| c.output() == b"up\n");
        channel.word(Word::Cancel { grace_s: Some(10) });
        assert_eq!(channel.wait_end(0).exit_code, 3);
        let receipt = receipt(&channel);
        assert!(receipt.before.as_ref().unwrap().count >= 1, "{receipt:?}");
        assert!(receipt.signals.iter().all(|sent| sent.signal != "KILL"), "{receipt:?}");
        assert_eq!(count(receipt.left.as_ref()), Some(0));
    });
}

#[test]
fn a_job_that_ends_by_itself_has_no_receipt() {
    under_every_shell(|host| {
        let channel = host.run(id(1), "sleep 60 & exit 4");
        assert_eq!(channel.wait_end(0).exit_code, 4);
        assert!(receipt(&channel).is_empty());
        assert!(!host.spool(id(1)).join("receipt").exists());
    });
}

#[test]
fn the_receipt_of_any_stop_is_told_again_to_whoever_attaches_later() {
    under_every_shell(|host| {
        for (n, limits, script, reason) in [
            (1, (Some(1), None, None), "while :; do echo x; sleep 0.2; done", StopReason::RunLimit),
            (2, (None, Some(1), None), "echo x; sleep 60", StopReason::SilenceLimit),
            (3, (None, None, Some(0)), "sleep 60", StopReason::Orphaned),
        ] {
            let spec =
                JobSpec { run_limit_s: limits.0, silence_limit_s: limits.1, orphan_grace_s: limits.2, ..spec(script) };
            let mut channel = host.run_with(id(n), &spec, &[]);
            channel.wait_ok();
            // Without a word the orphan grace counts; `bye` leaves the job to its limits.
            if limits.2.is_none() {
                channel.word(Word::Bye);
            }
            channel.close();
            channel.wait_exit();
            for _ in 0..2 {
                let again = host.at(id(n), 0);
                assert_eq!(again.wait_end(0).stopped, Some(reason));
                let receipt = receipt(&again);
                assert!(receipt.before.as_ref().unwrap().count >= 1, "{reason}: {receipt:?}");
                assert_eq!(count(receipt.left.as_ref()), Some(0), "{reason}: {receipt:?}");
            }
            let answer = host.ask(|nonce| Verb::Kill { id: id(n), nonce, grace_s: 0 });
            assert!(matches!(answer.first(), Some(Control::Receipt(_))), "{answer:?}");
        }
    });
}

#[test]
fn what_cannot_be_ended_is_said_to_be_left() {
    // A process that the job's account may not signal is stood in for by a `kill` that does nothing for it.
    let host = Host::new(&SHELLS[0]);
    let wrapper = host.base().join("wrapper-1");
    let text = std::fs::read_to_string(&wrapper).unwrap();
    let powerless = "kill() { case \"$*\" in -KILL*) return 1 ;; *) command kill \"$@\" ;; esac; }\n";
    std::fs::write(&wrapper, text.replacen("set -u\n", &format!("set -u\n{powerless}"), 1)).unwrap();
    let mut channel = host.run(id(1), "setsid sh -c 'echo $$ >>~/pids; exec sleep 60' & sleep 61");
    let pids = named(&host, 1);
    channel.word(Word::Cancel { grace_s: Some(1) });
    channel.wait_end(0);
    let left = receipt(&channel).left.unwrap();
    assert_eq!((left.pids.as_slice(), runs(pids[0])), (pids.as_slice(), true));
    run(std::process::Command::new("kill").args(["-KILL", &pids[0].to_string()]));
}
