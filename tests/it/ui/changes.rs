//! A change: its stages, its rows as cells, and its approval.

use super::browser::Browser;
use crate::cli::house::{House, host};
use crate::cli::project::Project;
use crate::support::sshd::{CENTOS_7, UBUNTU_2204};

const CONFIG: &str = r#"{
  "job_dispatch": { "version": "v2", "filters": { "unit": [
    { "platform": ["ubuntu"], "platform_version": ["22.04"] }, { "platform": ["centos"], "platform_version": ["7"] }
  ] } },
  "phases": { "unit": { "run": "echo unit | tee report", "artifacts": ["report"] }, "deploy": { "run": "echo deployed" } }
}"#;

#[test]
fn a_change_is_started_from_the_page_and_once_more_from_what_it_was() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/changes");
    browser.press("New change");
    browser.await_at("/new-change");
    browser.fill("input[name=project]", "hello");
    browser.fill("input[name=title]", "By hand");
    browser.fill("input[name=url]", "https://git.example/hello.git");
    browser.fill("input[name=ref]", "main");
    browser.fill("textarea[name=config]", r#"{ "phases": { "unit": { "run": "echo unit" } } }"#);
    browser.press("Submit it");
    // A branch is no commit; nothing that was typed is lost.
    browser.await_text("40 lower-case hexadecimal digits");
    browser.click("input[value=none]");
    browser.fill("textarea[name=config]", r#"{ "phases": { "unti": { "run": "echo unit" } } }"#);
    browser.press("Submit it");
    browser.await_text("unti");
    browser.await_text("phases");
    browser.fill("textarea[name=config]", r#"{ "phases": { "unit": { "run": "echo unit" } } }"#);
    browser.press("Submit it");
    browser.await_text("The change is submitted.");
    browser.await_text("By hand");
    browser.await_js("document.querySelector('#s-verify .state')?.innerText === 'passed'");
    browser.press("Configuration");
    browser.await_text(r#""run": "echo unit""#);
    assert_eq!(browser.complaints(), [""; 0]);
    browser.press("Back to the change");
    browser.press("Submit again");
    browser.await_js("document.querySelector('input[name=title]')?.value === 'By hand'");
    assert_eq!(browser.js("return document.querySelector('input[value=none]').checked"), true);
    browser.fill("input[name=title]", "Once more");
    browser.press("Submit it");
    browser.await_text("The change is submitted.");
    browser.await_js("document.querySelector('#s-verify .state')?.innerText === 'passed'");
    browser.press("Changes");
    browser.await_text("By hand");
    browser.await_text("Once more");
}

#[test]
fn the_files_of_a_change_are_submitted_again_as_they_were() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let project = Project::new(
        &house,
        "hello",
        &[("config.json", r#"{ "phases": { "unit": { "run": "cat one" } } }"#), ("one", "1\n")],
    );
    project.commit("Says one");
    let submitted = project.shunt(&house, &["change", "submit"]);
    assert_eq!(submitted.code, 0, "{}", submitted.stderr);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto(&format!("/changes/{}", submitted.text().trim()));
    browser.press("Submit again");
    browser.await_text("Those of “Says one”, with their configuration");
    assert_eq!(browser.complaints(), [""; 0]);
    browser.press("Submit it");
    browser.await_text("The change is submitted.");
    browser.await_js("document.querySelector('#s-verify .state')?.innerText === 'passed'");
}

#[test]
fn a_change_is_watched_through_verify_and_approved_in_the_page() {
    let (ubuntu, centos) = (host("u1", UBUNTU_2204), host("c1", CENTOS_7));
    let house = House::with(&[(&ubuntu, 2), (&centos, 2)]);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto("/changes");
    browser.await_text("shunt change submit");
    let project = Project::new(&house, "hello", &[("config.json", CONFIG)]);
    project.commit("Says one");
    let submitted = project.shunt(&house, &["change", "submit"]);
    assert_eq!(submitted.code, 0, "{}", submitted.stderr);
    let id = submitted.text().trim().to_owned();
    // The list hears of it by itself.
    browser.press("Says one");
    browser.await_at(&format!("/changes/{id}"));
    browser.press("Approve");
    browser.await_text("The change is approved.");
    assert!(browser.has("section#s-verify table.matrix"));
    let cells = browser
        .js("return [...document.querySelectorAll('#s-verify .matrix tbody th')].map((e) => e.innerText).join()");
    assert_eq!(cells, "centos,ubuntu");
    browser.press("Deliver");
    browser.await_js("document.querySelector('#s-delivered .state')?.innerText === 'passed'");
    browser.await_text("1 file of verify unit");
    assert_eq!(browser.complaints(), [""; 0]);
    browser.picture("change");
    browser.press("What it would do (plan)");
    browser.await_text("can run");
    assert_eq!(browser.complaints(), [""; 0]);
    browser.picture("change-plan");
    browser.press("Configuration");
    browser.await_text("config.json");
    browser.picture("change-configuration");
}
