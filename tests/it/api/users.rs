//! Users, logins and tokens, over HTTP as any client would.

use serde_json::{Value, json};

use super::http::{Answer, request, send};
use crate::cli::house::House;

const PASSWORD: &str = "correct horse";

/// Sends JSON with a token to a path below the enterprise.
pub fn ask(house: &House, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
    let body = body.map(ToString::to_string);
    let path = format!("/api/v0/e/default/{path}");
    request(house.address(), method, &path, Some(token), body.as_deref().map(str::as_bytes))
}

/// Makes a user with the file's token.
pub fn make_user(house: &House, name: &str, grants: &Value) {
    let body = json!({"name": name, "password": PASSWORD, "grants": grants});
    let made = ask(house, "POST", "users", &house.token(), Some(&body));
    assert_eq!(made.status, 201, "{}", made.json());
}

pub fn log_in(house: &House, name: &str, password: &str) -> Answer {
    let body = json!({"username": name, "password": password}).to_string();
    let path = format!("/api/v0/e/default/users/{name}/get-token");
    request(house.address(), "POST", &path, None, Some(body.as_bytes()))
}

/// A token of a user, got by their password.
pub fn token_of(house: &House, name: &str) -> String {
    let got = log_in(house, name, PASSWORD);
    assert_eq!((got.status, &got.json()["ttl"]), (200, &json!(604_800)), "{}", got.json());
    got.json()["token"].as_str().expect("a token").to_owned()
}

fn status(house: &House, token: &str) -> u16 {
    ask(house, "GET", "orgs", token, None).status
}

#[test]
fn a_password_leads_to_a_token_and_all_that_is_wrong_looks_the_same() {
    let house = House::start();
    make_user(&house, "ann", &json!([{"role": "observer"}]));
    let body = json!({"name": "bob", "grants": [{"role": "observer"}]});
    assert_eq!(ask(&house, "POST", "users", &house.token(), Some(&body)).status, 201);
    let token = token_of(&house, "ann");
    assert!(token.starts_with("shyu_") && token.len() == 41, "{token}");
    assert_eq!(status(&house, &token), 200);
    let long = "x".repeat(5000);
    for (name, password) in [("ann", "wrong"), ("bob", ""), ("zoe", PASSWORD), ("ann", &long), ("b%C3%B6b", PASSWORD)] {
        let refused = log_in(&house, name, password);
        let mut body = refused.json();
        body["request_id"] = Value::Null;
        let same = json!({"error": "unauthorized", "message": "user name or password is wrong", "request_id": null});
        assert_eq!((refused.status, body), (401, same), "{name}");
    }
    for body in [&br#"{"username": "ann", "password": 7}"#[..], b"[\"ann\", \"correct horse\"]", b"{", b""] {
        let path = "/api/v0/e/default/users/ann/get-token";
        let refused = request(house.address(), "POST", path, None, Some(body));
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("bad_request")));
        assert!(!refused.json().to_string().contains("correct"), "a password is not repeated");
    }
    assert!(!house.log().contains(PASSWORD) && !house.log().contains(&token));
}

#[test]
fn whoever_guesses_is_made_to_wait_and_others_are_not() {
    let house = House::start();
    make_user(&house, "ann", &json!([]));
    let token = token_of(&house, "ann");
    let mut waits = None;
    for _ in 0..11 {
        let refused = log_in(&house, "ann", "guess");
        if refused.status == 429 {
            waits = Some((refused.json()["error"].clone(), refused.header("retry-after").map(str::to_owned)));
            break;
        }
        assert_eq!(refused.status, 401);
    }
    let (error, wait_s) = waits.expect("the eleventh guess is too many");
    assert_eq!(error, "too_many_tries");
    let wait_s: u32 = wait_s.expect("a Retry-After").parse().expect("seconds");
    assert!((1..=30).contains(&wait_s), "{wait_s}");
    assert_eq!(log_in(&house, "ann", PASSWORD).status, 429, "also with the right one");
    assert_eq!(ask(&house, "GET", "users/ann", &token, None).status, 200, "a token is let in");
    assert_eq!(log_in(&house, "zoe", "guess").status, 401, "another name has its own tries");
    let refused = refused_logins(&house);
    let of = |subject: &str| refused.iter().filter(|row| row["subject"] == subject).count();
    assert_eq!((of("user ann"), of("an unknown user")), (10, 1), "{refused:?}");
    let row = json!(refused).to_string();
    assert!(row.contains("127.0.0.1") && !row.contains("zoe") && !row.contains("guess"), "{row}");
}

/// Rows of the audit log about them.
fn refused_logins(house: &House) -> Vec<Value> {
    let rows = house.api("audit?action=user.login_refused&limit=500");
    rows.as_array().expect("rows").clone()
}

#[test]
fn nobody_fills_the_audit_log_with_guesses() {
    // Each guess comes from an address and for a name of its own.
    let house = House::start_set("", &[("SHUNTD_SERVER_TRUSTED_PROXIES", "127.0.0.0/8")]);
    for n in 0..112 {
        let body = json!({"username": format!("u{n}"), "password": "guess"}).to_string();
        let path = format!("/api/v0/e/default/users/u{n}/get-token");
        let from = format!("192.0.2.{n}");
        let headers = [("X-Forwarded-For", from.as_str())];
        assert_eq!(send(house.address(), "POST", &path, &headers, Some(body.as_bytes())).status, 401);
    }
    let noted = refused_logins(&house).len();
    // One more for each minute that this takes.
    assert!((100..112).contains(&noted), "{noted}");
    let ask = |method: &str, path: &str| ask(&house, method, path, &house.token(), None);
    assert_eq!(ask("GET", "audit/check").status, 200);
}

#[test]
fn what_is_taken_away_is_gone_at_the_next_request() {
    let house = House::start();
    let admin = house.token();
    make_user(&house, "ann", &json!([{"role": "observer"}]));
    let token = token_of(&house, "ann");
    let patch = |body: Value| {
        let answer = ask(&house, "PATCH", "users/ann", &admin, Some(&body));
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    };
    assert_eq!(status(&house, &token), 200);
    assert_eq!(patch(json!({"revoke": [{"role": "observer"}]}))["grants"], json!([]));
    assert_eq!(status(&house, &token), 403);
    patch(json!({"grant": [{"role": "shipper", "org": "default", "project": "web"}]}));
    assert_eq!(status(&house, &token), 200);
    patch(json!({"disabled": true}));
    assert_eq!(status(&house, &token), 401);
    assert_eq!(log_in(&house, "ann", PASSWORD).status, 401);
    patch(json!({"disabled": false}));
    assert_eq!(status(&house, &token), 200);
    patch(json!({"password": "another horse"}));
    assert_eq!(status(&house, &token), 401, "a new password ends the logins of the old one");
    assert_eq!(ask(&house, "DELETE", "users/ann", &admin, None).status, 204);
    assert_eq!(log_in(&house, "ann", "another horse").status, 401);
    assert_eq!(ask(&house, "DELETE", "users/ann", &admin, None).status, 404);
}

#[test]
fn the_last_admin_stays_and_bad_changes_change_nothing() {
    let house = House::start();
    let admin = house.token();
    make_user(&house, "ann", &json!([{"role": "admin"}]));
    make_user(&house, "bob", &json!([{"role": "admin", "org": "default"}]));
    let refused = |method: &str, path: &str, body: Option<Value>, status: u16, error: &str, says: &str| {
        let answer = ask(&house, method, path, &admin, body.as_ref());
        let json = answer.json();
        assert_eq!((answer.status, &json["error"]), (status, &json!(error)), "{method} {path} {body:?}: {json}");
        assert!(json["message"].as_str().unwrap_or_default().contains(says), "{json}");
    };
    let before = ask(&house, "GET", "users", &admin, None).json();
    refused("DELETE", "users/ann", None, 409, "last_admin", "shunt user grant NAME admin");
    for body in [json!({"disabled": true}), json!({"revoke": [{"role": "admin"}], "grant": [{"role": "shipper"}]})] {
        refused("PATCH", "users/ann", Some(body), 409, "last_admin", "nobody would be left");
    }
    refused("PUT", "users/ann/grants", Some(json!({"grants": []})), 409, "last_admin", "nobody would be left");
    let shop = json!({"grant": [{"role": "shipper", "org": "shop"}]});
    refused("PATCH", "users/bob", Some(shop), 404, "not_found", "shunt org create shop");
    let both = json!({"grant": [{"role": "shipper"}], "revoke": [{"role": "shipper"}]});
    refused("PATCH", "users/bob", Some(both), 400, "bad_request", "both given and taken away");
    refused(
        "PATCH",
        "users/bob",
        Some(json!({"revoke": [{"role": "shipper"}]})),
        400,
        "bad_request",
        "has not been given",
    );
    refused(
        "PATCH",
        "users/bob",
        Some(json!({"grant": [{"role": "root"}]})),
        400,
        "bad_request",
        "unknown variant `root`",
    );
    refused("PATCH", "users/bob", Some(json!({"password": "short"})), 400, "bad_request", "not a password");
    refused("PATCH", "users/bob", Some(json!({"password": "x".repeat(1025)})), 400, "bad_request", "not a password");
    refused("PATCH", "users/nobody", Some(json!({"disabled": true})), 404, "not_found", "no user `nobody`");
    refused("POST", "users", Some(json!({"name": "ann"})), 409, "conflict", "already a user `ann`");
    refused("POST", "users", Some(json!({"name": "Admin"})), 400, "bad_request", "another name");
    for name in ["", "a b", "../x", "bj\u{f6}rn", "\u{202e}nna"] {
        refused("POST", "users", Some(json!({"name": name})), 400, "bad_request", "");
    }
    assert_eq!(ask(&house, "GET", "users", &admin, None).json(), before);
    let put = ask(&house, "PUT", "users/bob/grants", &admin, Some(&json!({"grants": [{"role": "admin"}]})));
    assert_eq!((put.status, &put.json()["grants"]), (200, &json!([{"role": "admin"}])));
    assert_eq!(ask(&house, "DELETE", "users/ann", &admin, None).status, 204, "there is another admin now");
}

#[test]
fn people_have_tokens_of_their_own_and_see_nobody_elses() {
    let house = House::start();
    make_user(&house, "ann", &json!([{"role": "committer"}]));
    make_user(&house, "bob", &json!([{"role": "observer"}]));
    let (ann, bob) = (token_of(&house, "ann"), token_of(&house, "bob"));
    let made = ask(&house, "POST", "tokens", &ann, Some(&json!({"name": "laptop", "ttl_s": 3600})));
    assert_eq!(made.status, 201, "{}", made.json());
    let made = made.json();
    let laptop = made["token"].as_str().unwrap();
    assert_eq!((&made["kind"], &made["user"], &made["state"]), (&json!("personal"), &json!("ann"), &json!("good")));
    assert_eq!(status(&house, laptop), 200);
    let listed = ask(&house, "GET", "tokens", &ann, None).json();
    let names: Vec<_> = listed["tokens"].as_array().unwrap().iter().map(|token| token["name"].clone()).collect();
    assert_eq!(names, ["laptop", "login"]);
    assert!(!listed.to_string().contains(laptop), "a token is shown once");
    let path = format!("tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(ask(&house, "DELETE", &path, &bob, None).status, 404);
    for (token, body) in [
        (&bob, json!({"name": "x", "user": "ann"})),
        (&bob, json!({"name": "x", "machine": true, "grants": [{"role": "observer"}]})),
    ] {
        assert_eq!(ask(&house, "POST", "tokens", token, Some(&body)).status, 403, "{body}");
    }
    for (body, says) in [
        (json!({"name": "x", "ttl_s": 0}), "not a time"),
        (json!({"name": "x", "ttl_s": 400_000_000}), "not a time"),
        (json!({"name": "x", "grants": [{"role": "admin"}]}), "only a machine's token"),
        (json!({"name": "x", "machine": true}), "could do nothing"),
        (json!({"name": "x", "machine": true, "user": "ann", "grants": [{"role": "admin"}]}), "belongs to no user"),
        (json!({"name": "x", "machine": true, "grants": [{"role": "admin", "project": "web"}]}), "lies in an"),
        (json!({"name": "a b"}), ""),
    ] {
        let refused = ask(&house, "POST", "tokens", &ann, Some(&body));
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.json()["message"].as_str().unwrap().contains(says), "{}", refused.json());
    }
    let longer = ask(&house, "POST", "tokens", laptop, Some(&json!({"name": "for-ever"})));
    assert_eq!((longer.status, &longer.json()["path"]), (400, &json!("ttl_s")), "{}", longer.json());
    assert_eq!(ask(&house, "DELETE", &path, &ann, None).status, 204);
    assert_eq!(status(&house, laptop), 401);
    assert_eq!(ask(&house, "POST", "users/ann/revoke-token", &ann, None).status, 204);
    assert_eq!(status(&house, &ann), 401);
}

#[test]
fn a_machine_may_what_its_token_says_and_the_files_token_is_the_daemons() {
    let house = House::start();
    let admin = house.token();
    let body =
        json!({"name": "ci", "machine": true, "grants": [{"role": "committer", "org": "default", "project": "web"}]});
    let made = ask(&house, "POST", "tokens", &admin, Some(&body)).json();
    let token = made["token"].as_str().expect("a token");
    assert!(token.starts_with("shym_"), "{token}");
    let job = |project: &str| json!({"script": "true", "project": project});
    assert_eq!(ask(&house, "POST", "jobs", token, Some(&job("web"))).status, 201);
    assert_eq!(ask(&house, "POST", "jobs", token, Some(&job("till"))).status, 403);
    assert_eq!(ask(&house, "GET", "users", token, None).status, 403);
    let listed = ask(&house, "GET", "tokens", token, None).json();
    assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(1), "its own");
    let all = ask(&house, "GET", "tokens", &admin, None).json();
    let file =
        all["tokens"].as_array().unwrap().iter().find(|token| token["kind"] == "admin").expect("the file's").clone();
    let refused = ask(&house, "DELETE", &format!("tokens/{}", file["id"].as_str().unwrap()), &admin, None);
    assert_eq!((refused.status, &refused.json()["error"]), (409, &json!("file_token")));
    let nobodys = ask(&house, "POST", "tokens", &admin, Some(&json!({"name": "x"})));
    assert_eq!((nobodys.status, &nobodys.json()["path"]), (400, &json!("user")));
    let unknown = ask(&house, "POST", "tokens", &admin, Some(&json!({"name": "x", "user": "zoe"})));
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_user_changes_their_own_password_and_keeps_this_login() {
    let house = House::start();
    make_user(&house, "ann", &json!([{"role": "observer"}]));
    make_user(&house, "bob", &json!([]));
    let (here, there) = (token_of(&house, "ann"), token_of(&house, "ann"));
    let change = |token: &str, user: &str, old: &str, new: &str| {
        let body = json!({"old": old, "new": new});
        ask(&house, "POST", &format!("users/{user}/password"), token, Some(&body)).status
    };
    assert_eq!(change(&here, "ann", "wrong", "another horse"), 401);
    assert_eq!(change(&here, "ann", PASSWORD, "short"), 400);
    assert_eq!(change(&here, "bob", PASSWORD, "another horse"), 403);
    assert_eq!(change(&house.token(), "ann", PASSWORD, "another horse"), 403, "an admin sets it by PATCH");
    assert_eq!(change(&here, "ann", PASSWORD, "another horse"), 204);
    assert_eq!((status(&house, &here), status(&house, &there)), (200, 401));
    assert_eq!((log_in(&house, "ann", PASSWORD).status, log_in(&house, "ann", "another horse").status), (401, 200));
}

#[test]
fn chefs_headers_cookies_and_queries_name_the_user_and_a_wrong_name_is_denied() {
    let house = House::start();
    make_user(&house, "ann", &json!([{"role": "observer"}]));
    let (ann, file) = (token_of(&house, "ann"), house.token());
    for (token, own, other) in [(&ann, "ann", "bob"), (&file, "admin", "ann")] {
        for (user, expected) in [(own, 200), (other, 401), ("", 401)] {
            let cookie = format!("a=b; chef-delivery-user={user};chef-delivery-token={token}");
            let query = format!("?chef-delivery-user={user}&chef-delivery-token={token}");
            for base in ["/api/v0/e/default", "/workflow/api/v0/e/default"] {
                let get = |query: &str, headers: &[(&str, &str)]| {
                    send(house.address(), "GET", &format!("{base}/orgs{query}"), headers, None).status
                };
                let headers = [("chef-delivery-user", user), ("chef-delivery-token", token.as_str())];
                assert_eq!(get("", &headers), expected, "headers of {user:?}");
                assert_eq!(get("", &[("Cookie", &cookie)]), expected, "cookies of {user:?}");
                assert_eq!(get(&query, &[]), expected, "query of {user:?}");
            }
        }
        let bearer = format!("Bearer {token}");
        assert_eq!(
            send(house.address(), "GET", "/api/v0/e/default/orgs", &[("Authorization", &bearer)], None).status,
            200
        );
    }
    for bad in ["", "shyu_", &ann[..40], &format!("{ann}x"), &ann.replace("shyu_", "shym_"), "shye_AAAA", "\u{fffd}"] {
        let answer = send(house.address(), "GET", "/api/v0/e/default/orgs", &[("chef-delivery-token", bad)], None);
        assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("token_denied")), "{bad:?}");
    }
}
