//! A job's log in a browser: long, live, hostile, by pointer and by keyboard.

use fantoccini::key::Key;
use serde_json::json;

use super::browser::Browser;
use crate::cli::house::House;

fn local_house() -> House {
    House::start_set("", &[("SHUNTD_LOCAL_ENABLED", "true")])
}

/// Number of the last row that is in the page, 0 without one.
const LAST: &str = "Number([...document.querySelectorAll('.row .n')].at(-1)?.textContent ?? 0)";

fn number(browser: &Browser, expression: &str) -> u64 {
    browser.js(&format!("return {expression}")).as_f64().expect("a number") as u64
}

/// The text of the rows that are marked as chosen.
fn chosen(browser: &Browser) -> Vec<String> {
    let rows = browser.js("return [...document.querySelectorAll('.row.chosen .text')].map((text) => text.textContent)");
    serde_json::from_value(rows).expect("texts")
}

#[test]
fn a_long_log_is_followed_left_searched_and_linked_with_few_rows_in_the_page() {
    let house = local_house();
    let id = house.submit(&[], "seq 250000; while :; do echo tick; sleep 0.05; done");
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto(&format!("/jobs/{id}"));
    browser.await_js(&format!(
        "{LAST} > 250000 && [...document.querySelectorAll('.row .text')].at(-1).textContent === 'tick'"
    ));
    let seen = number(&browser, LAST);
    browser.await_js(&format!("{LAST} > {}", seen + 3));
    let rows = number(&browser, "document.querySelectorAll('.row').length");
    assert!((10..80).contains(&rows), "{rows} rows in the page");

    // Who scrolls away stays where they are, and finds back by the button.
    browser.js("document.querySelector('.lines').scrollTop = 90000");
    browser.await_js("[...document.querySelectorAll('.ways button')].at(-1).getAttribute('aria-pressed') === 'false'");
    browser.await_js("document.querySelectorAll('.row').length > 10 && !document.querySelector('.row.missing')");
    let top = "document.querySelector('.rows').style.transform + document.querySelector('.row').textContent";
    let before = browser.js(&format!("return {top}"));
    let total = number(&browser, "Number(document.querySelector('.count').textContent.replace(/[^0-9]/g, ''))");
    browser.await_js(&format!(
        "Number(document.querySelector('.count').textContent.replace(/[^0-9]/g, '')) > {}",
        total + 3
    ));
    assert_eq!(browser.js(&format!("return {top}")), before, "what is read does not move");
    browser.press("Follow");
    browser.await_js(&format!("{LAST} > 250000"));

    // Links to lines, by address and by keyboard.
    browser.goto("/queue");
    browser.goto(&format!("/jobs/{id}#L120000-L120002"));
    browser
        .await_js("document.querySelectorAll('.row.chosen').length === 3 && !document.querySelector('.row.missing')");
    assert_eq!(chosen(&browser), ["120000", "120001", "120002"]);
    browser.fill("input.line-number", "7");
    browser.keys(&[Key::Enter]);
    browser.await_js("location.hash === '#L7' && document.querySelector('.row.chosen .text')?.textContent === '7'");
    browser.js("document.querySelectorAll('.row .n')[9].dispatchEvent(new MouseEvent('click', {shiftKey: true, bubbles: true, cancelable: true}))");
    browser.await_js("location.hash === '#L7-L10'");

    // With wrapped lines a pixel of the finger is one of the text, also where the bar is not as long as that.
    browser.press("Wrap");
    let top = "Number(document.querySelector('.lines.wrapped .row:not(.missing) .n').textContent)";
    browser.fill("input.line-number", "100");
    browser.keys(&[Key::Enter]);
    browser.await_js("document.querySelector('.row.chosen .text')?.textContent === '100'");
    let before = browser.js(&format!("return {top}")).as_f64().unwrap();
    browser.swipe_up(".lines", 180);
    browser.await_js(&format!("{top} > {before}"));
    let moved = browser.js(&format!("return {top}")).as_f64().unwrap() - before;
    assert!((8.0..=12.0).contains(&moved), "{moved} lines of 18 pixels");
    browser.press("Wrap");

    // The search, with what the keys of the log do.
    browser.fill("input[type=search]", "24999");
    browser.keys(&[Key::Enter]);
    let here = |line: &str| {
        browser.await_js(&format!(
            "document.querySelector('mark.here')?.closest('.row').querySelector('.n').textContent === '{line}'"
        ))
    };
    here("24999");
    browser.await_js("document.querySelector('.told-of').textContent.startsWith('1 of 13 lines')");
    browser.js("document.querySelector('.lines').focus()");
    browser.js("document.querySelector('.lines').dispatchEvent(new KeyboardEvent('keydown', {key: 'n', bubbles: true, cancelable: true}))");
    here("124999");
    browser.js("document.querySelector('.lines').dispatchEvent(new KeyboardEvent('keydown', {key: 'N', bubbles: true, cancelable: true}))");
    here("24999");

    browser.press("Cancel");
    browser.press("Cancel this job");
    browser.await_text("It was stopped on local: admin asked for it.");
    browser.await_js("[...document.querySelectorAll('.ways button')].at(-1).textContent === 'To the end'");
}

#[test]
fn what_a_job_writes_stays_text_in_both_themes() {
    let house = local_house();
    let script = r#"printf '<img src=x onerror="window.owned=1"><script>window.owned=1</script>\n\033]0;owned\007title\n'
        printf '\342\200\256reversed\342\200\254 \000\n\033[31mred\033[0m \033[48;5;21mground\033[7mswapped\033[0m\n50%%\r100%%\n'
        head -c 100000 /dev/zero | tr '\0' x; echo; exit 3"#;
    let id = house.submit(&[], script);
    house.await_end(&id);
    let browser = Browser::open(&house);
    browser.log_in_as_admin(&house);
    browser.goto(&format!("/jobs/{id}"));
    browser.await_js("document.querySelectorAll('.lines.all .row:not(.missing)').length === 6");
    let texts =
        browser.js("return [...document.querySelectorAll('.row .text')].slice(0, 5).map((text) => text.textContent)");
    let html = r#"<img src=x onerror="window.owned=1"><script>window.owned=1</script>"#;
    let expected = [html, "title", "⟨U+202E⟩reversed⟨U+202C⟩ ⟨U+0000⟩", "red groundswapped", "100%"];
    assert_eq!(texts, json!(expected));
    browser.await_text("bytes of this line are not shown");
    assert_eq!(browser.js("return window.owned === undefined"), true);
    assert!(!browser.has("#log img") && !browser.has("#log script") && browser.has("#log .f1"));
    for theme in ["light", "dark"] {
        browser.js(&format!("document.documentElement.dataset.theme = '{theme}'"));
        for shown in ["Times", "Wrap"] {
            let complaints = browser.complaints();
            assert!(complaints.is_empty(), "{theme}: {}", complaints.join("\n\n"));
            browser.press(shown);
        }
        if theme == "light" {
            browser.picture("job");
        }
    }
}
