//! Pools and webhooks in the settings: made, changed, switched, deleted; what they were sent; what is wrong with a form.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::browser::Browser;
use super::forms::{form, html, page};
use crate::api::http::send;
use crate::cli::house::{BLOCKER, House, await_that};
use crate::cli::pools::provider::Provider;
use crate::cli::pools::{self, await_pool, machine};
use crate::support::receiver::{OK, Receiver, Reply};
use crate::webhooks;

fn value(browser: &Browser, name: &str) -> Value {
    browser.js(&format!("return document.querySelector(\"form [name='{name}']\").value"))
}

/// The secret that the page shows this once.
fn secret(browser: &Browser) -> String {
    browser.await_text("This is the only time that it is shown.");
    assert_eq!(browser.complaints(), [""; 0]);
    let secret = browser.js("return document.querySelector('pre.command').innerText").as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"), "{secret}");
    secret
}

/// Loads a page until it shows a text: this one does not change by itself.
fn await_on_page(house: &House, path: &str, text: &str) {
    let shown = || html(&page(house, path));
    await_that(text, || shown().contains(text), || format!("{}\n{}", shown(), house.log()));
}

#[test]
fn a_webhook_is_made_tried_changed_and_deleted_and_what_failed_is_sent_again() {
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    let receiver =
        Receiver::start(move |_| if is_down.load(Ordering::SeqCst) { Reply::Answer(503, Vec::new()) } else { OK });
    let house = webhooks::house(&receiver);
    let url = receiver.url("localhost", "/hook");
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/settings/webhooks");
    browser.await_text("Nobody is told of anything.");
    browser.fill("input[name=name]", "Chat room");
    browser.fill("input[name=url]", &url);
    browser.fill("input[name=org]", "default");
    browser.click("input[value='job.queued']");
    browser.press("Make the webhook");
    browser.await_js("document.querySelector('input[name=name][aria-invalid]') === document.activeElement");
    browser.await_text("`Chat room`");
    assert!(browser.has("label:has([name=name]) .complaint"));
    assert_eq!((value(&browser, "url"), value(&browser, "org")), (json!(url), json!("default")));
    browser.fill("input[name=name]", "chat");
    browser.press("Make the webhook");
    let first = secret(&browser);
    browser.press("Back");
    browser.await_text("Nothing was sent to it yet");
    let at = browser.at();
    assert!(!browser.js("return document.documentElement.outerHTML").as_str().unwrap().contains(&first));
    assert_eq!(house.api("webhooks")[0]["org"], "default");
    browser.press("Test");
    browser.await_text("The receiver took the message (status 204).");

    down.store(true, Ordering::SeqCst);
    house.submit(&[], "true");
    await_on_page(&house, &at, "the receiver answered 503");
    browser.goto(&at);
    browser.await_text("pending");
    down.store(false, Ordering::SeqCst);
    browser.click("form[action$='/redeliver'] button");
    browser.await_text("job.queued is sent again.");
    await_on_page(&house, &at, "delivered");
    let ids: Vec<String> = receiver.received().iter().map(|got| got.header("webhook-id").to_owned()).collect();
    assert!(ids.len() >= 3 && ids[1..].iter().all(|id| *id == ids[1]), "{ids:?}");

    browser.press("Edit");
    browser.fill("details.edit input[name=name]", "room");
    browser.click("details.edit input[value='job.queued']");
    browser.press("Save");
    browser.await_text("a webhook without events hears nothing");
    assert!(browser.has("fieldset > .complaint"));
    assert_eq!(value(&browser, "name"), "room");
    browser.click("details.edit input[value='job.finished']");
    browser.press("Save");
    browser.await_text("room is changed.");
    assert!(!browser.has(".complaint") && !browser.has("details.edit[open]"));
    assert_eq!(
        (&house.api("webhooks")[0]["name"], &house.api("webhooks")[0]["events"]),
        (&json!("room"), &json!(["job.finished"]))
    );
    browser.press("Switch off");
    browser.await_text("room is off.");
    browser.press("Switch on");
    browser.await_text("room is on.");
    browser.press("New secret");
    browser.press("Make a new secret");
    assert_ne!(secret(&browser), first);
    browser.goto("/settings/webhooks");
    browser.press("room");
    browser.await_at(&at);
    browser.press("Delete");
    browser.press("Delete room");
    browser.await_at("/settings/webhooks");
    browser.await_text("Nobody is told of anything.");
    assert_eq!(house.api("webhooks"), json!([]));
}

#[test]
fn a_pool_is_made_and_changed_and_its_machines_lead_to_their_runners() {
    let (provider, house) = (Provider::start(), pools::house());
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/settings/pools");
    browser.await_text("There is no pool.");
    browser.fill("input[name=name]", "cloud");
    browser.fill("input[name=url]", &provider.url());
    browser.fill("input[name=labels]", "cloud, Zone");
    browser.fill("input[name=idle_limit_s]", "a while");
    browser.press("Make the pool");
    browser.await_text("`a while` is no length of time");
    browser.fill("input[name=idle_limit_s]", "1h 30m");
    browser.press("Make the pool");
    browser.await_js("document.querySelector('input[name=labels][aria-invalid]') === document.activeElement");
    assert_eq!((value(&browser, "name"), value(&browser, "idle_limit_s")), (json!("cloud"), json!("1h 30m")));
    browser.fill("input[name=labels]", "cloud");
    browser.press("Limits, slots, who is served, and what its machines will be");
    browser.fill("input[name=scope]", "nobody");
    browser.fill("input[name=platform]", "ubuntu");
    browser.press("Limits, slots, who is served, and what its machines will be");
    browser.press("Make the pool");
    browser.await_text("there is no organisation `nobody`");
    browser.await_js("document.querySelector('input[name=scope]').checkVisibility()");
    browser.fill("input[name=scope]", "");
    browser.press("Make the pool");
    let first = secret(&browser);
    let made = house.api("pools/cloud");
    assert_eq!((&made["idle_limit_s"], &made["facts"]), (&json!(5400), &json!({"platform": "ubuntu"})), "{made}");
    assert_eq!(made["enrol_url"], format!("http://{}", house.address()));

    browser.press("Back");
    browser.await_at("/settings/pools/cloud");
    browser.await_text("shunt run --filter labels=cloud -- uname -a");
    browser.press("Disable");
    browser.press("Disable cloud");
    browser.await_text("cloud is disabled.");
    browser.press("Enable");
    browser.await_text("cloud is enabled.");
    browser.press("New secret");
    browser.press("Make a new secret");
    assert_ne!(secret(&browser), first);
    browser.press("Back");
    browser.press("Edit");
    browser.fill("details.edit input[name=warm]", "2");
    browser.click("details.edit form summary");
    browser.fill("details.edit input[name=lifetime_s]", "8h");
    browser.press("Save");
    browser.await_text("warm: 2 is out of range");
    assert_eq!(value(&browser, "lifetime_s"), "8h");
    browser.fill("details.edit input[name=warm]", "0");
    browser.press("Save");
    browser.await_text("cloud is changed.");
    let changed = house.api("pools/cloud");
    assert_eq!(
        (&changed["lifetime_s"], &changed["facts"]),
        (&json!(28_800), &json!({"platform": "ubuntu"})),
        "{changed}"
    );

    let job = house.submit(&["--filter", "labels=cloud"], BLOCKER);
    house.await_state(&job, &["running"]);
    let pool = await_pool(&house, "it has a machine", |pool| machine(pool, 0)["state"] == "enrolled");
    let name = machine(&pool, 0)["instance"].as_str().unwrap().to_owned();
    browser.goto("/settings/pools");
    browser.press("cloud");
    browser.await_text(&format!("i-{name}"));
    browser.press(&name);
    browser.await_at(&format!("/runners/{name}"));
    browser.goto("/settings/pools/cloud");
    browser.press("Delete");
    browser.click("input[value=keep]");
    browser.press("Delete cloud");
    browser.await_at("/settings/pools");
    browser.await_text("There is no pool.");
    assert_eq!(house.api(&format!("runners/{name}"))["state"], "enrolled");
    assert!(provider.asked("stop").is_empty());
}

#[test]
fn a_pool_in_trouble_says_so_and_is_deleted_by_force_or_with_its_last_machine() {
    let (provider, house) = (Provider::start(), pools::house());
    let url = provider.url();
    let wanted =
        |more: &str| format!("url={url}&enrol_url=http://127.0.0.1:1&max=1&idle_limit_s=10m&start_limit_s=10m&{more}");
    for (body, told) in [
        (wanted(""), "`name`"),
        (wanted("name=Cloud"), "pool name"),
        (wanted("name=cloud&cidr=here"), "not a network"),
        (wanted("name=cloud&slots=many"), "`slots`"),
        (wanted("name=cloud&lifetime_s=0s"), "it is zero"),
        (wanted("name=cloud").replace(&url, "ftp://127.0.0.1/"), "only https"),
    ] {
        let refused = form(&house, "/settings/pools", &[], &body);
        assert_eq!(refused.status, 400, "{body}");
        assert!(html(&refused).contains(told), "{told}: {}", html(&refused));
    }
    provider.cloud().failing_starts = u32::MAX;
    let made = form(&house, "/settings/pools", &[], &wanted("name=cloud&labels=cloud"));
    assert!(html(&made).contains("whsec_"), "{}", html(&made));
    house.submit(&["--filter", "labels=cloud"], "true");
    await_on_page(&house, "/settings/pools/cloud", "the provider answered 500: no capacity");
    assert!(html(&page(&house, "/settings/pools")).contains("no capacity"));
    let goes = form(&house, "/settings/pools/cloud/delete", &[], "machines=stop");
    assert_eq!((goes.status, goes.header("location")), (303, Some("/settings/pools/cloud")), "{}", html(&goes));
    let shown = html(&page(&house, "/settings/pools/cloud"));
    assert!(!shown.contains("/settings/pools/cloud/change") || shown.contains("no pool"), "{shown}");
    let refused = form(&house, "/settings/pools/cloud/delete", &[], "machines=sell");
    assert_eq!(refused.status, 400);
    await_that(
        "it is gone",
        || page(&house, "/settings/pools/cloud").status == 404,
        || html(&page(&house, "/settings/pools/cloud")),
    );

    provider.cloud().hangs = true;
    provider.cloud().failing_starts = 0;
    provider.cloud().boots_nothing = true;
    form(&house, "/settings/pools", &[], &wanted("name=cloud&labels=cloud"));
    await_that("a machine is asked for", || provider.asked("start").len() > 1, || house.log());
    let kept = form(&house, "/settings/pools/cloud/delete", &[], "machines=keep");
    assert!(html(&kept).contains("are no runners that could stay"), "{}", html(&kept));
    let gone = form(&house, "/settings/pools/cloud/delete", &[], "machines=force");
    assert_eq!((gone.status, gone.header("location")), (303, Some("/settings/pools")), "{}", html(&gone));
    assert_eq!(house.api("pools"), json!([]));
}

#[test]
fn older_deliveries_are_a_page_away() {
    let receiver = Receiver::start(|_| OK);
    let house = webhooks::house(&receiver);
    webhooks::webhook(&house, "chat", &receiver.url("localhost", "/"), "job.queued");
    let at = format!("/settings/webhooks/{}", house.api("webhooks")[0]["id"].as_str().unwrap());
    let token = house.token();
    for _ in 0..51 {
        let body = br#"{"script": "true"}"#;
        let queued =
            send(house.address(), "POST", "/api/v0/e/default/jobs", &[("chef-delivery-token", &token)], Some(body));
        assert_eq!(queued.status, 201);
    }
    let rows = |text: &str| text.matches("/redeliver").count();
    let newest = html(&page(&house, &at));
    assert_eq!(rows(&newest), 50);
    let older = newest.split("href=\"").find_map(|rest| rest.strip_prefix(&at)?.split('"').next()).expect("a link");
    assert!(older.starts_with("?before="), "{older}");
    let last = html(&page(&house, &format!("{at}{older}")));
    assert_eq!(rows(&last), 1, "{last}");
    assert!(!last.contains("rel=\"next\""), "{last}");
    assert_eq!(page(&house, &format!("{at}?before=yesterday")).status, 400);
}

#[test]
fn only_an_admin_sees_pools_and_webhooks_and_changes_them() {
    let (provider, house) = (Provider::start(), pools::house());
    let url = provider.url();
    house.shunt(&["ctl", "pool", "create", "cloud", "--url", &url]).expect(0, &[]);
    house.shunt(&["ctl", "webhook", "create", "chat", "--url", &url, "--events", "job"]).expect(0, &[]);
    let webhook = format!("/settings/webhooks/{}", house.api("webhooks")[0]["id"].as_str().unwrap());
    let token = house.shunt(&["token", "create", "watcher", "--machine", "--role", "committer"]);
    let cookie = format!("shunt_session={}", token.text().trim());
    let ask = |method: &str, path: &str| {
        let body = (method == "POST").then_some(&b"enabled=no"[..]);
        send(house.address(), method, path, &[("Accept", "text/html"), ("Cookie", &cookie)], body)
    };
    for path in ["/settings/pools", "/settings/pools/cloud", "/settings/webhooks", &webhook] {
        let refused = ask("GET", path);
        assert_eq!(refused.status, 403, "{path}");
        assert!(!html(&refused).contains(&url), "{path}: {}", html(&refused));
        assert_eq!(page(&house, path).status, 200, "{path}");
    }
    for act in ["change", "switch", "secret", "delete"] {
        assert_eq!(ask("POST", &format!("/settings/pools/cloud/{act}")).status, 403, "{act}");
        assert_eq!(ask("POST", &format!("{webhook}/{act}")).status, 403, "{act}");
    }
    assert_eq!(ask("POST", &format!("{webhook}/test")).status, 403);
    assert_eq!(
        (&house.api("pools/cloud")["enabled"], &house.api("webhooks")[0]["enabled"]),
        (&json!(true), &json!(true))
    );
    let tabs = html(&ask("GET", "/settings/tokens"));
    assert!(!tabs.contains("/settings/pools") && !tabs.contains("/settings/webhooks"), "{tabs}");
}

#[test]
fn an_admin_of_a_project_finds_its_secrets_and_no_others() {
    let house = House::start();
    house.shunt(&["org", "create", "shop"]).expect(0, &[]);
    house.shunt(&["project", "create", "web", "--org", "shop"]).expect(0, &[]);
    let token =
        house.shunt(&["token", "create", "web", "--machine", "--role", "admin", "--org", "shop", "--project", "web"]);
    assert_eq!(token.code, 0, "{}", token.stderr);
    let cookie = format!("shunt_session={}", token.text().trim());
    let ask = |path: &str| send(house.address(), "GET", path, &[("Accept", "text/html"), ("Cookie", &cookie)], None);
    assert!(html(&ask("/settings/tokens")).contains("href=\"/settings/secrets\""));
    let choice = html(&ask("/settings/secrets"));
    let own = "/settings/secrets?org=shop&amp;project=web";
    assert!(choice.contains(own) && !choice.contains("<form method=\"post\" action=\"/settings/secrets\""), "{choice}");
    assert_eq!(ask(&own.replace("&amp;", "&")).status, 200);
    assert_eq!(ask("/settings/secrets?org=shop").status, 403);
}
