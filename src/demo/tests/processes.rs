//! What happens to processes: they outlive their channel and never their host.

use std::path::Path;
use std::time::Duration;

use russh::ChannelMsg;
use russh::client::{Handle, Msg};
use russh::{Channel, Sig};

use super::{AnyHostKey, Lab, text, wait_until};

async fn started(client: &Handle<AnyHostKey>, command: &str) -> Channel<Msg> {
    let channel = client.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    channel
}

/// Runs and still belongs to somebody: an ended process whose parent has not looked does not count.
fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

async fn read_pid(path: &Path) -> String {
    wait_until("the command writes its pid", async || {
        std::fs::read_to_string(path).is_ok_and(|text| text.ends_with('\n'))
    })
    .await;
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_quiet_process_survives_its_channel_and_dies_with_the_host() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let channel = started(&client, "echo $$ >pid; exec sleep 600").await;
    let pid = read_pid(&lab.host.home().join("pid")).await;
    channel.close().await.unwrap();
    // The connection still answers, so the close has been seen.
    assert!(lab.run("true").await.status.success());
    client.disconnect(russh::Disconnect::ByApplication, "", "").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(alive(&pid));
    lab.stop().await;
    assert!(!alive(&pid));
}

#[tokio::test]
async fn a_chatty_process_dies_of_its_closed_channel() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let channel = started(&client, "echo $$ >pid; exec yes").await;
    let pid = read_pid(&lab.host.home().join("pid")).await;
    channel.close().await.unwrap();
    wait_until("the process gets SIGPIPE", async || !alive(&pid)).await;
    lab.stop().await;
}

#[tokio::test]
async fn processes_in_sessions_of_their_own_die_with_the_host_too() {
    let lab = Lab::start("").await;
    let out = lab.run("setsid sh -c 'echo $$ >pid; exec sleep 600' >/dev/null 2>&1 </dev/null & sleep 0.1").await;
    assert!(out.status.success());
    let pid = read_pid(&lab.host.home().join("pid")).await;
    assert!(alive(&pid));
    lab.stop().await;
    assert!(!alive(&pid));
}

#[tokio::test]
async fn the_daemons_stop_signal_takes_the_host_down() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let _channel = started(&client, "echo $$ >pid; trap '' TERM; while :; do sleep 1; done").await;
    let pid = read_pid(&lab.host.home().join("pid")).await;
    assert!(lab.tasks.stop(super::PATIENCE).await);
    assert!(!alive(&pid));
    lab.host.stop().await;
}

#[tokio::test]
async fn a_signal_is_reported_by_name_and_status_does_not_wait_for_the_background() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let mut channel = started(&client, "kill -TERM $$").await;
    let mut signal = None;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::ExitSignal { signal_name, .. } = message {
            signal = Some(signal_name);
        }
    }
    assert!(matches!(signal, Some(Sig::TERM)), "{signal:?}");

    let mut channel = started(&client, "(while [ ! -e go ]; do sleep 0.02; done; echo late) & exit 7").await;
    let mut words = Vec::new();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::ExitStatus { exit_status } => {
                words.push(format!("status {exit_status}"));
                std::fs::write(lab.host.home().join("go"), "").unwrap();
            }
            ChannelMsg::Data { data } => words.push(text(&data).trim().to_owned()),
            ChannelMsg::Eof => words.push("eof".to_owned()),
            _ => {}
        }
    }
    assert_eq!(words, ["status 7", "late", "eof"]);
    lab.stop().await;
}

#[tokio::test]
async fn the_eleventh_session_is_refused_until_a_process_has_ended() {
    let lab = Lab::start("").await;
    let client = lab.client().await;
    let mut channels = Vec::new();
    for _ in 0..10 {
        channels.push(started(&client, "until [ -e go ]; do sleep 0.02; done").await);
    }
    let refused = client.channel_open_session().await.unwrap_err();
    assert!(matches!(refused, russh::Error::ChannelOpenFailure(russh::ChannelOpenFailure::ConnectFailed)));

    // A closed channel alone frees nothing.
    channels.remove(0).close().await.unwrap();
    assert!(client.channel_open_session().await.is_err());
    std::fs::write(lab.host.home().join("go"), "").unwrap();
    wait_until("a session is free again", async || client.channel_open_session().await.is_ok()).await;
    lab.stop().await;
}
