//! A page that stays like the server's, also over a restart of it.

use super::browser::Browser;
use crate::cli::house::House;

#[test]
fn a_page_follows_what_happens_keeps_what_is_typed_and_recovers_after_a_restart() {
    let mut house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/queue");
    browser.await_text("Nothing waits and nothing runs.");
    let first = house.submit(&["--filter", "os=plan9"], "echo one");
    browser.await_text("echo one");
    browser.click("input[type=checkbox]");
    browser.js("document.querySelector('input[type=checkbox]').focus()");
    house.submit(&["--filter", "os=plan9"], "echo two");
    browser.await_text("echo two");
    assert_eq!(browser.js("return document.querySelector('input[type=checkbox]').checked"), true);
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
