//! Runners: one is added, tested, drained, put in quarantine and trusted again.

use super::browser::Browser;
use crate::cli::accept_host_key::swap_key;
use crate::cli::house::{House, await_that, host};
use crate::support::sshd::{DEBIAN_12, DEPLOY_PASSWORD, UBUNTU_2204};

#[test]
fn a_runner_is_added_with_its_key_confirmed_and_tested_with_its_probes_as_they_come() {
    let (house, host) = (House::start(), host("u1", UBUNTU_2204));
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.await_text("There is no runner yet.");
    browser.goto("/add-runner");
    browser.fill("form[action='/add-runner'] input[name=hostname]", "u1");
    browser.fill("input[name=address]", &host.address);
    browser.fill("input[name=port]", &host.port.to_string());
    browser.fill("form[action='/add-runner'] input[name=user]", "deploy");
    browser.fill("form[action='/add-runner'] input[name=password]", "wrong");
    browser.click("input[name=no_sudo]");
    browser.press("Add it");
    browser.await_text("The host shows ssh-ed25519 SHA256:");
    browser.press("It is the same: go on");
    browser.await_text("Next:");
    assert_eq!(browser.js("return document.querySelector('input[name=hostname]').value"), "u1");
    browser.fill("form[action='/add-runner'] input[name=password]", DEPLOY_PASSWORD);
    browser.press("Add it");
    browser.await_text("Done.");
    browser.press("u1");
    browser.await_at("/runners/u1");
    browser.await_text("ubuntu 22.04");
    browser.press("Test");
    browser.await_text("host_key: ");
    browser.await_text("Done.");
    browser.await_text("max_sessions");
    browser.press("Test");
    browser.await_text("Earlier Tests");
    browser.press("Earlier Tests");
    browser.await_text("a person");
    browser.press("Edit");
    browser.fill("input[name=labels]", "gpu, Bad Label");
    browser.press("Save");
    browser.await_text("is not allowed");
    browser.fill("input[name=labels]", "gpu, lab");
    browser.press("Save");
    browser.await_text("u1 is changed.");
    browser.goto("/runners?filter=labels%3Dgpu");
    browser.await_text("matches 1 of 1");
    browser.fill("input[name=filter]", "os=windows");
    browser.await_text("matches 0 of 1");
    browser.fill("input[name=filter]", "osx=1");
    browser.await_text("is not one of os");
    browser.fill("input[name=filter]", "u");
    browser.await_text("matches 1 of 1");
}

#[test]
fn a_runner_is_drained_with_a_reason_and_one_with_another_key_is_trusted_again() {
    let host = host("d1", DEBIAN_12);
    let house = House::with(&[(&host, 2)]);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/runners/d1");
    browser.press("Drain");
    browser.fill("[popover]:popover-open input[name=reason]", "new disk");
    browser.click("[popover]:popover-open form button");
    browser.await_text("d1 is draining.");
    browser.await_text("by admin: new disk");
    browser.press("Enable");
    browser.await_text("d1 is enrolled.");
    swap_key(&host, "ecdsa");
    // The page hears of it by itself.
    browser.await_text("This host shows a key that is not pinned");
    assert_eq!(browser.complaints(), [""; 0]);
    browser.picture("runner-quarantined");
    browser.press("Look at the host's key, or accept it");
    browser.await_text("It is the same: go on");
    browser.press("It is the same: go on");
    browser.await_text("Done.");
    await_that(
        "it is trusted",
        || house.api("runners/d1")["state"] == "enrolled",
        || house.api("runners/d1").to_string(),
    );
    browser.await_js("!document.querySelector('.alarm')");
    browser.await_text("accepted the host key");
    browser.press("Delete");
    browser.fill("[popover]:popover-open input[name=reason]", "too old");
    browser.press("Delete d1");
    browser.await_at("/runners");
    browser.await_text("d1 is deleted.");
    house.shunt(&["ctl", "show-runner", "d1"]).expect(0, &["deleted by admin: too old"]);
}
