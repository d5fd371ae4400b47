//! Streams: from any offset, over cuts of the link, and to the same last byte.

use shuntyard_domain::wire::control::{Control, LostWhy};
use shuntyard_domain::wire::frame::{Verb, Word};

use super::driver::*;

const LINES: &str =
    "i=0; while [ $i -lt 400 ]; do echo line $i 0123456789; i=$((i+1)); [ $((i % 50)) != 0 ] || sleep 0.05; done";

fn expected() -> Vec<u8> {
    (0..400).map(|i| format!("line {i} 0123456789\n")).collect::<String>().into_bytes()
}

#[test]
fn eight_cuts_of_the_link_lose_and_repeat_nothing() {
    under_every_shell(|host| {
        let mut stored = Vec::new();
        let mut channel = host.run(id(1), LINES);
        for _ in 0..8 {
            channel.wait("some output", |c| !c.output().is_empty());
            channel.close();
            channel.wait_closed();
            // What was received of a cut channel counts; the next one asks from there.
            stored.extend(channel.output());
            channel = host.at(id(1), stored.len() as u64);
            channel.wait_control("at or the end", |c| matches!(c, Control::At { .. }));
            if stored.len() == expected().len() {
                break;
            }
        }
        let end = channel.wait_end(stored.len() as u64);
        stored.extend(channel.output());
        assert_eq!(String::from_utf8_lossy(&stored), String::from_utf8_lossy(&expected()));
        assert_eq!(end.exit_code, 0);
    });
}

#[test]
fn a_finished_attempt_can_be_read_from_any_offset() {
    under_every_shell(|host| {
        let mut channel = host.run(id(1), LINES);
        let first = channel.wait_end(0);
        channel.word(Word::Ack { remove: false });
        channel.wait_closed();
        for offset in [0, 1, 17, 4096, first.size - 1, first.size] {
            let again = host.at(id(1), offset);
            assert_eq!(again.wait_end(offset), first);
            assert_eq!(again.output(), expected()[usize::try_from(offset).unwrap()..]);
        }
    });
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    under_every_shell(|host| {
        let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        std::fs::write(host.dir.path().join("bytes"), &bytes).unwrap();
        let channel = host.run(id(1), "cat ../../../bytes");
        channel.wait_end(0);
        assert!(channel.output() == bytes);
    });
}

#[test]
fn an_unknown_attempt_is_none() {
    under_every_shell(|host| {
        assert_eq!(host.ask(|nonce| Verb::At { id: id(9), nonce, offset: 0 }), [Control::None]);
        assert_eq!(host.ask(|nonce| Verb::Kill { id: id(9), nonce, grace_s: 0 }), [Control::None]);
    });
}

#[test]
fn a_job_whose_waiting_side_is_killed_is_lost_and_nothing_of_it_stays() {
    under_every_shell(|host| {
        let channel = host.run(id(1), "echo $$; exec sleep 60");
        let waiter = channel.wait_ok();
        channel.wait("its pid", |c| c.output().ends_with(b"\n"));
        let pid: u32 = String::from_utf8(channel.output()).unwrap().trim().parse().unwrap();
        run(std::process::Command::new("kill").args(["-KILL", &waiter.to_string()]));
        channel.wait_control("lost", |c| matches!(c, Control::Lost { why: LostWhy::Killed, .. }));
        wait_until("the script is gone", || !runs(pid), || pid.to_string());
        let lost = |c: &Control| matches!(c, Control::Lost { why: LostWhy::Killed, .. });
        assert!(
            host.at(id(1), 0).wait_control("lost again", lost)
                == Control::Lost { why: LostWhy::Killed, size: channel.output().len() as u64 }
        );
    });
}
