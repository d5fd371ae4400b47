//! Much data and many channels at once.

use std::process::Stdio;

use futures_util::future::join_all;
use russh::ChannelMsg;
use russh::client::Handle;
use tokio::io::AsyncReadExt as _;

use super::{AnyHostKey, Lab, output, text, wait_until};

/// Runs a command with `stdin` and returns its stdout and exit status.
async fn run(client: &Handle<AnyHostKey>, command: String, stdin: Vec<u8>) -> (Vec<u8>, Option<u32>) {
    let channel = client.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    let (mut read, write) = channel.split();
    let send = async {
        write.data_bytes(stdin).await.unwrap();
        write.eof().await.unwrap();
    };
    let receive = async {
        let (mut bytes, mut status) = (Vec::new(), None);
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } => bytes.extend_from_slice(&data),
                ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
                _ => {}
            }
        }
        (bytes, status)
    };
    tokio::join!(send, receive).1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_channels_run_twenty_jobs_each() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let lane = async |lane: u32| {
        for job in 0..20 {
            let (out, status) = run(&client, format!("read a; echo $a {lane}.{job}; exit {job}"), b"in\n".into()).await;
            assert_eq!((text(&out), status), (format!("in {lane}.{job}\n").as_str(), Some(job)));
        }
    };
    let lanes = join_all((0..8).map(lane));
    tokio::time::timeout(super::PATIENCE, lanes).await.expect("jobs hang");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_in_both_directions_at_once_never_locks_up() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let sent: Vec<u8> = (0..16_u32 << 20).map(|n| (n % 253) as u8).collect();
    let echoes = join_all((0..4).map(|_| run(&client, "cat".to_owned(), sent.clone())));
    for (received, status) in tokio::time::timeout(super::PATIENCE, echoes).await.expect("the echoes hang") {
        assert!(received == sent && status == Some(0));
    }
    lab.stop().await;
}

#[tokio::test]
async fn a_channel_that_nobody_reads_does_not_freeze_the_others() {
    let lab = Lab::start("").await;
    let socket = lab.path("mux");
    let control = format!("ControlPath={}", socket.display());
    let _master = lab.ssh(&["-N", "-M", "-o", &control, "127.0.0.1"]).spawn().unwrap();
    wait_until("the master is there", async || socket.exists()).await;

    let flood = ["-o", &control, "127.0.0.1", "head -c 104857600 /dev/zero; echo end >flooded"];
    let mut flood = lab.ssh(&flood).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = flood.stdout.take().unwrap();
    let mut first = [0_u8; 1];
    stdout.read_exact(&mut first).await.unwrap();
    for n in 0..5 {
        let out = output(lab.ssh(&["-o", &control, "127.0.0.1", &format!("echo alive {n}")])).await;
        assert_eq!(text(&out.stdout), format!("alive {n}\n"));
    }
    assert!(!lab.host.home().join("flooded").exists(), "100 MB went somewhere without a reader");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest.len() + 1, 104_857_600);
    assert!(flood.wait().await.unwrap().success());
    lab.stop().await;
}

#[tokio::test]
async fn a_command_that_does_not_read_its_stdin_does_not_freeze_the_others() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let deaf = run(&client, "until [ -e go ]; do sleep 0.02; done; wc -c".to_owned(), vec![7; 32 << 20]);
    let others = async {
        for n in 0..5 {
            let (out, _) = run(&client, format!("echo alive {n}"), Vec::new()).await;
            assert_eq!(text(&out), format!("alive {n}\n"));
        }
        std::fs::write(lab.host.home().join("go"), "").unwrap();
    };
    let both = async { tokio::join!(deaf, others).0 };
    let (out, status) = tokio::time::timeout(super::PATIENCE, both).await.expect("the connection is frozen");
    assert_eq!((text(&out).trim(), status), ("33554432", Some(0)));
    lab.stop().await;
}
