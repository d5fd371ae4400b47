//! `shunt login`, `logout` and `whoami`: a pinned certificate, tokens, several servers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::{Authority, Stranger, address, fingerprint, put, self_signed};
use crate::cli::client::Client;
use crate::cli::house::House;
use crate::cli::terminal::Terminal;
use crate::support::receiver::{Receiver, Reply};

#[test]
fn a_server_that_signs_itself_is_pinned_once_and_another_certificate_is_refused_from_then_on() {
    let mut house = self_signed();
    let (server, first, stranger) = (address(&house), fingerprint(&house), Stranger::new());
    // Nothing is known yet: the fingerprint is shown, with what to do.
    stranger.shunt(&["jobs", "--server", &server]).expect(1, &["not trusted here", &first, "`shunt login https://"]);
    let token = house.token();
    let login = ["login", server.as_str(), "--token-stdin"];
    stranger.with_input(&login, &token).expect(2, &["no terminal to ask on", &format!("--fingerprint {first}")]);
    let other = format!("SHA256:{}", "A".repeat(43));
    let wrong = [&login[..], &["--fingerprint", &other]].concat();
    stranger.with_input(&wrong, &token).expect(1, &["another certificate", &first, &other]);
    assert!(!stranger.logins().exists(), "nothing is kept of a login that came to nothing");
    let right = [&login[..], &["--fingerprint", &first]].concat();
    stranger.with_input(&right, "shy_wrong").expect(1, &["does not accept the token"]);
    stranger.with_input(&right, &token).expect(0, &["logged in at https://"]);
    assert_eq!(fs::metadata(stranger.logins()).expect("the file").permissions().mode() & 0o777, 0o600);
    // From now on nothing has to be said.
    stranger.shunt(&["jobs"]).expect(0, &[]);
    stranger.shunt(&["whoami"]).expect(0, &[&server, &first]);

    // Another certificate: nothing is sent, and both fingerprints are shown.
    house.terminate();
    fs::remove_file(house.data_dir().join("tls.crt")).expect("the certificate");
    house.start_again();
    let second = fingerprint(&house);
    assert_ne!(first, second);
    stranger.shunt(&["jobs"]).expect(1, &["another certificate than the one that was pinned", &first, &second]);
    let again = stranger.command(&["login", "--user", "nobody"]);
    let mut person = Terminal::start(&again);
    person.answer("shall it be pinned? [y/N]", "n");
    let (code, screen) = person.end();
    assert!(code == 1 && screen.contains(&second) && screen.contains("nothing was sent"), "{screen}");
    stranger.shunt(&["jobs"]).expect(1, &[&first, &second]);
    stranger.with_input(&["login", "--token-stdin", "--fingerprint", &second], &token).expect(0, &["logged in"]);
    stranger.shunt(&["jobs"]).expect(0, &[]);

    // The person on the server's own machine has pinned nothing, and notices nothing.
    let mut own = house.shunt_command();
    own.env_remove("SHUNT_SERVER").arg("jobs");
    assert!(own.output().expect("shunt").status.success());
    stranger.shunt(&["logout"]).expect(0, &["logged out"]);
    stranger.shunt(&["logout", &server]).expect(1, &["nobody is logged in"]);
    stranger.shunt(&["jobs", "--server", &server]).expect(1, &["not trusted here"]);
}

#[test]
fn of_several_servers_the_last_login_counts_and_each_keeps_its_own_token() {
    let (one, two, stranger) = (self_signed(), House::start(), Stranger::new());
    let plain = format!("http://{}", two.address());
    let pin = fingerprint(&one);
    stranger
        .with_input(&["login", &address(&one), "--token-stdin", "--fingerprint", &pin], &one.token())
        .expect(0, &[]);
    stranger.with_input(&["login", &plain, "--token-stdin"], &two.token()).expect(0, &[]);
    stranger.shunt(&["whoami"]).expect(0, &[&plain]);
    stranger.shunt(&["whoami", "--server", &address(&one)]).expect(0, &[&address(&one), &pin]);
    // A token of somebody else wins over the login, and is not good at the other server.
    let mut command = stranger.command(&["jobs"]);
    command.env("SHUNT_TOKEN", one.token());
    assert!(!command.output().expect("shunt").status.success());
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(stranger.logins()).expect("logins")).expect("JSON");
    assert_eq!(kept["servers"].as_object().map(serde_json::Map::len), Some(2));
    // A file that somebody has spoilt is told, and what to do with it.
    put(&stranger.logins(), "{");
    stranger.shunt(&["jobs"]).expect(1, &["logins.json is not what `shunt login` has written", "log in again"]);
}

#[test]
fn a_user_logs_in_over_tls_is_told_their_roles_and_logs_out() {
    let (house, ann) = (self_signed(), Stranger::new());
    let mut make = house.shunt_command();
    make.env_remove("SHUNT_SERVER").args(["user", "create", "ann", "--role", "observer", "--password-stdin"]);
    Client::start(make, b"correct horse\n").end().expect(0, &["ann"]);
    let (server, pin) = (address(&house), fingerprint(&house));
    let login = ["login", server.as_str(), "--fingerprint", &pin, "--user", "ann", "--password-stdin"];
    ann.with_input(&login, "battery staple\n").expect(1, &["does not accept this name and password"]);
    ann.with_input(&login, "correct horse\n").expect(0, &["as ann, until 20"]);
    ann.shunt(&["whoami"]).expect(0, &[&server, "ann", "observer", &pin, "expires_at"]);
    ann.shunt(&["jobs"]).expect(0, &[]);
    ann.shunt(&["run", "--", "true"]).expect(1, &["not allowed"]);
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(ann.logins()).expect("logins")).expect("JSON");
    let token = kept["servers"][&server]["token"].as_str().expect("a token").to_owned();
    ann.shunt(&["logout"]).expect(0, &["logged out"]);
    let again = ["login", server.as_str(), "--fingerprint", &pin, "--token-stdin"];
    ann.with_input(&again, &token).expect(1, &["does not accept the token"]);
}

#[test]
fn a_password_gets_a_token_which_is_kept_and_revoked() {
    // What a server answers to a login, behind an authority that this person has to name.
    let server =
        Receiver::start(|request| match request.path.split('?').next().and_then(|path| path.rsplit('/').next()) {
            Some("_status" | "orgs" | "jobs") => Reply::Answer(200, br#"[]"#.to_vec()),
            Some("revoke-token") => Reply::Answer(204, Vec::new()),
            Some("get-token") if request.json()["password"] == "correct horse" => {
                Reply::Answer(200, json!({"token": "shy_login", "ttl": 604_800}).to_string().into_bytes())
            }
            _ => Reply::Answer(401, br#"{"error":"unauthorized"}"#.to_vec()),
        });
    let (stranger, url) = (Stranger::new(), server.url("localhost", ""));
    let ca_file = server.ca_file().display().to_string();
    let login = ["login", url.as_str(), "--ca-file", &ca_file, "--user", "ann", "--password-stdin"];
    stranger.with_input(&login, "wrong\n").expect(1, &["does not accept this name and password"]);
    stranger.with_input(&login[..6], "x").expect(1, &["Without a terminal, use --password-stdin"]);
    stranger.with_input(&[&login[..4], &["--password-stdin"]].concat(), "x").expect(2, &["--user NAME"]);
    stranger.with_input(&login, "correct horse\n").expect(0, &["logged in at https://localhost", " as ann"]);
    // The authority is kept with the login; the password nowhere.
    stranger.shunt(&["jobs"]).expect(0, &[]);
    let kept = fs::read_to_string(stranger.logins()).expect("logins");
    assert!(kept.contains("shy_login") && !kept.contains("correct horse"), "{kept}");
    let asked = server.received();
    assert!(asked.iter().filter(|r| r.path.ends_with("get-token")).all(|r| r.header("authorization").is_empty()));
    assert_eq!(asked.last().map(|r| r.header("authorization")), Some("Bearer shy_login"));
    stranger.shunt(&["logout"]).expect(0, &["logged out"]);
    assert!(server.received().iter().any(|request| request.path.ends_with("/users/ann/revoke-token")));
    assert!(!fs::read_to_string(stranger.logins()).expect("logins").contains("shy_login"));
    // A password never travels over plain HTTP to another machine.
    stranger
        .with_input(&["login", "http://192.0.2.1:1", "--user", "ann", "--password-stdin"], "x\n")
        .expect(2, &["unencrypted"]);
    stranger.shunt(&["jobs", "--server", &url, "--ca-file", "/no/such/file"]).expect(1, &["cannot read /no/such/file"]);
    let junk = stranger.file("junk", &Authority::new().sign().1);
    stranger.shunt(&["jobs", "--server", &url, "--ca-file", &junk]).expect(2, &["holds no certificate"]);
}
