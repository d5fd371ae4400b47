//! A page that stays like the server's, also over a restart of it.

use super::browser::Browser;
use crate::cli::house::House;

#[test]
fn a_job_that_waited_shows_its_log_once_it_runs() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let first = house.submit(&[], "sleep 600");
    house.await_state(&first, &["running"]);
    let second = house.submit(&[], "echo out of the second; sleep 600");
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto(&format!("/jobs/{second}"));
    browser.await_text("waits for a free slot");
    house.shunt(&["cancel", &first]).expect(0, &[]);
    browser.await_text("out of the second");
    browser.await_js("!document.getElementById('why')");
}

#[test]
fn what_is_open_and_what_was_said_stays_or_goes_and_never_becomes_something_else() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/runners/local");
    browser.press("Drain");
    browser.fill("[popover]:popover-open input[name=reason]", "new disk");
    // Something else changes: it stays, with what was typed.
    let job = house.submit(&[], "sleep 600");
    browser.await_text("sleep 600");
    assert_eq!(browser.js("return document.querySelector(':popover-open input[name=reason]').value"), "new disk");
    // Somebody else does it: there is nothing to ask any more.
    house.shunt(&["ctl", "drain", "local"]).expect(0, &[]);
    browser.await_js("!document.querySelector(':popover-open')");
    browser.press("Edit");
    browser.fill(":popover-open input[name=labels]", "Bad Label");
    browser.press("Save");
    browser.await_text("is not allowed");
    house.shunt(&["cancel", &job]).expect(0, &[]);
    browser.await_js("!document.body.innerText.includes('sleep 600') || document.body.innerText.includes('cancelled')");
    browser.await_text("is not allowed");
    assert_eq!(browser.js("return document.querySelector(':popover-open input[name=labels]').value"), "Bad Label");
}

#[test]
fn a_page_follows_what_happens_keeps_what_is_typed_and_recovers_after_a_restart() {
    let mut house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/queue");
    browser.await_text("Nothing waits and nothing runs.");
    let first = house.submit(&["--filter", "os=plan9"], "echo one");
    browser.await_text("echo one");
    browser.click("input[name=job]");
    browser.js("document.querySelector('input[name=job]').focus()");
    house.submit(&["--filter", "os=plan9"], "echo two");
    browser.await_text("echo two");
    assert_eq!(browser.js("return document.querySelector('input[name=job]').checked"), true);
    assert!(browser.focused().contains("echo one"), "{}", browser.focused());
    house.kill();
    browser.await_text("The page has lost its connection");
    assert!(browser.text().contains("echo two"));
    house.start_again();
    browser.await_js("document.getElementById('offline').hidden");
    house.shunt(&["cancel", &first]).expect(0, &[]);
    browser.await_js("!document.body.innerText.includes('echo one')");
    assert!(browser.text().contains("echo two"));
}
