//! What commands see and what comes back, with the OpenSSH client.

use std::process::Stdio;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Lab, output, text};

#[tokio::test]
async fn a_command_gives_its_exit_code_and_keeps_stdout_and_stderr_apart() {
    let lab = Lab::start("").await;
    let out = lab.run("echo out; echo err >&2; exit 42").await;
    assert_eq!((out.status.code(), text(&out.stdout), text(&out.stderr)), (Some(42), "out\n", "err\n"));
    // The OpenSSH client answers 255 to an exit-signal.
    let out = lab.run("kill -KILL $$").await;
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(255), ""));
    lab.stop().await;
}

#[tokio::test]
async fn stdin_arrives_byte_for_byte_and_its_end_too() {
    let lab = Lab::start("").await;
    let sent: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let mut ssh = lab.ssh(&["127.0.0.1", "cat"]);
    let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut received = Vec::new();
    let send = async {
        stdin.write_all(&sent).await.unwrap();
        drop(stdin);
    };
    let (_, read) = tokio::join!(send, stdout.read_to_end(&mut received));
    assert_eq!(read.unwrap(), sent.len());
    assert!(received == sent && child.wait().await.unwrap().success());
    lab.stop().await;
}

#[tokio::test]
async fn fifty_megabytes_of_output_arrive_unharmed() {
    let lab = Lab::start("").await;
    let out = lab.run("yes 0123456789abcdef | head -c 52428800").await;
    let expected: Vec<u8> = b"0123456789abcdef\n".iter().copied().cycle().take(52_428_800).collect();
    assert!(out.status.success());
    assert_eq!(out.stdout.len(), expected.len());
    assert_eq!(Sha256::digest(&out.stdout), Sha256::digest(&expected));
    lab.stop().await;
}

#[tokio::test]
async fn a_command_sees_the_pretended_platform_and_a_clean_environment() {
    let lab = Lab::start("").await;
    let home = lab.host.home().display().to_string();
    let cases = [
        ("uname", "Linux\n".to_owned()),
        ("uname -sm", "Linux x86_64\n".to_owned()),
        ("uname -r; uname -n", "3.10.0-1160.el7.x86_64\ncentos-demo\n".to_owned()),
        ("uname -s -m", "Linux x86_64\n".to_owned()),
        ("uname -a", "Linux centos-demo 3.10.0-1160.el7.x86_64 #1 SMP x86_64 GNU/Linux\n".to_owned()),
        (". \"${SHUNT_OS_RELEASE:-/etc/os-release}\"; echo $ID $VERSION_ID", "centos 7.9.2009\n".to_owned()),
        ("pwd; echo ~; echo $HOME", format!("{home}\n{home}\n{home}\n")),
        ("echo $USER $LOGNAME $SHELL ${CARGO_PKG_NAME-unset}", "demo demo /bin/sh unset\n".to_owned()),
        ("set -- $SSH_CONNECTION; echo $# $3 $4", format!("4 127.0.0.1 {}\n", lab.host.port())),
    ];
    for (command, expected) in cases {
        let out = lab.run(command).await;
        assert_eq!(text(&out.stdout), expected, "{command}: {}", text(&out.stderr));
    }
    lab.stop().await;
}

#[tokio::test]
async fn a_command_leads_its_own_session() {
    let lab = Lab::start("").await;
    let out = lab.run("set -- $(cat /proc/$$/stat); echo $1 $5 $6").await;
    let ids: Vec<&str> = text(&out.stdout).split_whitespace().collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "pid, group, session: {ids:?}");
    lab.stop().await;
}

#[tokio::test]
async fn a_shell_reads_commands_and_a_terminal_or_a_subsystem_is_refused() {
    let lab = Lab::start("").await;
    let mut ssh = lab.ssh(&["127.0.0.1"]);
    let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"echo $((6 * 7)); exit 3\n").await.unwrap();
    let out = child.wait_with_output().await.unwrap();
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(3), "42\n"));

    let out = output(lab.ssh(&["-tt", "127.0.0.1", "tty; true"])).await;
    assert!(!out.status.success() && text(&out.stderr).contains("PTY allocation request failed"), "{out:?}");
    let out = output(lab.ssh(&["-s", "127.0.0.1", "sftp"])).await;
    assert!(!out.status.success() && text(&out.stderr).contains("subsystem request failed"), "{out:?}");
    let out = output(lab.ssh(&["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9", "127.0.0.1", "true"])).await;
    assert!(!out.status.success() && text(&out.stderr).contains("forwarding failed"), "{out:?}");
    lab.stop().await;
}
