//! `next`: one channel that runs attempt after attempt.

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::output::Cksum;
use shuntyard_domain::wire::control::ResultRecord;
use shuntyard_domain::wire::frame::{Frame, Word, next_attempt};

use super::cgroup::{fresh, with_cgroups};
use super::driver::*;

impl Channel {
    /// Gives the channel of an ended attempt to another one.
    fn next(&mut self, id: AttemptId, script: &str) {
        self.nonce = nonce();
        let frame = Frame { spec: &spec(script), env: &Default::default() }.encode().unwrap();
        self.send(&[next_attempt(id, &self.nonce).as_bytes(), &frame].concat());
    }
}

/// The result of an attempt that wrote `output`, in full.
fn ended(exit_code: i32, output: &str) -> ResultRecord {
    let mut sum = Cksum::default();
    sum.update(output.as_bytes());
    ResultRecord { exit_code, size: output.len() as u64, cksum: sum.value(), stopped: None, has_outputs: false }
}

#[test]
fn attempts_follow_each_other_on_one_channel_and_share_nothing() {
    under_every_shell(|host| {
        let mut channel = host.run(id(0), "echo 0; A=1; export A; cd /; exit 7");
        assert_eq!(channel.wait_end(0), ended(7, "0\n"));
        // Enough of them that the earlier ones are removed meanwhile.
        for n in 1..20 {
            let script =
                if n % 3 == 0 { "exit 3" } else { "echo $SHUNT_JOB ${A-unset} ${N-unset} $PWD; N=1; export N" };
            channel.next(id(n), script);
            let expected = if n % 3 == 0 {
                ended(3, "")
            } else {
                ended(0, &format!("{} unset unset {}\n", id(n), host.work(id(n)).display()))
            };
            assert_eq!(channel.wait_end(0), expected, "{}", String::from_utf8_lossy(&channel.output()));
        }
        wait_until("the earlier attempts are removed", || !host.spool(id(3)).exists(), String::new);
        channel.word(Word::Ack { remove: true });
        channel.wait_closed();
        let left = |dir: &str| std::fs::read_dir(host.base().join(dir)).unwrap().count();
        wait_until("nothing is left", || left("j") + left("w") == 0, || format!("{} {}", left("j"), left("w")));
        assert_eq!(left("c"), 20, "the claims stay as fences");
    });
}

#[test]
fn a_long_frame_and_a_large_log_come_through() {
    under_every_shell(|host| {
        let mut channel = host.run(id(0), "true");
        channel.wait_end(0);
        let script = format!(": {}\nhead -c 3000000 /dev/zero", "x".repeat(9000));
        channel.next(id(1), &script);
        assert_eq!((channel.wait_end(0).size, channel.output().len()), (3_000_000, 3_000_000));
        channel.next(id(2), "echo after");
        channel.wait_end(0);
        assert_eq!(channel.output(), b"after\n");
    });
}

#[test]
fn a_lasting_attempt_streams_from_the_word_follow_on() {
    under_every_shell(|host| {
        let mut channel = host.run(id(0), "true");
        channel.wait_end(0);
        let go = host.dir.path().join("go");
        channel.next(id(1), &format!("echo one; until [ -e {} ]; do sleep 0.02; done; echo two", go.display()));
        channel.wait_ok();
        assert_eq!(channel.output(), b"", "nobody follows yet");
        channel.word(Word::Follow);
        channel.wait("the first line", |c| c.output() == b"one\n");
        std::fs::write(go, "").unwrap();
        let end = channel.wait_end(0);
        assert_eq!((channel.output(), end.exit_code), (b"one\ntwo\n".to_vec(), 0), "each byte once");
        channel.word(Word::Ack { remove: true });
        channel.wait_closed();
    });
}

#[test]
fn a_word_follow_at_the_end_gives_the_output_once() {
    under_every_shell(|host| {
        let mut channel = host.run(id(0), "true");
        channel.wait_end(0);
        for n in 1..12 {
            channel.next(id(n), "echo abc");
            channel.wait_ok();
            channel.word(Word::Follow);
            assert_eq!(channel.wait_end(0).size, 4);
        }
        channel.next(id(12), "true");
        channel.wait_end(0);
        let raw = String::from_utf8_lossy(&channel.raw_output()).into_owned();
        assert_eq!(raw.matches("abc\n").count(), 11, "{raw}");
    });
}

#[test]
fn a_next_attempt_can_be_cancelled_interrupted_and_cut_off() {
    under_every_shell(|host| {
        let mut channel = host.run(id(0), "true");
        channel.wait_end(0);
        channel.next(id(1), "sleep 100");
        channel.wait_ok();
        channel.word(Word::Cancel { grace_s: Some(20) });
        let end = channel.wait_end(0);
        assert_eq!((end.exit_code, end.stopped), (143, Some(StopReason::User)));
        channel.next(id(2), "kill -INT $$; echo not reached");
        assert_eq!(channel.wait_end(0).exit_code, 130, "signals are not ignored");
        let go = host.dir.path().join("go");
        channel.next(id(3), &format!("echo one; until [ -e {} ]; do sleep 0.02; done; echo two", go.display()));
        channel.wait_ok();
        channel.close();
        channel.wait_closed();
        let later = host.at(id(3), 0);
        std::fs::write(go, "").unwrap();
        assert_eq!(later.wait_end(0).exit_code, 0);
        assert_eq!(later.output(), b"one\ntwo\n");
    });
}

#[test]
fn a_claimed_attempt_is_not_started_again_on_a_used_channel() {
    under_every_shell(|host| {
        let script = "echo $$ >>../../starts; echo once";
        host.run(id(1), script).wait_end(0);
        let mut channel = host.run(id(0), "true");
        channel.wait_end(0);
        channel.next(id(1), script);
        let end = channel.wait_end(0);
        assert_eq!((channel.output(), end.exit_code), (b"once\n".to_vec(), 0));
        let starts = std::fs::read_to_string(host.base().join("starts")).unwrap();
        assert_eq!(starts.lines().count(), 1, "{starts}");
    });
}

#[test]
fn attempts_on_one_channel_have_a_cgroup_each_and_leave_none() {
    under_every_shell(|host| {
        if !with_cgroups(host) {
            return;
        }
        let ids: Vec<AttemptId> = (0..10).map(|_| fresh()).collect();
        let mut channel = host.run(ids[0], "grep ^0:: /proc/self/cgroup");
        let mut seen = Vec::new();
        for id in &ids {
            if *id != ids[0] {
                channel.next(*id, "grep ^0:: /proc/self/cgroup");
            }
            channel.wait_end(0);
            seen.push((format!("shuntyard-{id}"), String::from_utf8(channel.output()).unwrap().trim_end().to_owned()));
        }
        assert!(seen.iter().all(|(name, path)| path.ends_with(name.as_str())), "{}: {seen:?}", host.shell.argv[0]);
        channel.word(Word::Ack { remove: true });
        channel.wait_closed();
        let own = |(name, path): &(String, String)| path.trim_start_matches("0::").replace(&format!("/{name}"), "");
        let left = || {
            let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
            let dirs = mounts.iter().flat_map(|mount| seen.iter().map(move |s| format!("{mount}{}/{}", own(s), s.0)));
            dirs.filter(|dir| std::path::Path::new(dir).exists()).collect::<Vec<_>>()
        };
        wait_until("no cgroup is left", || left().is_empty(), || format!("{:?}", left()));
    });
}
