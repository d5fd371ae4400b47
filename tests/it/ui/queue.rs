//! The queue: why jobs wait, and how they are cancelled, by pointer and by keyboard.

use fantoccini::key::Key;

use super::browser::Browser;
use crate::cli::house::{House, await_that};

fn local_house() -> House {
    House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")])
}

#[test]
fn a_waiting_job_says_why_and_one_or_many_are_cancelled() {
    let house = local_house();
    let running = house.submit(&[], "sleep 600");
    house.await_state(&running, &["running"]);
    let waiting = house.submit(&[], "echo later");
    let never = house.submit(&["--filter", "os=plan9"], "echo never");
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.press("Queue");
    browser.await_text("1 running, 2 waiting");
    browser.await_text("the only matching runner is busy");
    browser.await_text("no runner in the inventory can match");
    // The whole explanation, below the row and under an address of its own.
    browser.click(&format!("tr[id='j-{never}'] .reason a"));
    browser.await_at(&format!("/queue?why={never}"));
    browser.await_text("To unblock: ");
    browser.await_text("os = plan9");
    assert_eq!(browser.complaints(), [""; 0]);
    browser.press("less");
    browser.await_at("/queue");
    browser.click(&format!("tr[id='j-{never}'] button"));
    browser.await_text("The job is being cancelled.");
    browser.await_text("1 running, 1 waiting");
    // The page takes the keyboard: space ticks, enter sends.
    browser.js(&format!("document.querySelector(\"tr[id='j-{waiting}'] input\").focus()"));
    browser.keys(&[Key::Space]);
    browser.js(&format!("document.querySelector(\"tr[id='j-{running}'] input\").focus()"));
    browser.keys(&[Key::Space]);
    // In a box it does nothing.
    browser.keys(&[Key::Enter]);
    browser.press("Cancel the chosen jobs");
    browser.press("Cancel them");
    browser.await_text("2 jobs are being cancelled.");
    browser.await_text("Nothing waits and nothing runs.");
    for id in [&running, &waiting, &never] {
        assert_eq!(house.await_end(id)["state"], "cancelled");
    }
    browser.press("Pause");
    browser.fill("[popover]:popover-open input[name=reason]", "new disk");
    browser.press("Pause the queue");
    browser.await_text("The queue is paused: nothing that waits is started.");
    browser.await_text("by admin: new disk");
    browser.press("Resume");
    browser.await_text("The queue is open.");
    browser.press("History");
    browser.fill("input[name=title]", "ECHO NEV");
    browser.press("Search");
    browser.await_text("echo never");
    assert!(!browser.text().contains("echo later"));
}

#[test]
fn every_page_is_walked_and_a_job_cancelled_with_the_keyboard_alone() {
    let house = local_house();
    let id = house.submit(&[], "sleep 600");
    house.await_state(&id, &["running"]);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/");
    browser.keys(&[Key::Tab]);
    assert_eq!(browser.focused(), "Skip to content");
    tab_to(&browser, "Queue");
    browser.keys(&[Key::Enter]);
    browser.await_at("/queue");
    tab_to(&browser, "Cancel sh -c 'sleep 600'");
    browser.keys(&[Key::Enter]);
    // What runs is cancelled when that is confirmed; the question stands next to its button.
    tab_to(&browser, "Cancel this job");
    browser.keys(&[Key::Enter]);
    await_that("it ends", || house.job(&id)["state"] == "cancelled", || house.job(&id).to_string());
    browser.goto("/runners/local");
    tab_to(&browser, "Drain");
    browser.keys(&[Key::Enter]);
    browser.await_js("document.activeElement.name === 'reason'");
    browser.keys(&[Key::Escape]);
    browser.await_js("!document.querySelector(':popover-open')");
    assert_eq!(browser.focused(), "Drain");
}

/// Goes on from control to control until one with these words has the focus.
fn tab_to(browser: &Browser, words: &str) {
    for _ in 0..60 {
        if browser.focused() == words {
            return;
        }
        browser.keys(&[Key::Tab]);
    }
    panic!("the tab key does not reach `{words}`; it stands on `{}`", browser.focused());
}
