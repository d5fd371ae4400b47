//! Logging in and out, and what roles hide.

use super::browser::Browser;
use crate::cli::house::House;

const PASSWORD: &str = "a good pass phrase";

pub fn add_user(house: &House, name: &str, role: &str) {
    let ran = house
        .begin_with_input(
            &["user", "create", name, "--role", role, "--password-stdin"],
            format!("{PASSWORD}\n").as_bytes(),
        )
        .end();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn a_login_leads_to_the_page_that_was_asked_for_and_a_wrong_one_says_so_and_loses_nothing() {
    let house = House::start();
    add_user(&house, "ann", "observer");
    let browser = Browser::open(&house);
    browser.goto("/history?state=failed");
    browser.await_at("/login?next=%2Fhistory%3Fstate%3Dfailed");
    browser.fill("input[name=user]", "ann");
    browser.fill("input[name=password]", "wrong");
    browser.press("Log in");
    browser.await_text("user name or password");
    assert_eq!(browser.js("return document.querySelector('input[name=user]').value"), "ann");
    browser.fill("input[name=password]", PASSWORD);
    browser.press("Log in");
    browser.await_at("/history?state=failed");
    // The cookie is none of the scripts' business.
    assert_eq!(browser.js("return document.cookie"), "");
    browser.press("Log out");
    browser.await_at("/login");
    browser.await_text("You are logged out.");
    browser.goto("/queue");
    browser.await_at("/login?next=%2Fqueue");
}

#[test]
fn roles_hide_what_they_may_not_do_and_a_page_that_one_may_not_see_says_so() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    add_user(&house, "ann", "observer");
    let browser = Browser::open(&house);
    browser.log_in("ann", PASSWORD);
    browser.await_at("/");
    browser.goto("/runners");
    browser.await_text("matches 1 of 1");
    assert!(!browser.text().contains("Add runner"));
    browser.goto("/runners/local");
    assert!(browser.has("form[action$='/test']"));
    for hidden in ["/state", "/change", "/delete"] {
        assert!(!browser.has(&format!("form[action$='{hidden}']")), "{hidden}");
    }
    browser.goto("/settings/users");
    browser.await_text("Your roles do not allow this here.");
    // Also there one finds the way back, and out.
    assert!(browser.has("header.bar form[action='/logout']"));
    browser.goto("/runners/nobody");
    browser.await_text("no runner `nobody`");
    browser.await_text("Request ");
    browser.goto("/settings");
    assert!(!browser.text().contains("Audit log"));
}

#[test]
fn a_user_is_added_and_disabled_and_what_is_secret_is_shown_once() {
    let house = House::start();
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/settings/users");
    browser.await_text("There is no user yet");
    browser.fill("form[action='/settings/users'] input[name=name]", "ann");
    browser.fill("form[action='/settings/users'] input[name=password]", PASSWORD);
    browser.fill("form[action='/settings/users'] textarea", "root everywhere");
    browser.press("Add the user");
    browser.await_text("`root everywhere`");
    assert_eq!(browser.js("return document.querySelector('input[name=name]').value"), "ann");
    browser.fill("form[action='/settings/users'] textarea", "committer default/web");
    browser.press("Add the user");
    browser.await_text("ann is a user.");
    browser.press("Disable");
    browser.await_text("disabled");
    browser.goto("/settings/tokens");
    browser.fill("input[name=name]", "ci");
    browser.click("input[name=machine]");
    browser.fill("textarea[name=grants]", "observer");
    browser.press("Make a token");
    browser.await_text("This is the only time that it is shown.");
    assert_eq!(browser.complaints(), [""; 0]);
    let token = browser.js("return document.querySelector('pre.command').innerText");
    assert!(token.as_str().unwrap().starts_with("shym_"), "{token}");
    browser.goto("/settings/tokens");
    browser.await_text("machine");
    assert!(
        !browser.js("return document.documentElement.outerHTML").as_str().unwrap().contains(token.as_str().unwrap())
    );
    browser.goto("/settings/secrets");
    browser.fill("form[action='/settings/secrets'] input[name=name]", "NPM_TOKEN");
    browser.fill("textarea[name=value]", "s3cret-value-4711");
    browser.press("Set it");
    browser.await_text("NPM_TOKEN is set.");
    browser.goto("/settings/audit?action=secret.set");
    browser.await_text("NPM_TOKEN");
    assert!(!browser.text().contains("s3cret-value-4711"));
}
