//! Commands on a connection: exit codes, streams, shells, slots, too much output.

use std::time::{Duration, Instant};

use bytes::Bytes;
use shuntyard::shutdown::Tasks;
use shuntyard::ssh::{ChannelEvent, ExecError, ExecLimits, Session};

use super::{PATIENCE, connected, limits};
use crate::support::sshd::{HostSpec, LoginShell, TestHost, wait_until};

#[tokio::test]
async fn exit_codes_and_both_streams_come_back() {
    let host = TestHost::start(HostSpec::default());
    let session = connected(&host, &Tasks::new()).await;
    let output = session.exec("printf out; printf err >&2; exit 7", Vec::new(), limits()).await.unwrap();
    assert_eq!((&output.stdout[..], &output.stderr[..], output.exit_status), (&b"out"[..], &b"err"[..], Some(7)));
    let killed = session.exec("kill -KILL $$", Vec::new(), limits()).await.unwrap();
    assert_eq!(killed.exit_status, None);
}

#[tokio::test]
async fn a_megabyte_goes_in_and_comes_out_unchanged() {
    let host = TestHost::start(HostSpec::default());
    let session = connected(&host, &Tasks::new()).await;
    let input: Vec<u8> = (0..1_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let output = session.exec("cat", input.clone(), limits()).await.unwrap();
    assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
    // A command that does not read its input still ends.
    let output = session.exec("exit 3", vec![b'x'; 4 << 20], limits()).await.unwrap();
    assert_eq!(output.exit_status, Some(3));
}

#[tokio::test]
async fn login_shells_that_print_or_are_not_posix_run_constant_words() {
    for (shell, noise) in [(LoginShell::NoisyBash, "welcome"), (LoginShell::Fish, "")] {
        let host = TestHost::start(HostSpec { shell, ..HostSpec::default() });
        let session = connected(&host, &Tasks::new()).await;
        let output = session.exec("exec /bin/sh -s", b"echo @@mark; exit 4".to_vec(), limits()).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("@@mark\n") && text.contains(noise), "{shell:?}: {text}");
        assert_eq!(output.exit_status, Some(4), "{shell:?}");
    }
}

#[tokio::test]
async fn twenty_commands_at_a_time_keep_their_output_apart() {
    let host = TestHost::start(HostSpec { max_sessions: 30, ..HostSpec::default() });
    let session = connected(&host, &Tasks::new()).await;
    let runs = (0..20).map(|n| {
        let session = session.clone();
        async move {
            let command = format!("for i in 1 2 3 4 5; do echo {n}; done; exit {n}");
            let output = session.exec(&command, Vec::new(), limits()).await.unwrap();
            assert_eq!(output.exit_status, Some(n));
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{n}\n").repeat(5));
        }
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test]
async fn a_command_over_its_limits_is_given_up_and_the_connection_stays() {
    let host = TestHost::start(HostSpec::default());
    let session = connected(&host, &Tasks::new()).await;
    let small = ExecLimits { max_output_bytes: 1000, ..limits() };
    let error = session.exec("yes", Vec::new(), small).await.unwrap_err();
    assert!(matches!(error, ExecError::TooMuchOutput { limit_bytes: 1000, .. }), "{error:?}");
    let short = ExecLimits { deadline: Duration::from_millis(300), ..limits() };
    let error = session.exec("sleep 5", Vec::new(), short).await.unwrap_err();
    assert!(matches!(error, ExecError::Deadline { .. }), "{error:?}");
    assert_eq!(session.exec("echo fine", Vec::new(), limits()).await.unwrap().stdout, b"fine\n");
}

#[tokio::test]
async fn output_that_nobody_takes_ends_its_channel_and_stops_no_other() {
    let host = TestHost::start(HostSpec::default());
    let session = connected(&host, &Tasks::new()).await;
    // Its process id is told first: a look for `yes` by name may come before it begins.
    let mut greedy = session.open("echo $$; exec yes").await.unwrap();
    let Some(ChannelEvent::Stdout(first)) = greedy.events.recv().await else { panic!("no output") };
    let told = String::from_utf8_lossy(&first).into_owned();
    let pid: u32 = told.lines().next().and_then(|line| line.parse().ok()).expect("a process id");
    let until = Instant::now() + Duration::from_secs(60);
    while !host.run_inside(&format!("kill -0 {pid} 2>/dev/null && echo runs || :")).is_empty() {
        let output = session.exec("echo alive", Vec::new(), limits()).await.unwrap();
        assert_eq!(output.stdout, b"alive\n");
        assert!(Instant::now() < until, "`yes` still runs");
    }
    let (mut bytes, mut last) = (first.len(), None);
    while let Some(event) = greedy.events.recv().await {
        if let ChannelEvent::Stdout(data) = &event {
            bytes += data.len();
        }
        assert!(bytes <= 32 << 20, "output without end is kept");
        last = Some(event);
    }
    assert_eq!(last, Some(ChannelEvent::Overflow));
    assert!((1 << 20..=16 << 20).contains(&bytes), "{bytes}");
    assert!(greedy.input.send(Bytes::from_static(b"x")).await.is_err());
}

#[tokio::test]
async fn a_dropped_channel_frees_its_session_on_the_host() {
    let host = TestHost::start(HostSpec { max_sessions: 2, ..HostSpec::default() });
    let session = connected(&host, &Tasks::new()).await;
    for command in ["cat", "exec yes"] {
        let held = [session.open(command).await.unwrap(), session.open(command).await.unwrap()];
        let error = session.open("true").await.err();
        assert!(matches!(error, Some(ExecError::ChannelRefused { .. })), "{error:?}");
        drop(held);
        until_a_session_is_free(&session).await;
    }
    assert!(!session.is_closed());
}

#[tokio::test]
async fn an_open_that_is_given_up_leaves_no_session_behind() {
    let host = TestHost::start(HostSpec { max_sessions: 3, ..HostSpec::default() });
    let session = connected(&host, &Tasks::new()).await;
    for _ in 0..20 {
        let _ = tokio::time::timeout(Duration::from_micros(300), session.open("cat")).await;
    }
    let no_cat = || host.run_inside("pgrep -x cat || true").is_empty();
    until_a_session_is_free(&session).await;
    wait_until("no abandoned `cat` runs", PATIENCE, no_cat).await;
}

#[tokio::test]
async fn a_command_that_does_not_read_does_not_hang_its_writer_when_it_ends() {
    let host = TestHost::start(HostSpec::default());
    let session = connected(&host, &Tasks::new()).await;
    let mut channel = session.open("sleep 0.5").await.unwrap();
    let began = Instant::now();
    let sent = channel.input.send(Bytes::from(vec![b'x'; 32 << 20])).await;
    assert!(sent.is_err() && began.elapsed() < Duration::from_secs(20), "{sent:?} {:?}", began.elapsed());
}

/// Runs a command as soon as the host has a session for it.
async fn until_a_session_is_free(session: &Session) {
    let until = Instant::now() + PATIENCE;
    loop {
        match session.exec("echo free", Vec::new(), limits()).await {
            Ok(output) => break assert_eq!(output.stdout, b"free\n"),
            Err(ExecError::ChannelRefused { .. }) => assert!(Instant::now() < until, "no session becomes free"),
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
