//! Tokens, names and hosts that are refused: a clear reason, and a host as it was.

use serde_json::{Value, json};

use super::{Line, curl, enrol, make_token};
use crate::cli::enrolment::{expect_untouched, only_runner, settle_in, traces};
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::{CENTOS_7, free_port};

/// A token of the right shape that nobody has made.
const UNKNOWN: &str = "shye_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

const ENROL: &str = "/api/v0/e/default/enrol";

fn begin(house: &House, token: &str) -> (u16, Value) {
    let body = format!("{token}\nbegin\nversion 0\nmode user\nhostname h\n");
    let (status, text) = curl(house, &["--data-binary", &body], ENROL);
    (status, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

#[test]
fn a_token_that_is_no_good_says_why_and_an_address_that_guesses_waits() {
    let (host, house) = (host("h1", CENTOS_7), House::start());
    let before = traces(&host);
    let expired = make_token(&house, &["--ttl", "1s"]);
    let elsewhere = make_token(&house, &["--cidr", "10.0.0.0/8"]);
    let revoked = make_token(&house, &[]);
    house.shunt(&["ctl", "revoke-token", &revoked[..9]]).expect(0, &["is revoked"]);
    house.shunt(&["ctl", "revoke-token", "nobody"]).expect(1, &["there is no unused enrolment token `nobody`"]);
    house.shunt(&["ctl", "revoke-token", "rack 7"]).expect(1, &["2 unused enrolment tokens are called `rack 7`"]);
    let has_expired = || house.shunt(&["ctl", "list-tokens"]).text().contains("expired");
    await_that("the token expires", has_expired, || house.shunt(&["ctl", "list-tokens"]).text());

    let other = if expired.ends_with('x') { 'y' } else { 'x' };
    let mistyped = format!("{}{other}", &expired[..40]);
    let unknown = unknown_token();
    for (token, code, why) in [
        (mistyped.as_str(), "token_malformed", "this is not a whole enrolment token"),
        (&unknown, "token_denied", "the token is not known here"),
        (&expired, "token_expired", "the token has expired at "),
        (&revoked, "token_revoked", "the token was revoked at "),
        (&elsewhere, "wrong_network", "the token is not to be used from or for 127.0.0.1, only in 10.0.0.0/8"),
    ] {
        let said = enrol(&house, &host, &Line::new(token, &[]));
        said.expect(1, &[&format!("enrol: failed: {why}"), &format!("({code})"), "enrol: try: "]);
    }
    expect_untouched(&house, &host, &before);

    // The same for programs; and an API token is none.
    for (token, status, code) in [
        (house.token().as_str(), 401, "token_malformed"),
        (&unknown, 401, "token_denied"),
        (&expired, 401, "token_expired"),
        (&elsewhere, 403, "wrong_network"),
    ] {
        let (found, body) = begin(&house, token);
        assert_eq!((found, &body["error"]), (status, &json!(code)), "{body}");
    }
    let good = make_token(&house, &[]);
    let (status, body) = begin(&house, &good);
    assert_eq!((status, &body["error"]), (409, &json!("other_version")), "{body}");
    // Nine were wrong so far; after the tenth in a minute even a good one has to wait.
    let mut last = Value::Null;
    let waits = || {
        begin(&house, &unknown);
        let (status, body) = begin(&house, &good);
        last = body;
        status == 429
    };
    await_that("the address has to wait", waits, || "it guesses on".into());
    assert_eq!(last["error"], "too_many_tries", "{last}");
    let (status, _) = curl(&house, &["-H", &format!("Authorization: Bearer {good}")], "/api/v0/e/default/runners");
    assert_eq!(status, 401, "an enrolment token opens nothing else");
}

/// `UNKNOWN` with its checksum, as the product computes it.
fn unknown_token() -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::new_with_prefix("shye_").chain_update([7_u8; 24]).finalize();
    let digits: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    let bits = digest[..3].iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
    let check: String = [18, 12, 6, 0].iter().map(|shift| digits[bits >> shift & 63]).collect();
    format!("{}{check}", &UNKNOWN[..37])
}

#[test]
fn a_host_that_is_not_reached_gives_the_token_back_and_is_left_as_it_was() {
    let (host, other, house) = (host("h1", CENTOS_7), host("h2", CENTOS_7), House::start());
    ["deploy", "bob"].iter().for_each(|user| settle_in(&host, user));
    let (before, token) = (traces(&host), make_token(&house, &[]));
    let (closed, another) = (format!("SHUNT_ENROL_PORT={}", free_port()), format!("SHUNT_ENROL_PORT={}", other.port));
    for (user, place, why, next) in [
        ("root", &closed, "connect: cannot reach 127.0.0.1:", "see that sshd runs and that the dispatcher reaches"),
        ("bob", &closed, "connect: cannot reach 127.0.0.1:", "SHUNT_ENROL_ADDRESS and SHUNT_ENROL_PORT"),
        ("root", &another, "shows a host key that is not the expected one", "is this host's own sshd"),
        ("bob", &another, "shows a host key that is not the expected one", "is this host's own sshd"),
    ] {
        let said = enrol(&house, &host, &Line { user, ..Line::new(&token, &[place]) });
        said.expect(1, &[why, "(step_failed)", "enrol: try: see that ", next, "enrol: taken back what was installed"]);
        expect_untouched(&house, &host, &before);
    }
    // sshd lets nobody in.
    host.run_inside("echo 'AllowUsers nobody' >>/etc/ssh/sshd_config");
    host.restart();
    let said = enrol(&house, &host, &Line::new(&token, &[]));
    said.expect(1, &["refused the key of user job_runner", "see that sshd lets job_runner in with a key"]);
    expect_untouched(&house, &host, &before);
    assert_eq!(house.api("enrolment-tokens")[0]["state"], "good");
    host.run_inside("sed -i '/^AllowUsers/d' /etc/ssh/sshd_config");
    host.restart();
    enrol(&house, &host, &Line::new(&token, &[])).expect(0, &["enrol: h1 is enrolled and takes jobs"]);

    // From here on it is a runner: neither its name nor its host is to be had again.
    let said = enrol(&house, &host, &Line::new(&token, &[]));
    said.expect(1, &["the token was used already, for runner `h1` (token_used)"]);
    let token = make_token(&house, &["--name", "h1"]);
    enrol(&house, &other, &Line::new(&token, &[])).expect(1, &["there is already a runner `h1` (name_taken)"]);
    let said = enrol(&house, &other, &Line::new(&token, &["SHUNT_ENROL_NAME=h2"]));
    said.expect(1, &["the token is for `h1` only, not for `h2` (wrong_name)"]);
    let token = make_token(&house, &[]);
    let said = enrol(&house, &host, &Line::new(&token, &["SHUNT_ENROL_NAME=twice"]));
    said.expect(1, &["this host is already runner `h1` (host_taken)", "shunt ctl delete-runner h1"]);
    assert_eq!(only_runner(&house)["hostname"], "h1");
    house.shunt(&["ctl", "test-runner", "h1"]).expect(0, &["runner h1 is ok"]);
}

#[test]
fn a_token_that_two_hosts_have_enrols_one_of_them() {
    let (one, two, house) = (host("h1", CENTOS_7), host("h2", CENTOS_7), House::start());
    let (before, token) = ([traces(&one), traces(&two)], make_token(&house, &[]));
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| enrol(&house, &one, &Line::new(&token, &[])));
        let second = scope.spawn(|| enrol(&house, &two, &Line::new(&token, &[])));
        (first.join().unwrap(), second.join().unwrap())
    });
    let (winner, loser, host, before) = match first.code {
        0 => ("h1", second, &two, &before[1]),
        _ => ("h2", first, &one, &before[0]),
    };
    loser.expect(1, &[&format!("the token was used already, for runner `{winner}`")]);
    assert_eq!(only_runner(&house)["hostname"], winner);
    assert_eq!(&traces(host), before, "the other host is not as it was");
}

#[test]
fn a_script_that_would_send_its_token_readable_or_nowhere_does_not() {
    let (host, house) = (host("h1", CENTOS_7), House::start());
    let script = curl(&house, &[], "/enrol.sh").1;
    std::fs::write(host.path("/run/enrol.sh"), script).unwrap();
    let token = make_token(&house, &[]);
    for (words, why) in [
        ("http://dispatcher.example.com", "will not send the token over plain HTTP to another machine"),
        ("http://127.evil.example.com:8920", "will not send the token over plain HTTP"),
        ("", "the dispatcher's address is missing"),
        ("'https://host/$(id)'", "is not an address of a dispatcher"),
        ("http://127.0.0.1:1", "does not answer as one"),
    ] {
        let typed = format!("cd /run; export SHUNT_ENROL_TOKEN={token}; sh enrol.sh {words}");
        super::Said::from(host.exec_inside(&typed)).expect(1, &[why, "enrol: try: "]);
    }
    let typed = format!("cd /run; echo {token} | sh enrol.sh http://{} -", house.address());
    let typed = format!("export SHUNT_ENROL_PORT={}; {typed}", host.port);
    super::Said::from(host.exec_inside(&typed)).expect(0, &["enrol: h1 is enrolled and takes jobs"]);
}
