//! The end of a channel: with a word, without one, and with a deadline for the orphan.

use shuntyard_domain::job::JobSpec;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::control::Control;
use shuntyard_domain::wire::frame::Word;

use super::cgroup::fresh;
use super::driver::*;

const SCRIPT: &str = "echo $$; until [ -e ../../go ]; do sleep 0.05; done; echo done";

fn pid(channel: &Channel) -> u32 {
    channel.wait("its pid", |c| c.output().ends_with(b"\n"));
    String::from_utf8(channel.output()).unwrap().lines().next().unwrap().parse().unwrap()
}

fn orphan(grace_s: Option<u32>) -> JobSpec {
    JobSpec { orphan_grace_s: grace_s, ..spec(SCRIPT) }
}

#[test]
fn a_job_outlives_its_channel_and_the_launcher() {
    under_every_shell(|host| {
        for (n, how) in ["close", "bye", "kill"].into_iter().enumerate() {
            let _ = std::fs::remove_file(host.base().join("go"));
            let id = id(n as u128);
            let mut channel = host.run_with(id, &orphan(if how == "bye" { Some(0) } else { None }), &[]);
            let pid = pid(&channel);
            match how {
                "close" => channel.close(),
                "bye" => channel.word(Word::Bye),
                _ => {
                    channel.child.kill().unwrap();
                    // sshd closes stdin when its child is gone.
                    channel.close();
                }
            }
            channel.wait_closed();
            assert!(runs(pid), "{how}");
            let again = host.at(id, 0);
            again.wait_control("at", |c| matches!(c, Control::At { pid } if *pid > 0));
            std::fs::write(host.base().join("go"), "").unwrap();
            let end = again.wait_end(0);
            assert_eq!((end.exit_code, end.stopped), (0, None), "{how}");
            assert!(again.output().ends_with(b"done\n"));
        }
    });
}

#[test]
fn an_orphan_without_grace_is_killed_with_its_channel() {
    under_every_shell(|host| {
        let mut channel = host.run_with(id(1), &orphan(Some(0)), &[]);
        let pid = pid(&channel);
        channel.close();
        wait_until("the orphan is gone", || !runs(pid), || pid.to_string());
        assert_eq!(host.at(id(1), 0).wait_end(0).stopped, Some(StopReason::Orphaned));
    });
}

#[test]
fn an_orphan_lives_when_somebody_attaches_within_its_grace() {
    under_every_shell(|host| {
        let mut channel = host.run_with(id(1), &orphan(Some(1)), &[]);
        let pid = pid(&channel);
        channel.close();
        channel.wait_closed();
        let again = host.at(id(1), 0);
        again.wait_control("at", |c| matches!(c, Control::At { .. }));
        // Longer than the grace: the first channel's deadline must see that somebody is here.
        std::thread::sleep(std::time::Duration::from_millis(2500));
        assert!(runs(pid));
        std::fs::write(host.base().join("go"), "").unwrap();
        assert_eq!(again.wait_end(0).stopped, None);

        let mut channel = host.run_with(id(2), &JobSpec { orphan_grace_s: Some(1), ..spec("echo $$; sleep 60") }, &[]);
        let pid = self::pid(&channel);
        channel.close();
        wait_until("the orphan is gone", || !runs(pid), || pid.to_string());
        assert_eq!(host.at(id(2), 0).wait_end(0).stopped, Some(StopReason::Orphaned));
    });
}

#[test]
fn a_link_that_dies_silently_is_missed_by_the_words_that_do_not_come() {
    under_every_shell(|host| {
        // The patience with a silent link, cut from 30 s.
        let wrapper = host.base().join("wrapper-1");
        let text = std::fs::read_to_string(&wrapper).unwrap();
        let hasty = text.replace("patience=30", "patience=4");
        assert_ne!(text, hasty);
        std::fs::write(&wrapper, hasty).unwrap();
        let (silent, said) = (fresh(), fresh());
        let silent_channel = host.run_with(silent, &orphan(Some(0)), &[]);
        let mut heard = host.run_with(said, &orphan(Some(0)), &[]);
        let bye = fresh();
        let mut left = host.run_with(bye, &orphan(Some(0)), &[]);
        let pids = [pid(&heard), pid(&left)];
        left.word(Word::Bye);
        // The channel stays open, as behind a firewall that forgot the connection.
        let ended = || {
            heard.word(Word::Here);
            silent_channel.controls().iter().any(|c| matches!(c, Control::End(_)))
        };
        wait_until("the silent one is stopped", ended, String::new);
        assert_eq!(silent_channel.wait_end(0).stopped, Some(StopReason::Orphaned));
        assert!(pids.iter().all(|pid| runs(*pid)), "{pids:?} under {}", host.shell.argv[0]);
        std::fs::write(host.base().join("go"), "").unwrap();
        assert_eq!(heard.wait_end(0).stopped, None);
        assert_eq!(host.at(bye, 0).wait_end(0).stopped, None);
    });
}
