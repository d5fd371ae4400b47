//! Stopping: the ladder, what it reaches, and who tells the reason.

use shuntyard_domain::job::JobSpec;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::control::{Control, Receipt};
use shuntyard_domain::wire::frame::{Verb, Word};

use super::driver::*;

/// The pids that a script printed, one a line, once there are `count`.
fn pids(channel: &Channel, count: usize) -> Vec<u32> {
    channel.wait("pids", |c| c.output().iter().filter(|b| **b == b'\n').count() >= count);
    String::from_utf8(channel.output()).unwrap().lines().map(|l| l.parse().unwrap()).collect()
}

fn all_gone(pids: &[u32]) {
    wait_until("all processes are gone", || !pids.iter().any(|p| runs(*p)), || format!("{pids:?}"));
}

#[test]
fn a_cancel_takes_the_whole_group_and_says_who_wanted_it() {
    under_every_shell(|host| {
        let mut channel = host.run(id(1), "sleep 60 & echo $!; sh -c 'echo $$; sleep 61; :' & sleep 62");
        let pids = pids(&channel, 2);
        channel.word(Word::Cancel { grace_s: None });
        let end = channel.wait_end(0);
        assert_eq!((end.exit_code, end.stopped), (143, Some(StopReason::User)));
        all_gone(&pids);
    });
}

#[test]
fn a_cancel_right_after_the_start_is_heard_and_not_only_killed() {
    under_every_shell(|host| {
        // The script's process is known, and leads no group yet.
        let wrapper = host.base().join("wrapper-1");
        let text = std::fs::read_to_string(&wrapper).unwrap();
        let slow = text.replace("\n  cd \"$work\" ||", "\n  sleep 0.5\n  cd \"$work\" ||");
        assert_ne!(text, slow);
        std::fs::write(&wrapper, slow).unwrap();
        let mut channel = host.run(id(1), "sleep 100");
        channel.wait_ok();
        let pid_is_written = || std::fs::read_to_string(host.spool(id(1)).join("pid")).unwrap().contains(" = ");
        wait_until("the script's process is known", pid_is_written, String::new);
        channel.word(Word::Cancel { grace_s: Some(1) });
        assert_eq!(channel.wait_end(0).exit_code, 143);
    });
}

#[test]
fn a_job_may_clean_up_within_its_grace() {
    under_every_shell(|host| {
        let mut channel = host.run(id(1), "trap 'echo cleaned; exit 9' TERM; echo up; while :; do sleep 0.05; done");
        channel.wait("up", |c| c.output() == b"up\n");
        channel.word(Word::Cancel { grace_s: Some(10) });
        let end = channel.wait_end(0);
        // Some shells log that their child was terminated.
        assert!(channel.output().ends_with(b"cleaned\n"));
        assert_eq!(end.exit_code, 9);
        assert_eq!(end.stopped, Some(StopReason::User));
    });
}

#[test]
fn a_job_that_ignores_term_is_killed_after_its_grace() {
    under_every_shell(|host| {
        let mut channel = host.run(id(1), "trap '' TERM; echo $$; while :; do sleep 0.1; done");
        let pids = pids(&channel, 1);
        channel.word(Word::Cancel { grace_s: Some(1) });
        assert_eq!(channel.wait_end(0).exit_code, 137);
        all_gone(&pids);
    });
}

#[test]
fn what_left_the_group_is_found_by_its_cookie() {
    under_every_shell(|host| {
        let script = "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' & \
                      setsid setsid sh -c 'echo $$; exec sleep 60' & sleep 60";
        let mut channel = host.run(id(1), script);
        let pids = pids(&channel, 2);
        channel.word(Word::Cancel { grace_s: Some(0) });
        channel.wait_end(0);
        // The end is the host's word that they are gone.
        assert!(!pids.iter().any(|p| runs(*p)), "{pids:?}");
    });
}

#[test]
fn stopped_children_hear_the_term() {
    under_every_shell(|host| {
        let mut channel = host.run(id(1), "sleep 60 & echo $!; kill -STOP $!; wait");
        let pids = pids(&channel, 1);
        channel.word(Word::Cancel { grace_s: Some(20) });
        assert_eq!(channel.wait_end(0).stopped, Some(StopReason::User));
        all_gone(&pids);
    });
}

#[test]
fn a_background_child_does_not_hold_the_end() {
    under_every_shell(|host| {
        let channel = host.run(id(1), "sleep 60 & echo $!; exit 4");
        let pids = pids(&channel, 1);
        let end = channel.wait_end(0);
        assert_eq!((end.exit_code, end.stopped), (4, None));
        all_gone(&pids);
    });
}

#[test]
fn a_job_that_kills_its_own_group_still_has_a_result() {
    under_every_shell(|host| {
        let (end, output) = host.run(id(1), "echo before; kill -TERM 0; sleep 5; echo after").finish();
        assert_eq!((end.exit_code, end.stopped, output.as_str()), (143, None, "before\n"));
    });
}

#[test]
fn the_kill_verb_answers_with_a_receipt_and_the_result() {
    under_every_shell(|host| {
        let channel = host.run(id(1), "setsid sleep 60 & echo $!; echo $$; trap '' TERM; while :; do sleep 0.1; done");
        let pids = pids(&channel, 2);
        let answer = host.ask(|nonce| Verb::Kill { id: id(1), nonce, grace_s: 1 });
        let [
            Control::Receipt(Receipt::Means { .. }),
            Control::Receipt(Receipt::Before { pids: before }),
            middle @ ..,
            Control::Receipt(Receipt::Left { pids: left }),
            Control::End(end),
        ] = answer.as_slice()
        else {
            panic!("{}: {answer:?}", host.shell.argv[0])
        };
        assert!(pids.iter().all(|p| before.contains(p)), "{pids:?} in {before:?}");
        assert_eq!(left, &[0; 0]);
        let signals: Vec<&str> = middle
            .iter()
            .map(|c| match c {
                Control::Receipt(Receipt::Sent { signal, .. }) => signal.as_str(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(signals.starts_with(&["TERM", "CONT", "KILL"]), "{signals:?}");
        assert_eq!((end.stopped, channel.wait_end(0)), (Some(StopReason::User), *end));
        all_gone(&pids);
    });
}

#[test]
fn limits_are_kept_by_the_runner_itself() {
    under_every_shell(|host| {
        for (n, limits, script, reason) in [
            (1, (Some(1), None), "while :; do echo x; sleep 0.2; done", StopReason::RunLimit),
            (2, (None, Some(1)), "echo x; sleep 60", StopReason::SilenceLimit),
        ] {
            let spec = JobSpec { run_limit_s: limits.0, silence_limit_s: limits.1, ..spec(script) };
            let mut channel = host.run_with(id(n), &spec, &[]);
            channel.wait_ok();
            // Nobody listens: the limit does not depend on the dispatcher.
            channel.word(Word::Bye);
            channel.wait_exit();
            assert_eq!(host.at(id(n), 0).wait_end(0).stopped, Some(reason));
        }
        let spec = JobSpec { run_limit_s: Some(30), silence_limit_s: Some(30), ..spec("echo quick") };
        assert_eq!(host.run_with(id(3), &spec, &[]).finish().0.stopped, None);
    });
}
