//! The document against a real server: every operation is asked, and every documented status is produced.

mod contract;
mod script;

use std::collections::BTreeMap;

use contract::{Contract, Operation};
use diesel::connection::SimpleConnection as _;
use script::Script;

use super::http::{Answer, send_to_event};
use crate::cli::accept_host_key::swap_key;
use crate::cli::enrol::{Line, enrol, make_token};
use crate::cli::house::{House, await_that, host};
use crate::cli::store_faults::database;
use crate::support::receiver::{Receiver, Reply};
use crate::support::sshd::{DEPLOY_PASSWORD, TestHost, UBUNTU_2204, free_port};
use crate::support::trees::{Tree, bundle, sha256, zstd};

/// Longer than a body in JSON may be.
const TOO_LONG: &str = "99999999999";
/// Zeros: small when they are compressed, and more than may come of that.
const LARGE_BYTES: usize = 80 << 20;

fn dispatcher() -> House {
    let port = free_port();
    House::start_set(
        "",
        &[
            ("SHUNTD_LOCAL_ENABLED", "true"),
            ("SHUNTD_LOCAL_SLOTS", "4"),
            ("SHUNTD_ENROLMENT_APPROVAL", "true"),
            ("SHUNTD_DIALOUT_LISTEN", &format!("127.0.0.1:{port}")),
            ("SHUNTD_DIALOUT_PUBLIC", &format!("127.0.0.1:{port}")),
            ("SHUNTD_LIMITS_REQUESTS_PER_S", "0"),
            ("SHUNTD_LIMITS_ANONYMOUS_PER_S", "0"),
            ("SHUNTD_RETENTION_LOG_MAX_MIB", "1"),
            ("SHUNTD_RETENTION_ARTIFACT_MAX_MIB", "1"),
            ("SHUNTD_OUTGOING_ALLOW_HTTP", "true"),
            ("SHUNTD_OUTGOING_ALLOW_NETWORKS", "127.0.0.0/8"),
        ],
    )
}

fn bodies(tree: &Tree, zeros: &[u8]) -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("manifest", tree.text().into_bytes()),
        ("files", zstd(&bundle(&[b"one"]))),
        ("no_bundle", b"no bundle, no bundle, no bundle".to_vec()),
        ("zeros_manifest", zeros_tree(zeros).into_bytes()),
        ("zeros", zstd(&bundle(&[zeros]))),
        ("cut_files", zstd(&bundle(&[b"one"]))[..20].to_vec()),
        ("long_text", vec![b'x'; 65 * 1024]),
    ])
}

/// The manifest of a tree with one large file.
fn zeros_tree(zeros: &[u8]) -> String {
    format!("shuntyard workspace 1\nf\t{}\t{}\tzeros\n", sha256(zeros), zeros.len())
}

#[test]
fn every_documented_status_is_answered_as_the_document_says() {
    // Fields are dropped in this order: the dispatcher goes before its hosts.
    let (u1, h2) = (host("u1", UBUNTU_2204), host("h2", UBUNTU_2204));
    let receiver = Receiver::start_plain(|_| Reply::Answer(200, Vec::new()));
    let (house, bare) = (dispatcher(), House::start());
    house.enrol(&u1, 2);
    house.await_contact(&u1, "connected");
    let mut contract = Contract::of(house.address());
    let (tree, zeros) = (Tree::new(&[("a", "one")]), vec![0; LARGE_BYTES]);
    let bytes = bodies(&tree, &zeros);
    let mut script = Script { house: &house, words: BTreeMap::new(), bytes, faults: Vec::new() };
    script.know("address", &u1.address);
    script.know("port", u1.port);
    script.know("password", DEPLOY_PASSWORD);
    script.know("receiver", receiver.url("127.0.0.1", "/hook"));
    script.know("workspaces", tree.digest());
    script.know("zeros", sha256(zeros_tree(&zeros)));
    for part in
        ["server", "places", "users", "runners", "workspaces", "jobs", "fan_outs", "webhooks", "pools", "jump_hosts"]
    {
        script.play(&mut contract, part);
    }
    for at in ["", "orgs/default/projects/shop/"] {
        script.know("at", at);
        script.play(&mut contract, "changes");
    }
    come_by_itself(&house, &h2, &mut script);
    script.play(&mut contract, "enrolled");
    swap_key(&h2, "ed25519");
    let quarantined = || house.api("runners/h2")["state"] == "quarantined";
    await_that("the runner is quarantined", quarantined, || house.log());
    script.play(&mut contract, "quarantined");
    u1.kill_sshd();
    script.play(&mut contract, "host_down");
    u1.restart();
    script.play(&mut contract, "host_up");
    refuse_each(&mut contract, &mut script);
    script.play(&mut contract, "kept");
    script.play(&mut contract, "crowd");
    let mut faults = script.faults;
    let mut script = Script { house: &bare, faults: Vec::new(), words: script.words, bytes: BTreeMap::new() };
    script.play(&mut contract, "bare");
    let mut other = database(&bare);
    other.batch_execute("BEGIN IMMEDIATE").expect("the write lock");
    script.play(&mut contract, "stuck");
    other.batch_execute("ROLLBACK").expect("the lock is let go");
    faults.extend(script.faults);
    let left = contract.never_produced();
    assert!(faults.is_empty() && left.is_empty(), "{}\nnever answered: {left:#?}", faults.join("\n"));
}

/// A host enrols itself; the token and what was its id are known.
fn come_by_itself(house: &House, host: &TestHost, script: &mut Script<'_>) {
    let token = make_token(house, &[]);
    enrol(house, host, &Line { user: "deploy", ..Line::new(&token, &[]) }).expect(0, &["waits for its approval"]);
    script.know("spent", token);
    script.know("spent_id", house.api("enrolment-tokens")[0]["id"].as_str().expect("an id"));
}

/// A status, and the path, headers and body that lead to it.
type Refused<'r> = (u16, &'r str, &'r [(&'r str, &'r str)], Option<&'r [u8]>);

/// Asks every operation without a token, of an unknown enterprise, with an unknown key and with too long a body.
fn refuse_each(contract: &mut Contract, script: &mut Script<'_>) {
    for operation in contract.operations.clone() {
        let documented: Vec<u16> = operation.statuses().collect();
        let path = path_of(&operation, script);
        let bearer = format!("Bearer {}", script.house.token());
        let token = ("Authorization", bearer.as_str());
        let elsewhere = path.replace("/e/default/", "/e/acme/");
        let with_key = format!("{path}?no_such_key=1");
        let cases: [Refused<'_>; 4] = [
            (401, &path, &[], None),
            (404, &elsewhere, &[token], None),
            (400, &with_key, &[token], None),
            (413, &path, &[token, ("Content-Length", TOO_LONG)], Some(b"")),
        ];
        for (status, path, headers, body) in cases.into_iter().filter(|case| documented.contains(&case.0)) {
            // Some have steps of their own: what is read as bytes is limited by what has come, and a host's token is its body.
            let is_open = operation.said["security"].is_array();
            if (status == 413 && !takes_json(&operation)) || (status == 401 && is_open) {
                continue;
            }
            let answer = send_to_event(script.house.address(), &operation.method, path, headers, body);
            hold(contract, &mut script.faults, &operation, (status, path), &answer);
        }
        if documented.contains(&403) && operation.said["x-roles"].is_array() {
            let answer = forbidden(&operation, &path, script);
            hold(contract, &mut script.faults, &operation, (403, path.as_str()), &answer);
        }
    }
}

/// The first answer that somebody who may not gets: a reader of everything, nobody's friend, a reader of one project.
fn forbidden(operation: &Operation, path: &str, script: &Script<'_>) -> Answer {
    let ask = |who: &&str| {
        let bearer = format!("Bearer {}", script.words[*who]);
        send_to_event(script.house.address(), &operation.method, path, &[("Authorization", &bearer)], None)
    };
    let answers = || ["observer", "nobody", "partial"].iter().map(ask);
    answers().find(|answer| answer.status == 403).or_else(|| answers().next()).expect("an answer")
}

fn takes_json(operation: &Operation) -> bool {
    operation.said["requestBody"]["content"]["application/json"].is_object()
}

fn hold(
    contract: &mut Contract,
    faults: &mut Vec<String>,
    operation: &Operation,
    (status, path): (u16, &str),
    answer: &Answer,
) {
    if answer.status != status {
        faults.push(format!("{} {path}: {} instead of {status}: {}", operation.method, answer.status, answer.json()));
    } else if let Err(why) = contract.check(&operation.method, path, answer) {
        faults.push(format!("{} {path}: {why}", operation.method));
    }
}

/// The operation's path with words of things that are there: `{id}` is what the script keeps under the word in front of it.
fn path_of(operation: &Operation, script: &Script<'_>) -> String {
    let mut before = "";
    let words = operation.path.split('/').map(|word| {
        let value = match word {
            "{id}" => script.words.get(before).unwrap_or_else(|| panic!("no id of {before}")).as_str(),
            "{enterprise}" | "{org}" => "default",
            "{project}" => "shop",
            "{pipeline}" => "master",
            "{hostname}" => "h2",
            "{user}" => "ann",
            "{jump_host}" => "bastion",
            "{pool}" => "kept",
            "{stage}" => "verify",
            "{delivery}" => script.words["delivery"].as_str(),
            word if word.starts_with('{') => "x",
            word => word,
        };
        before = word;
        value.to_owned()
    });
    words.collect::<Vec<_>>().join("/")
}
