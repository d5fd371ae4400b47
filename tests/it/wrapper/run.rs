//! `run`: what a job gets, and what starts nothing.

use std::collections::BTreeSet;

use shuntyard_domain::output::Cksum;
use shuntyard_domain::wire::control::{Control, ErrCode};
use shuntyard_domain::wire::frame::{Frame, Verb, Word};

use super::driver::*;

#[test]
fn a_job_streams_while_it_runs_and_ends_with_its_code_size_and_sum() {
    under_every_shell(|host| {
        let go = host.dir.path().join("go");
        let script = format!("echo one; until [ -e {} ]; do sleep 0.02; done; echo two >&2; exit 3", go.display());
        let channel = host.run(id(1), &script);
        channel.wait_ok();
        channel.wait("the first line", |c| c.output() == b"one\n");
        std::fs::write(go, "").unwrap();
        let (end, output) = channel.finish();
        assert_eq!(output, "one\ntwo\n");
        let mut sum = Cksum::default();
        sum.update(output.as_bytes());
        assert_eq!((end.exit_code, end.cksum, end.stopped), (3, sum.value(), None));
    });
}

#[test]
fn exit_codes_and_signals_come_back_as_a_shell_counts_them() {
    under_every_shell(|host| {
        for (n, (script, code)) in
            [("true", 0), ("exit 255", 255), ("kill -9 $$", 137), ("no-such-program", 127), ("", 0)]
                .into_iter()
                .enumerate()
        {
            assert_eq!(host.run(id(n as u128), script).finish().0.exit_code, code, "{script}");
        }
    });
}

#[test]
fn any_text_arrives_as_it_was_written() {
    under_every_shell(|host| {
        let odd: String = (1..256).filter_map(char::from_u32).collect::<String>() + "\\n\\0'\"$(id)`id`\n\n  x\t";
        let long = odd.repeat(40);
        for (n, value) in [odd.as_str(), long.as_str(), "", "\n", "'", "\nshunt_end=1\n"].into_iter().enumerate() {
            let script = format!("printf %s \"$VALUE\"\n: '{}'", value.replace('\'', "'\\''"));
            let channel = host.run_with(id(n as u128), &spec(&script), &[("VALUE", value), ("j", "x"), ("IFS", "1")]);
            let end = channel.wait_end(0);
            assert_eq!((String::from_utf8_lossy(&channel.output()).as_ref(), end.exit_code), (value, 0));
        }
    });
}

#[test]
fn a_truncated_frame_starts_nothing() {
    under_every_shell(|host| {
        for script in ["touch started", &"touch started\n".repeat(1000)] {
            let frame = Frame { spec: &spec(script), env: &Default::default() }.encode().unwrap();
            for part in [0, 1, 5, 30, frame.len() / 2, frame.len() - 3, frame.len() - 2] {
                let nonce = nonce();
                let mut channel = host.open(&Verb::Run { id: id(1), nonce: &nonce, offset: 0 }, &nonce);
                channel.send(&frame[..part]);
                channel.close();
                channel.wait_closed();
                let refused = |c: &Control| matches!(c, Control::Err { code: ErrCode::Frame | ErrCode::Magic, .. });
                channel.wait_control("err frame", refused);
                assert!(!host.spool(id(1)).exists() && !host.base().join("c").join(id(1).to_string()).exists());
            }
        }
    });
}

#[test]
fn what_is_not_an_id_or_a_verb_is_refused() {
    under_every_shell(|host| {
        for words in ["run ../x abc 0", "run a/b abc 0", "at a abc x", "dance abc", "", "run", "kill a b"] {
            let mut command = host.shell_command();
            command.arg(host.base().join("wrapper-1")).args(words.split(' '));
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(text.contains(" err id ") || text.contains(" err usage "), "{words}: {text}");
            assert_eq!(output.status.code(), Some(64), "{words}");
        }
    });
}

#[test]
fn four_starts_of_one_attempt_run_it_once() {
    under_every_shell(|host| {
        let script = "echo begun; echo $$ >>../../starts; sleep 0.3; echo over";
        let mut channels: Vec<Channel> = (0..4).map(|_| host.run(id(1), script)).collect();
        for channel in &mut channels {
            let end = channel.wait_end(0);
            assert_eq!((channel.output(), end.exit_code), (b"begun\nover\n".to_vec(), 0));
        }
        let oks = channels.iter().filter(|c| c.controls().iter().any(|c| matches!(c, Control::Ok { .. })));
        assert_eq!(oks.count(), 1);
        let starts = std::fs::read_to_string(host.base().join("starts")).unwrap();
        assert_eq!(starts.lines().count(), 1, "{starts}");
        for channel in &mut channels {
            channel.word(Word::Ack { remove: true });
            channel.wait_closed();
        }
    });
}

#[test]
fn a_job_has_a_clean_environment_its_own_session_and_an_empty_directory() {
    under_every_shell(|host| {
        let script =
            "env; echo cwd $(pwd) $(ls -A | wc -l); ls /proc/$$/fd; echo pid $$; cut -d' ' -f5,6 /proc/$$/stat";
        let (_, output) = host.run_with(id(1), &spec(script), &[("COLOUR", "blue")]).finish();
        assert!(output.contains("\nCOLOUR=blue\n") || output.starts_with("COLOUR=blue\n"), "{output}");
        assert!(output.contains(&format!("HOME={}\n", host.dir.path().display())), "{output}");
        assert!(output.contains(&format!("SHUNT_JOB={}\n", id(1))), "{output}");
        // What `env` printed: the few of the login, what the dispatcher and the wrapper say, what /bin/sh sets itself.
        let told = output.split("\ncwd ").next().unwrap().lines().filter_map(|line| line.split_once('='));
        let names: BTreeSet<&str> = told.map(|(name, _)| name).collect();
        let allowed = ["COLOUR", "HOME", "PATH", "PWD", "SHUNT_COOKIE", "SHUNT_JOB", "SHUNT_OUTPUT", "USER"];
        let shells_own = ["OLDPWD", "SHLVL", "_"];
        assert!(names.iter().all(|name| allowed.contains(name) || shells_own.contains(name)), "{names:?}");
        assert!(allowed.iter().all(|name| names.contains(name)), "{names:?}");
        for name in ["LEAK", "SSH_CONNECTION", "LC_ALL", "shunt_"] {
            assert!(!output.contains(name), "{name} in {output}");
        }
        assert!(output.contains(&format!("cwd {} 0\n", host.work(id(1)).display())), "{output}");
        let pid = output.split("\npid ").nth(1).unwrap().lines().next().unwrap();
        assert!(output.contains(&format!("\n{pid} {pid}\n")), "leads group and session: {output}");
        for inherited in ["\n3\n", "\n4\n", "\n5\n"] {
            assert!(!output.contains(inherited), "a descriptor of the wrapper is open: {output}");
        }
    });
}

#[test]
fn secrets_are_on_no_command_line_and_on_no_disk() {
    under_every_shell(|host| {
        let secret = "s3cr3t-3f9a";
        let channel = host.run_with(id(1), &spec("echo up; exec sleep 30"), &[("TOKEN", secret)]);
        channel.wait("the job is up", |c| c.output() == b"up\n");
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&line).contains(secret), "{}", String::from_utf8_lossy(&line));
        }
        let found = std::process::Command::new("grep").arg("-r").arg(secret).arg(host.dir.path()).output().unwrap();
        assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stdout));
        host.ask(|nonce| Verb::Kill { id: id(1), nonce, grace_s: 0 });
    });
}
