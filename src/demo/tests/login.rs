//! Who may log in, and to do what.

use std::sync::Arc;

use russh::keys::PrivateKeyWithHashAlg;

use super::{Lab, other_key, output, text, three_hosts};
use crate::demo::DemoHost;

#[tokio::test]
async fn the_password_of_the_spec_opens_and_no_other_does() {
    let lab = Lab::start("").await;
    let spec = lab.host.spec().clone();
    let mut client = lab.connect().await;
    assert!(!client.authenticate_password(spec.user.clone(), "wrong").await.unwrap().success());
    assert!(!client.authenticate_password("root", spec.password.to_string()).await.unwrap().success());
    assert!(client.authenticate_password(spec.user, spec.password.to_string()).await.unwrap().success());
    assert!(!format!("{:?}", lab.host.spec()).contains(spec.password.as_str()));
    lab.stop().await;
}

#[tokio::test]
async fn a_key_opens_only_while_it_is_listed() {
    let lab = Lab::start("").await;
    lab.make_key("second").await;
    let second = || output(lab.ssh_with(&lab.path("second"), &["127.0.0.1", "true"]));
    let out = second().await;
    assert_eq!(out.status.code(), Some(255));
    assert!(text(&out.stderr).contains("Permission denied (publickey,password)"), "{out:?}");

    lab.authorize(&std::fs::read_to_string(lab.path("second.pub")).unwrap());
    assert!(second().await.status.success());
    assert_eq!(lab.run("true").await.status.code(), Some(255));
    lab.stop().await;
}

#[tokio::test]
async fn a_wrong_key_first_does_not_close_the_door_to_the_right_one() {
    let lab = Lab::start("").await;
    let mut client = lab.connect().await;
    let login = async |client: &mut russh::client::Handle<_>, key| {
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        client.authenticate_publickey("demo", key).await.unwrap().success()
    };
    assert!(!login(&mut client, other_key()).await);
    let right = russh::keys::load_secret_key(lab.path("id"), None).unwrap();
    assert!(login(&mut client, right).await);
    lab.stop().await;
}

#[tokio::test]
async fn a_forced_command_runs_instead_and_sees_what_was_asked() {
    let lab = Lab::start("restrict,command=\"echo \\\"forced: $SSH_ORIGINAL_COMMAND\\\"; exit 5\" ").await;
    let out = lab.run("rm -rf 'a b'").await;
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(5), "forced: rm -rf 'a b'\n"));
    let out = output(lab.ssh(&["127.0.0.1"])).await;
    assert_eq!((out.status.code(), text(&out.stdout)), (Some(5), "forced: \n"));
    lab.stop().await;
}

#[tokio::test]
async fn a_restarted_host_keeps_its_host_key() {
    let lab = Lab::start("").await;
    let fingerprint = lab.host.host_key_fingerprint();
    assert!(fingerprint.starts_with("SHA256:"));
    lab.host.stop().await;
    let spec = three_hosts().unwrap().remove(1);
    let again = DemoHost::start(spec.clone(), &lab.path("host"), &lab.tasks).await.unwrap();
    let other = DemoHost::start(spec, &lab.path("other"), &lab.tasks).await.unwrap();
    assert_eq!(again.host_key_fingerprint(), fingerprint);
    assert_ne!(other.host_key_fingerprint(), fingerprint);
    again.stop().await;
    other.stop().await;
    lab.stop().await;
}
