//! Users and API tokens as people handle them on the command line.

use std::fs;

use serde_json::Value;

use super::client::{Client, Ran};
use super::house::House;
use super::terminal::Terminal;

const PASSWORD: &[u8] = b"correct horse\n";

fn with_input(house: &House, words: &[&str], input: &[u8]) -> Ran {
    house.begin_with_input(words, input).end()
}

/// Runs `shunt` with the token of this file.
fn as_token(house: &House, file: &str, words: &[&str]) -> Ran {
    let mut command = house.shunt_command();
    command.args(words).env("SHUNT_TOKEN_FILE", house.home().join(file));
    Client::start(command, b"").end()
}

#[test]
fn users_are_made_given_roles_and_kept_out() {
    let house = House::start();
    with_input(&house, &["user", "create", "ann", "--role", "admin", "--password-stdin"], PASSWORD)
        .expect(0, &["user ann is made and is admin"]);
    house
        .shunt(&["user", "create", "bob", "--no-password", "--role", "committer", "--project", "web"])
        .expect(0, &["bob is made and is committer@default/web"]);
    house.shunt(&["org", "create", "shop"]).expect(0, &[]);
    house.shunt(&["user", "grant", "bob", "shipper", "--org", "shop"]).expect(0, &["shipper@shop"]);
    let listed = house.shunt(&["user", "list"]);
    listed.expect(0, &["NAME", "committer@default/web,shipper@shop"]);
    house.shunt(&["user", "disable", "bob"]).expect(0, &["user bob is disabled"]);
    house.shunt(&["user", "show", "bob"]).expect(0, &["state     disabled, since", "password  none"]);
    let shown = house.shunt(&["user", "show", "bob", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(shown["grants"][1]["org"], "shop", "{shown}");
    house.shunt(&["user", "enable", "bob"]).expect(0, &["user bob is enabled"]);
    house.shunt(&["user", "revoke-grant", "bob", "shipper", "--org", "shop"]).expect(0, &["is committer@default/web"]);
    house.shunt(&["user", "delete", "bob"]).expect(0, &["user bob is deleted"]);
    house.shunt(&["user", "show", "bob"]).expect(1, &["no user `bob`"]);
}

#[test]
fn what_cannot_be_done_to_users_is_said_with_the_next_step() {
    let house = House::start();
    with_input(&house, &["user", "create", "ann", "--role", "admin", "--password-stdin"], PASSWORD).expect(0, &[]);
    with_input(&house, &["user", "create", "ann", "--password-stdin"], PASSWORD).expect(1, &["already a user `ann`"]);
    with_input(&house, &["user", "create", "bob", "--password-stdin"], b"short\n").expect(2, &["8 characters"]);
    with_input(&house, &["user", "create", "bob", "--password-stdin"], b"\n").expect(2, &["its first line is empty"]);
    house.shunt(&["user", "create", "bob"]).expect(2, &["--password-stdin"]);
    house.shunt(&["user", "create", "b b", "--no-password"]).expect(2, &["b b"]);
    house.shunt(&["user", "create", "admin", "--no-password"]).expect(1, &["another name"]);
    house.shunt(&["user", "create", "bob", "--no-password", "--role", "root"]).expect(2, &["committer"]);
    house.shunt(&["user", "grant", "ann", "shipper", "--org", "shop"]).expect(1, &["shunt org create shop"]);
    house.shunt(&["user", "grant", "zoe", "shipper"]).expect(1, &["no user `zoe`"]);
    for words in
        [&["user", "disable", "ann"][..], &["user", "delete", "ann"], &["user", "revoke-grant", "ann", "admin"]]
    {
        house.shunt(words).expect(1, &["somebody else one first: `shunt user grant NAME admin`"]);
    }
    house.shunt(&["--server", "http://192.0.2.1:9", "user", "create", "bob"]).expect(2, &["unencrypted"]);
    house.shunt(&["--server", "http://192.0.2.1:9", "token", "create", "x"]).expect(2, &["unencrypted"]);
    house.shunt(&["token", "create", "x"]).expect(1, &["whose the new one is"]);
    house.shunt(&["token", "create", "x", "--machine"]).expect(2, &["--role"]);
    house.shunt(&["token", "create", "x", "--user", "ann", "--ttl", "99years"]).expect(2, &["ten years"]);
    house.shunt(&["token", "revoke", "x"]).expect(1, &["shunt token list"]);
}

#[test]
fn a_token_is_shown_once_used_listed_and_revoked() {
    let house = House::start();
    house.shunt(&["user", "create", "bob", "--no-password", "--role", "observer"]).expect(0, &[]);
    let made = house.shunt(&["token", "create", "laptop", "--user", "bob", "--ttl", "1h"]);
    made.expect(0, &["is bob's, good until"]);
    let token = made.text();
    assert!(token.starts_with("shyu_") && token.trim().len() == 41, "{token}");
    fs::write(house.home().join("bobs"), &token).unwrap();
    as_token(&house, "bobs", &["jobs"]).expect(0, &[]);
    as_token(&house, "bobs", &["run", "--detach", "--", "true"]).expect(1, &["role is not allowed"]);
    as_token(&house, "bobs", &["user", "list"]).expect(1, &["role is not allowed"]);
    as_token(&house, "bobs", &["user", "show", "bob"]).expect(0, &["observer"]);
    super::house::await_that(
        "the use is noted",
        || as_token(&house, "bobs", &["token", "list", "--json"]).text().contains("last_used_at"),
        || house.shunt(&["token", "list"]).text(),
    );
    let machine = house.shunt(&["token", "create", "ci", "--machine", "--role", "committer", "--project", "web"]);
    machine.expect(0, &["is a machine's: committer@default/web"]);
    fs::write(house.home().join("ci"), machine.stdout).unwrap();
    let job = |project: &str| format!(r#"{{"script": "true", "project": "{project}"}}"#);
    as_token(&house, "ci", &["api", "post", "jobs", "-d", &job("web")]).expect(0, &["queued"]);
    as_token(&house, "ci", &["api", "post", "jobs", "-d", &job("till")]).expect(1, &["role is not allowed"]);
    let listed = house.shunt(&["token", "list"]);
    listed.expect(0, &["NAME", "machine", "personal", "committer@default/web"]);
    assert!(!listed.text().contains(token.trim()) && !house.log().contains(token.trim()));
    house.shunt(&["token", "revoke", "laptop"]).expect(0, &["token laptop (shyu_", "is revoked"]);
    as_token(&house, "bobs", &["jobs"]).expect(1, &["does not accept the token"]);
    house.shunt(&["user", "delete", "bob"]).expect(0, &[]);
    assert!(!house.shunt(&["token", "list"]).text().contains("laptop"));
}

#[test]
fn passwords_are_asked_for_without_echo_and_changed() {
    let house = House::start();
    let mut command = house.shunt_command();
    command.args(["user", "create", "ann", "--role", "observer"]);
    let mut terminal = Terminal::start(&command);
    terminal.answer("new password: ", "correct horse");
    terminal.answer("new password again: ", "correct horse");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("horse"), "{screen}");
    let mut terminal = Terminal::start(house.shunt_command().args(["user", "password", "ann"]));
    terminal.answer("new password: ", "another horse");
    terminal.answer("new password again: ", "another house");
    let (code, screen) = terminal.end();
    assert!(code == 2 && screen.contains("the two passwords differ"), "{screen}");
    let made = house.shunt(&["token", "create", "laptop", "--user", "ann"]);
    fs::write(house.home().join("anns"), made.stdout).unwrap();
    let change = |input: &[u8]| {
        let mut command = house.shunt_command();
        command.args(["user", "password", "ann", "--own", "--password-stdin"]);
        command.env("SHUNT_TOKEN_FILE", house.home().join("anns"));
        Client::start(command, input).end()
    };
    change(b"wrong horse\nanother horse\n").expect(1, &["user name or password is wrong"]);
    change(b"correct horse\nanother horse\n").expect(0, &["the password of ann is set"]);
    change(b"correct horse\nanother horse\n").expect(1, &["user name or password is wrong"]);
}
