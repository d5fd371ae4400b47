//! axe-core finds nothing on any page, in either theme.

use super::browser::Browser;
use super::sessions::add_user;
use crate::cli::house::{House, await_that};
use crate::cli::pools::{self, await_pool};
use crate::support::receiver::{Received, Receiver, Reply};

/// A provider that has nothing, and a receiver that takes nothing.
fn refusing() -> Receiver {
    Receiver::start_plain(|asked: &Received| match asked.json()["action"].as_str() {
        Some("start") => Reply::Answer(422, b"unknown image".to_vec()),
        Some("list") => Reply::Answer(200, br#"{"instances": []}"#.to_vec()),
        Some(_) => Reply::Answer(404, Vec::new()),
        None => Reply::Answer(503, Vec::new()),
    })
}

/// A pool whose provider refuses; a webhook whose receiver does, and its page.
fn make_pool_and_webhook(house: &House, receiver: &Receiver) -> String {
    let (provider, chat) = (receiver.url("127.0.0.1", "/hook"), receiver.url("127.0.0.1", "/chat"));
    let pool = ["ctl", "pool", "create", "cloud", "--url", &provider, "--max", "10", "--labels", "cloud,zone=eu"];
    house.shunt(&[&pool[..], &["--fact", "platform=ubuntu,arch=x86_64,git=yes"]].concat()).expect(0, &["whsec_"]);
    house.shunt(&["ctl", "webhook", "create", "chat", "--url", &chat, "--events", "job"]).expect(0, &["whsec_"]);
    house.submit(&["--filter", "labels=cloud"], "uname -a");
    await_pool(house, "a start is refused", |pool| pool["failures"] != 0);
    let id = house.api("webhooks")[0]["id"].as_str().expect("an id").to_owned();
    let tried = || house.api(&format!("webhooks/{id}/deliveries"))[0]["last_status"] == 503;
    await_that("the message is refused", tried, || house.log());
    format!("/settings/webhooks/{id}")
}

/// What the picture of a page is called.
fn name_of(page: &str) -> String {
    match page.trim_matches('/') {
        "" => "overview".to_owned(),
        page if page.starts_with("settings/webhooks/") => "settings-webhook".to_owned(),
        page if page.starts_with("queue?") => "queue-why".to_owned(),
        page => page.replace(['/', '?', '='], "-"),
    }
}

/// Questions and details are looked at, too.
const SHOW_ALL: &str = "
    for (const closed of document.querySelectorAll('details')) closed.open = true;
    for (const question of document.querySelectorAll('[popover]')) question.removeAttribute('popover');";

#[test]
fn axe_finds_nothing_on_any_page_in_either_theme() {
    let settings = [&[("SHUNTD_LOCAL_ENABLED", "true")], pools::OUTGOING].concat();
    let (receiver, house) = (refusing(), House::start_set("", &settings));
    let done = house.submit(&[], "echo done; exit 3");
    house.await_end(&done);
    let running = house.submit(&[], "sleep 600");
    house.await_state(&running, &["running"]);
    let never = house.submit(&["--filter", "os=plan9"], "echo never");
    add_user(&house, "ann", "observer");
    let webhook = make_pool_and_webhook(&house, &receiver);
    let browser = Browser::open(&house);
    let mut found = Vec::new();
    let mut look = |page: &str| {
        browser.goto(page);
        // The job's own test has a better picture of it.
        if !page.starts_with("/jobs/") {
            browser.picture(&name_of(page));
        }
        browser.js(SHOW_ALL);
        found.extend(browser.complaints().into_iter().map(|complaint| format!("{page}: {complaint}")));
    };
    look("/login");
    browser.log_in_as_admin(&house);
    for page in [
        "/",
        "/queue",
        &format!("/queue?why={never}"),
        "/runners",
        "/runners?view=grid",
        "/runners/local",
        "/add-runner",
        "/changes",
        "/new-change",
        "/history",
        "/history?runner=nobody",
        "/nothing-here",
        "/settings/tokens",
        "/settings/users",
        "/settings/enrolment",
        "/settings/secrets",
        "/settings/audit",
        "/settings/pools",
        "/settings/pools/cloud",
        "/settings/webhooks",
        &webhook,
        &format!("/jobs/{done}"),
    ] {
        look(page);
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
