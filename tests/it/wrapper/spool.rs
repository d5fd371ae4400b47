//! The spool: fences, lists, removal, and a disk that is full.

use std::process::Command;

use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::control::{Control, ErrCode, LostWhy, SpoolState};
use shuntyard_domain::wire::frame::{Frame, Verb, Word};

use super::driver::*;

fn states(answer: &[Control]) -> Vec<(String, SpoolState)> {
    assert_eq!(answer.last(), Some(&Control::Eol));
    let jobs = answer.iter().filter_map(|c| match c {
        Control::Job { id, state } => Some((id.to_string(), *state)),
        _ => None,
    });
    jobs.collect()
}

#[test]
fn a_fenced_attempt_never_starts() {
    under_every_shell(|host| {
        for _ in 0..2 {
            assert_eq!(host.ask(|nonce| Verb::Fence { id: id(1), nonce }), [Control::Fenced]);
        }
        let channel = host.run(id(1), "touch ../../started");
        channel.wait_control("fenced", |c| *c == Control::Fenced);
        assert_eq!(states(&host.ask(|nonce| Verb::Status { nonce })), [(id(1).to_string(), SpoolState::Fenced)]);
        assert!(!host.base().join("started").exists());
    });
}

#[test]
fn a_fence_that_comes_late_says_what_became_of_the_attempt() {
    under_every_shell(|host| {
        let mut channel = host.run(id(1), "sleep 60");
        channel.wait_ok();
        let fence = || host.ask(|nonce| Verb::Fence { id: id(1), nonce });
        assert!(matches!(fence()[..], [Control::Job { state: SpoolState::Run { size: 0 }, .. }]), "{:?}", fence());
        channel.word(Word::Cancel { grace_s: Some(0) });
        let end = channel.wait_end(0);
        assert_eq!(fence(), [Control::Job { id: id(1), state: SpoolState::End(end) }]);
    });
}

#[test]
fn every_attempt_is_listed_and_only_ended_ones_are_removed() {
    under_every_shell(|host| {
        let mut ended = host.run(id(1), "mkdir -p a/b; touch a/b/c; chmod 500 a/b a; echo out");
        let end = ended.wait_end(0);
        ended.word(Word::Ack { remove: false });
        ended.wait_exit();
        let running = host.run(id(2), "echo 123; sleep 60");
        running.wait("output", |c| c.output() == b"123\n");
        assert_eq!(
            states(&host.ask(|nonce| Verb::Status { nonce })),
            [(id(1).to_string(), SpoolState::End(end)), (id(2).to_string(), SpoolState::Run { size: 4 })]
        );
        let nonce = nonce();
        let mut channel = host.open(&Verb::Remove { nonce: &nonce, ids: &[id(1), id(2), id(3)] }, &nonce);
        channel.wait_closed();
        let answer = channel.controls();
        let [
            Control::Removed { id: first },
            Control::Err { code: ErrCode::Refused, .. },
            Control::Removed { .. },
            Control::Eol,
        ] = answer.as_slice()
        else {
            panic!("{answer:?}")
        };
        assert_eq!(*first, id(1));
        assert!(!host.spool(id(1)).exists() && !host.work(id(1)).exists());
        assert!(host.spool(id(2)).exists());
        host.ask(|nonce| Verb::Kill { id: id(2), nonce, grace_s: 0 });
    });
}

#[test]
fn an_acknowledged_attempt_is_gone_and_cannot_run_again() {
    under_every_shell(|host| {
        host.run(id(1), "echo x >file; echo $$ >>../../starts").finish();
        wait_until(
            "the files are gone",
            || !host.spool(id(1)).exists() && !host.work(id(1)).exists(),
            || "j and w".into(),
        );
        // A start that sat in a socket buffer of a dead link arrives now.
        let late = host.run(id(1), "echo $$ >>../../starts");
        late.wait_control("refused", |c| matches!(c, Control::Err { code: ErrCode::Removed, .. }));
        assert_eq!(std::fs::read_to_string(host.base().join("starts")).unwrap().lines().count(), 1);
        let fence = host.ask(|nonce| Verb::Fence { id: id(1), nonce });
        assert!(matches!(fence[..], [Control::Err { code: ErrCode::Removed, .. }]), "{fence:?}");
        assert_eq!(host.ask(|nonce| Verb::Status { nonce }), [Control::Eol]);
    });
}

#[test]
fn a_claim_without_a_start_is_told_by_what_became_of_its_launcher() {
    under_every_shell(|host| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        // No process has the first two identities; the third and the fourth are what a power cut leaves.
        let lost = |why| Control::Lost { why, size: 0 };
        let claims = [
            (1, format!("1 1 {boot}"), true, lost(LostWhy::NoStart)),
            (2, "1 1 another-boot\n".to_owned(), true, lost(LostWhy::Reboot)),
            (3, String::new(), true, lost(LostWhy::Reboot)),
            (4, String::new(), false, Control::Fenced),
        ];
        let channels: Vec<Channel> = claims
            .iter()
            .map(|(n, claim, spool, _)| {
                if *spool {
                    std::fs::create_dir(host.spool(id(*n))).unwrap();
                }
                std::fs::write(host.base().join("c").join(id(*n).to_string()), claim).unwrap();
                host.at(id(*n), 0)
            })
            .collect();
        for (channel, (n, _, _, expected)) in channels.iter().zip(&claims) {
            let told = channel.wait_control("what became of it", |_| true);
            assert_eq!(told, *expected, "{n}");
        }
    });
}

#[test]
fn hello_tells_who_and_where_the_host_is() {
    under_every_shell(|host| {
        std::fs::create_dir(host.work(id(7))).unwrap();
        let answer = host.ask(|nonce| Verb::Hello { nonce });
        let [Control::Hello(hello)] = answer.as_slice() else { panic!("{answer:?}") };
        assert_eq!((hello.wrapper_version.as_str(), hello.instance_id.as_str()), ("1", "0123456789abcdef"));
        assert_eq!(hello.base_dir, host.base().to_str().unwrap());
        assert_eq!(hello.boot_id, std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim());
        assert!(hello.free_bytes > 0 && hello.clock_s > 1_600_000_000 && hello.tools.contains("tail"));
        // It tidies behind its answer.
        let work = host.work(id(7));
        wait_until("a work directory without a spool is tidied", || !work.exists(), || work.display().to_string());
        std::fs::remove_file(host.base().join("instance")).unwrap();
        let new = |()| match host.ask(|nonce| Verb::Hello { nonce }).as_slice() {
            [Control::Hello(hello)] => hello.instance_id.clone(),
            other => panic!("{other:?}"),
        };
        let instance = new(());
        assert_eq!((instance.len(), new(())), (32, instance));
    });
}

/// A tmpfs of 32 pages; only root can mount it.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: std::path::PathBuf) -> Self {
        std::fs::create_dir(&at).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=160k", "tmpfs"]).arg(&at));
        Self(at)
    }

    fn free_kib(&self) -> u64 {
        let table = run(Command::new("df").args(["-k", "--output=avail"]).arg(&self.0));
        table.lines().last().unwrap().trim().parse().unwrap()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_never_looks_like_success() {
    if run(Command::new("id").arg("-u")).trim() != "0" {
        panic!("this test mounts a small tmpfs and needs root");
    }
    under_every_shell(|host| {
        let disk = SmallDisk::mount(host.dir.path().join("small"));
        host.install(&disk.0);
        let start = |n: u128, script: &str| {
            let nonce = nonce();
            let mut channel = host.open_in(&disk.0, &Verb::Run { id: id(n), nonce: &nonce, offset: 0 }, &nonce);
            channel.send(&Frame { spec: &spec(script), env: &Default::default() }.encode().unwrap());
            channel
        };
        // The disk fills while the job runs: its result is kept in the space that was reserved, and says so, also
        // when the job ignores that its output was cut.
        for (n, script, exit_code) in [
            (1, "cat /dev/zero 2>/dev/null; echo more || exit 28", 28),
            (3, "head -c 200000 /dev/zero 2>/dev/null; true", 0),
            (4, "dd if=/dev/zero of=scratch bs=4096 2>/dev/null; echo more; true", 0),
        ] {
            let mut channel = start(n, script);
            let end = channel.wait_end(0);
            let found = (end.exit_code, end.stopped);
            assert_eq!(found, (exit_code, Some(StopReason::DiskFull)), "{}: {script}", host.shell.argv[0]);
            assert!(end.size < 128 << 10);
            // No space for a spool: nothing starts.
            let refused = start(2, "touch /started");
            let no_space = |c: &Control| matches!(c, Control::Err { code: ErrCode::NoSpace | ErrCode::Mkdir, .. });
            refused.wait_control("nospace", no_space);
            assert!(!disk.0.join("j").join(id(2).to_string()).exists());
            channel.word(Word::Ack { remove: true });
            // The killed follower lets go of the log a moment later.
            wait_until("there is space again", || disk.free_kib() >= 64, || format!("{} KiB", disk.free_kib()));
        }
        // With space again, the same is an ordinary success.
        let end = start(5, "echo fine").wait_end(0);
        assert_eq!((end.exit_code, end.stopped, end.size), (0, None, 5), "{}", host.shell.argv[0]);
    });
}
