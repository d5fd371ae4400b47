//! Values that no host, user, label or key can have: refused with a sentence by both programs, and nothing is changed.

use super::house::{House, host};
use crate::api::http::request;
use crate::support::sshd::{DEBIAN_12, DEPLOY_PASSWORD};

/// Pieces that a shell would act upon.
const EVIL: [&str; 9] = ["a;b", "a b", "$(touch x)", "`touch x`", "a'b", "a\"b", "a|b", "-oProxyCommand=x", "a\nb"];

#[test]
fn the_command_line_refuses_bad_values_before_it_sends_anything() {
    let house = House::start();
    let mut cases: Vec<(Vec<&str>, &str)> = Vec::new();
    for evil in EVIL {
        cases.push((vec!["--", evil, "deploy"], "host name"));
        cases.push((vec!["--", "h1", evil], "user name"));
    }
    let address: Vec<String> = EVIL.iter().map(|evil| format!("--address={evil}")).collect();
    cases.extend(address.iter().map(|flag| (vec!["h1", "deploy", flag.as_str()], "host name")));
    let labels: Vec<String> = EVIL.iter().map(|evil| format!("--labels={evil}")).collect();
    cases.extend(labels.iter().map(|flag| (vec!["h1", "deploy", flag.as_str()], "label")));
    cases.extend([
        (vec!["h1", "deploy", "--labels=A"], "label"),
        (vec!["h1", "deploy", "--slots=0"], "--slots"),
        (vec!["h1", "deploy", "--slots=-1"], "--slots"),
        (vec!["h1", "deploy", "--slots=x"], "--slots"),
        (vec!["h1", "deploy", "--slots=1001"], "--slots"),
        (vec!["h1", "deploy", "--port=0"], "--port"),
        (vec!["h1", "deploy", "--port=65536"], "--port"),
        (vec!["h1", "deploy", "--host-key=SHA256:$(x)"], "fingerprint"),
        (vec!["h1", "deploy", "--host-key=MD5:aa"], "fingerprint"),
        (vec!["h1", "deploy", "-i", "/nowhere"], "cannot be used with"),
        (vec!["h1"], "USERNAME"),
        (vec!["h1", "deploy", "--unknown"], "--unknown"),
    ]);
    for (words, said) in cases {
        let ran = house
            .begin_with_input(&[&["ctl", "install-runner", "--password-stdin"], &words[..]].concat(), b"x\n")
            .end();
        assert!(ran.code == 2 && ran.stderr.contains(said), "{words:?} gave {}: {}", ran.code, ran.stderr);
    }
    house
        .shunt(&["ctl", "install-runner", "h1", "deploy"])
        .expect(2, &["say how to log in", "-i FILE", "--password-stdin"]);
    let empty = house.begin_with_input(&["ctl", "install-runner", "h1", "deploy", "--password-stdin"], b"\n").end();
    empty.expect(2, &["its first line is empty"]);
    house.shunt(&["ctl", "install-runner", "h1", "deploy", "-i", "/nowhere"]).expect(1, &["cannot read /nowhere"]);
    for verb in ["delete-runner", "test-runner"] {
        for evil in EVIL {
            house.shunt(&["ctl", verb, "--", evil]).expect(2, &["host name"]);
        }
    }
    house.shunt(&["ctl", "delete-runner", "h1"]).expect(2, &["there is no terminal to confirm on"]);
    house.shunt(&["ctl", "delete-runner", "h1", "-y"]).expect(1, &["there is no runner `h1`"]);
    assert_eq!(house.api("runners"), serde_json::json!([]));
    assert!(!house.log().contains("install{"), "something was sent:\n{}", house.log());
}

fn sent(house: &House, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
    let answer = request(house.address(), method, path, Some(token.trim()), Some(body.as_bytes()));
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn the_server_refuses_bad_values_with_their_path_and_contacts_nobody() {
    let (host, house) = (host("d1", DEBIAN_12), House::start());
    let token = std::fs::read_to_string(house.home().join("share/shuntyard/admin.token")).unwrap();
    let post = |name: &str, body: &str| {
        let path = format!("/api/v0/e/default/runners/{name}/install");
        sent(&house, "POST", &path, &token, body)
    };
    let good = serde_json::json!({
        "user": "deploy", "password": DEPLOY_PASSWORD, "address": host.address, "port": host.port, "no_sudo": true,
    });
    let with = |changes: serde_json::Value| {
        let mut body = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.to_string()
    };
    let mut cases = Vec::new();
    for evil in EVIL {
        cases.push((with(serde_json::json!({"user": evil})), "user name"));
        cases.push((with(serde_json::json!({"address": evil})), "host name"));
        cases.push((with(serde_json::json!({"labels": [evil]})), "label"));
        cases.push((with(serde_json::json!({"host_key": evil})), "host_key"));
        cases.push((with(serde_json::json!({"password": null, "private_key": evil})), "private_key"));
    }
    let truncated =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    cases.extend([
        (with(serde_json::json!({"password": null, "private_key": truncated})), "private_key"),
        (with(serde_json::json!({"password": null})), "password"),
        (with(serde_json::json!({"private_key": truncated})), "two credentials"),
        (with(serde_json::json!({"slots": 0})), "slots"),
        (with(serde_json::json!({"slots": 1001})), "slots"),
        (with(serde_json::json!({"slots": -1})), "slots"),
        (with(serde_json::json!({"slots": "2"})), "slots"),
        (with(serde_json::json!({"port": 0})), "port"),
        (with(serde_json::json!({"port": 65536})), "port"),
        (with(serde_json::json!({"no_sudo": "yes"})), "no_sudo"),
        (with(serde_json::json!({"labels": "gpu"})), "labels"),
        (with(serde_json::json!({"pasword": "x"})), "pasword"),
        ("{\"user\": ".to_owned(), "EOF while parsing"),
        ("[]".to_owned(), "bad_request"),
        (String::new(), "bad_request"),
    ]);
    for (body, said) in &cases {
        let (status, answer) = post("d1", body);
        assert!(status == 400 && answer.contains(said), "{body} gave {status}, without {said:?}: {answer}");
        assert!(answer.contains("\"message\""), "{answer}");
    }
    for name in ["a;b", "a%20b", "$(id)", "%60id%60", "-oProxyCommand=x", "a%0ab", "a%2Fb"] {
        let (status, answer) = post(name, &good.to_string());
        assert!(matches!(status, 400 | 404), "{name} gave {status}: {answer}");
    }
    for (method, name) in [("DELETE", "a;b"), ("GET", "$(id)"), ("DELETE", "nobody"), ("PATCH", "nobody")] {
        let path = format!("/api/v0/e/default/runners/{name}");
        let (status, answer) = sent(&house, method, &path, &token, "{}");
        assert!(matches!(status, 400 | 404), "{method} {name} gave {status}: {answer}");
    }
    assert_eq!(house.api("runners"), serde_json::json!([]));
    assert!(!host.log().contains("Connection from"), "the host was contacted:\n{}", host.log());
    assert!(!house.log().contains("a request failed"), "{}", house.log());
}
