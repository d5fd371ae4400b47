//! How much a job may write on its host.

use std::process::Command;

use shuntyard_domain::job::JobSpec;
use shuntyard_domain::outcome::StopReason;
use shuntyard_domain::wire::control::{Control, Receipt};
use shuntyard_domain::wire::frame::Word;
use shuntyard_domain::wrapper::WRAPPER;

use super::driver::*;

const BOUND: u64 = 300_000;

fn bounded(script: &str) -> JobSpec {
    JobSpec { output_cap_bytes: 65_536, spool_cap_bytes: Some(BOUND), ..spec(script) }
}

/// Writes without end, not too fast.
const FLOOD: &str = "while :; do head -c 50000 /dev/zero; sleep 0.1; done";

#[test]
fn a_job_that_writes_without_end_is_stopped_whoever_listens() {
    under_every_shell(|host| {
        // The dispatcher says that the job lasts; it leaves without a word; and a watchdog is there for another limit.
        let mut watched = host.run_with(id(1), &bounded(FLOOD), &[]);
        let mut left = host.run_with(id(2), &bounded(FLOOD), &[]);
        let limited = host.run_with(id(3), &JobSpec { run_limit_s: Some(60), ..bounded(FLOOD) }, &[]);
        for channel in [&watched, &left, &limited] {
            channel.wait_ok();
        }
        watched.word(Word::Watch);
        left.close();
        left.wait_closed();
        let watched_end = watched.wait_end(0);
        let ends = [watched_end, host.at(id(2), 0).wait_end(0), limited.wait_end(0)];
        for end in ends {
            assert_eq!(end.stopped, Some(StopReason::OutputLimit), "{}", host.shell.argv[0]);
            assert!(end.size > BOUND, "{end:?}");
        }
        let term = |c: &Control| matches!(c, Control::Receipt(Receipt::Sent { signal, .. }) if signal == "TERM");
        assert!(watched.controls().iter().any(term), "{:?}", watched.controls());
        watched.word(Word::Ack { remove: true });
    });
}

#[test]
fn a_job_below_the_bound_is_left_alone_and_its_watchdog_ends_with_it() {
    under_every_shell(|host| {
        let mut short = host.run_with(id(1), &bounded("echo short"), &[]);
        short.wait_end(0);
        assert!(!host.spool(id(1)).join("watch").exists(), "a short job has no watchdog");
        short.word(Word::Ack { remove: true });
        let mut channel = host.run_with(id(2), &bounded("head -c 300000 /dev/zero; sleep 1.5"), &[]);
        channel.wait_ok();
        channel.word(Word::Watch);
        channel.word(Word::Watch);
        channel.wait("the mark of a watchdog", |_| host.spool(id(2)).join("watch").exists());
        let end = channel.wait_end(0);
        assert_eq!((end.exit_code, end.stopped, end.size), (0, None, BOUND), "{}", host.shell.argv[0]);
        channel.word(Word::Ack { remove: true });
        let path = host.base().join("wrapper-1").display().to_string();
        let left = || {
            let entries = std::fs::read_dir("/proc").unwrap().flatten();
            let lines = entries.filter_map(|e| std::fs::read_to_string(e.path().join("cmdline")).ok());
            lines.filter(|line| line.contains(&path)).collect::<Vec<_>>()
        };
        wait_until("nothing of the wrapper runs", || left().is_empty(), || format!("{:?}", left()));
    });
}

#[test]
fn sizes_beyond_what_a_shell_can_count_are_compared() {
    let start = WRAPPER.find("above() {").unwrap();
    let function = &WRAPPER[start..start + WRAPPER[start..].find("\n}\n").unwrap() + 3];
    let mut script = function.to_owned();
    for (size, bound, above) in [
        ("0", "300000", "no"),
        ("300000", "300000", "no"),
        ("300001", "300000", "yes"),
        ("99999999", "300000", "yes"),
        ("2147483647", "8589934592", "no"),
        ("8589934592", "8589934592", "no"),
        ("8590934592", "8589934592", "yes"),
        ("8589934592", "999999999", "yes"),
        ("999999999", "8589934592", "no"),
        ("1099511627776", "1099511627776", "no"),
        ("1099513627776", "1099511627776", "yes"),
    ] {
        script += &format!(
            "if above {size} {bound}; then r=yes; else r=no; fi; [ $r = {above} ] || echo {size} {bound} $r\n"
        );
    }
    under_every_shell(|host| {
        let (program, arguments) = host.shell.argv.split_first().unwrap();
        assert_eq!(run(Command::new(program).args(arguments).args(["-c", &script])), "", "{program}");
    });
}
