//! A certificate that somebody has given, and its renewal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Authority, Stranger, address, fingerprint, put};
use crate::cli::client::Client;
use crate::cli::house::{House, await_that, command};

fn served(house: &House, stranger: &Stranger) -> String {
    let nobody = stranger.shunt(&["jobs", "--server", &address(house)]);
    let pieces: Vec<&str> = nobody.stderr.split_whitespace().filter(|word| word.starts_with("SHA256:")).collect();
    pieces.first().map(|word| word.trim_end_matches(':').to_owned()).unwrap_or_default()
}

#[test]
fn a_renewed_certificate_is_served_without_a_restart_and_without_an_end_of_open_connections() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().expect("a directory"));
    let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
    let renew = |(certificate, private): (String, String)| {
        put(&cert, &certificate);
        put(&key, &private);
    };
    renew(authority.sign());
    let files = [("SHUNTD_TLS_CERT_FILE", cert.to_str()), ("SHUNTD_TLS_KEY_FILE", key.to_str())];
    let house = House::start_set("", &files.map(|(name, path)| (name, path.expect("UTF-8"))));
    let stranger = Stranger::new();
    let ca_file = stranger.file("ca.pem", &authority.pem);
    let first = served(&house, &stranger);
    assert_eq!(first, fingerprint(&house));
    // By the authority the name counts; by nobody's word it is refused.
    let with_token = |words: &[&str]| {
        let mut command = stranger.command(words);
        command.env("SHUNT_TOKEN", house.token()).env("SHUNT_CA_FILE", &ca_file).env("SHUNT_SERVER", address(&house));
        command
    };
    let open = Client::start(with_token(&["api", "get", "jobs/streaming"]), b"");
    open.await_output("update_job_queue");

    // A certificate whose key is not there changes nothing.
    put(&cert, &authority.sign().0);
    await_that("it is told", || house.log().contains("does not belong to the certificate"), || house.log());
    assert_eq!(served(&house, &stranger), first);

    renew(authority.sign());
    await_that("another is served", || served(&house, &stranger) != first, || house.log());
    assert_eq!(served(&house, &stranger), fingerprint(&house));
    let submitted = Client::start(with_token(&["run", "--detach", "--", "true"]), b"").end();
    submitted.expect(0, &[]);
    open.await_output(submitted.text().trim());
    // Who is on the server's machine is told by the daemon.
    let mut own = house.shunt_command();
    own.env_remove("SHUNT_SERVER").arg("jobs");
    assert!(own.output().expect("shunt").status.success());
}

#[test]
fn every_fault_of_the_certificate_is_told_before_the_start_and_by_check() {
    let home = tempfile::tempdir().expect("a home");
    let say = |words: &[&str], settings: &[(&str, &Path)]| {
        let mut command = command("shuntd", home.path());
        let output = command.args(words).envs(settings.iter().copied()).output().expect("shuntd");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (cert, key) = (home.path().join("c.pem"), home.path().join("k.pem"));
    let both = [("SHUNTD_TLS_CERT_FILE", cert.as_path()), ("SHUNTD_TLS_KEY_FILE", key.as_path())];
    let (certificate, _) = Authority::new().sign();
    let (_, private) = Authority::new().sign();
    put(&cert, &certificate);
    put(&key, &private);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("chmod");
    for words in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let (code, told) = say(words, &both);
        assert!(code == Some(2) && told.contains("2 faults"), "{told}");
        for part in
            ["everybody may read", "mode 0644", "chmod o-rwx", "does not belong to", key.to_str().expect("UTF-8")]
        {
            assert!(told.contains(part), "no {part:?} in {told}");
        }
    }
    let (code, told) = say(&["check"], &both[..1]);
    assert!(code == Some(2) && told.contains("both files, or none"), "{told}");
    let (code, told) = say(&["check", "--insecure-http"], &both);
    assert!(code == Some(2) && told.contains("auto or on, or no certificate"), "{told}");
    let (code, told) = say(&["fingerprint"], &[]);
    assert!(code == Some(1) && told.contains("plain HTTP"), "{told}");
}
