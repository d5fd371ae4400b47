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
}
