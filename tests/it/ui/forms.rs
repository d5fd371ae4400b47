//! Pages and forms without scripts, as any browser sends them.

use std::collections::BTreeSet;

use serde_json::json;
use shuntyard::http::{Needs, declared_pages};

use crate::api::http::{Answer, send};
use crate::cli::house::{House, host};
use crate::support::sshd::{DEPLOY_PASSWORD, UBUNTU_2204};

pub fn cookie(house: &House) -> String {
    format!("shunt_session={}", house.token())
}

pub fn page(house: &House, path: &str) -> Answer {
    send(house.address(), "GET", path, &[("Accept", "text/html"), ("Cookie", &cookie(house))], None)
}

pub fn form(house: &House, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
    let cookie = cookie(house);
    let own =
        [("Accept", "text/html"), ("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    send(house.address(), "POST", path, &[&own, more].concat(), Some(body.as_bytes()))
}

pub fn html(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn a_form_leads_to_a_page_that_says_once_what_was_done() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let done = form(&house, "/runners/local/change", &[], "labels=gpu%2C+lab&capabilities=");
    assert_eq!((done.status, done.header("location")), (303, Some("/runners/local")));
    let said = done.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let shown =
        send(house.address(), "GET", "/runners/local", &[("Cookie", &format!("{}; {said}", cookie(&house)))], None);
    assert!(html(&shown).contains("local is changed."), "{}", html(&shown));
    assert!(shown.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(house.api("runners/local")["labels"], json!(["gpu", "lab"]));
    let tested = form(&house, "/runners/local/test", &[], "");
    assert_eq!(tested.status, 303, "{}", html(&tested));
    assert_eq!(house.api("runners/local")["health"]["status"], "ok");
    let refused = form(&house, "/runners/local/change", &[], "slots=many");
    assert_eq!(refused.status, 400);
    assert!(html(&refused).contains("`slots`"), "{}", html(&refused));
}

#[test]
fn a_runner_is_added_without_scripts_and_nothing_typed_is_lost_but_secrets() {
    let (house, host) = (House::start(), host("u1", UBUNTU_2204));
    let typed =
        format!("hostname=u1&address={}&port={}&user=deploy&labels=gpu&slots=3&no_sudo=on", host.address, host.port);
    let add = |more: &str| form(&house, "/add-runner", &[], &format!("{typed}&password={DEPLOY_PASSWORD}{more}"));
    let asked = html(&add(""));
    assert!(asked.contains("nobody has confirmed the host's key"), "{asked}");
    for kept in ["value=\"u1\"", "value=\"deploy\"", "value=\"gpu\"", "value=\"3\"", "name=\"no_sudo\" checked"] {
        assert!(asked.contains(kept), "{kept}: {asked}");
    }
    assert!(!asked.contains(DEPLOY_PASSWORD), "{asked}");
    let key = asked.split("SHA256:").nth(1).and_then(|rest| rest.split([' ', '<', '&']).next()).expect("a fingerprint");
    let added = add(&format!("&host_key=SHA256:{}", key.replace('+', "%2B")));
    assert_eq!((added.status, added.header("location")), (303, Some("/runners/u1")), "{}", html(&added));
    assert_eq!(house.api("runners/u1")["slots"], 3);
}

#[test]
fn nothing_is_done_for_a_page_of_another_site() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    for header in [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"), ("Origin", "null")] {
        let refused = form(&house, "/runners/local/state", &[header], "state=disabled");
        assert_eq!(refused.status, 403, "{header:?}");
        assert!(html(&refused).contains("another site"), "{}", html(&refused));
        // The API's own routes, too: the cookie opens them as well.
        let cookie = cookie(&house);
        let refused =
            send(house.address(), "DELETE", "/api/v0/e/default/runners/local", &[("Cookie", &cookie), header], None);
        assert_eq!(refused.status, 403, "{header:?}");
    }
    let login = send(house.address(), "POST", "/login", &[("Sec-Fetch-Site", "cross-site")], Some(b"token=x"));
    assert_eq!(login.status, 403);
    assert_eq!(house.api("runners/local")["state"], "enrolled");
    let own = format!("http://{}", house.address());
    let done = form(&house, "/runners/local/state", &[("Origin", &own)], "state=disabled");
    assert_eq!(done.status, 303, "{}", html(&done));
}

#[test]
fn pages_hold_nothing_inline_and_say_so_and_what_is_typed_stays_text() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let id = house.submit(&["--title", "<script>alert(1)</script>\"'&"], "true");
    house.await_end(&id);
    for path in ["/", "/queue", "/runners", "/runners/local", "/history", "/changes", "/add-runner", "/settings/tokens"]
    {
        let shown = page(&house, path);
        assert_eq!(shown.status, 200, "{path}: {}", html(&shown));
        let policy = shown.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        let text = html(&shown);
        assert!(
            !text.contains("<script>") && !text.contains(" style=") && !text.contains(" onclick="),
            "{path}: {text}"
        );
        assert!(!text.contains("http://") && !text.contains("https://"), "{path} names another server: {text}");
    }
    assert!(html(&page(&house, "/history")).contains("&lt;script&gt;alert(1)"));
}

#[test]
fn every_page_but_the_login_asks_who_it_is_and_an_observer_gets_only_what_is_theirs() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let made = house.shunt(&["token", "create", "watcher", "--machine", "--role", "observer"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let cookie = format!("shunt_session={}", made.text().trim());
    let mut open = BTreeSet::new();
    for route in declared_pages() {
        let path = route.path.replace("{hostname}", "local").replace(['{', '}', '*'], "x");
        let ask = |headers: &[(&str, &str)]| {
            let body = (route.method == "POST").then_some(&b""[..]);
            send(house.address(), route.method, &path, headers, body).status
        };
        let (nobody, observer) =
            (ask(&[("Accept", "text/html")]), ask(&[("Accept", "text/html"), ("Cookie", &cookie)]));
        match route.needs {
            Needs::Nothing => _ = open.insert(route.path.clone()),
            needs => {
                assert_eq!(nobody, if route.method == "GET" { 303 } else { 401 }, "{} {path}", route.method);
                let admins =
                    matches!(needs, Needs::Role(roles, _) if !roles.iter().any(|role| role.as_str() == "observer"));
                // What does not exist is answered before what one may not.
                assert_eq!(
                    matches!(observer, 403 | 404),
                    admins || path.contains("/x"),
                    "{} {path}: {observer}",
                    route.method
                );
            }
        }
    }
    let expected = ["/assets/{version}/{*path}", "/login", "/theme"].map(str::to_owned);
    assert_eq!(open, expected.into());
}
