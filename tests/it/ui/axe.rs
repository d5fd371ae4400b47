//! axe-core finds nothing on any page, in either theme.

use super::browser::Browser;
use super::sessions::add_user;
use crate::cli::house::House;

#[test]
fn axe_finds_nothing_on_any_page_in_either_theme() {
    let house = House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")]);
    let done = house.submit(&[], "echo done; exit 3");
    house.await_end(&done);
    let running = house.submit(&[], "sleep 600");
    house.await_state(&running, &["running"]);
    house.submit(&["--filter", "os=plan9"], "echo never");
    add_user(&house, "ann", "observer");
    let browser = Browser::open(&house);
    let mut found = Vec::new();
    let mut look = |theme: &str, page: &str| {
        browser.goto(page);
        found.extend(browser.complaints().into_iter().map(|complaint| format!("{theme} {page}: {complaint}")));
        // The job's own test has a better picture of it.
        if theme == "light" && !page.starts_with("/jobs/") {
            let name = page.trim_matches('/').replace(['/', '?', '='], "-");
            browser.picture(if name.is_empty() { "overview" } else { &name });
        }
    };
    look("light", "/login");
    browser.log_in_as_admin(&house);
    for theme in ["light", "dark"] {
        browser.goto("/");
        browser.js(&format!(
            "const f = document.querySelector(\"form[action='/theme']\"); f.querySelector('button').value = '{theme}'; f.querySelector('button').click()"
        ));
        browser.await_js(&format!("document.documentElement.dataset.theme === '{theme}'"));
        let job = format!("/jobs/{done}");
        for page in [
            "/",
            "/queue",
            "/runners",
            "/runners?view=grid",
            "/runners/local",
            "/add-runner",
            "/changes",
            "/history",
            "/nothing-here",
            "/settings/tokens",
            "/settings/users",
            "/settings/enrolment",
            "/settings/secrets",
            "/settings/audit",
            "/settings/pools",
            "/settings/webhooks",
            &job,
        ] {
            look(theme, page);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
