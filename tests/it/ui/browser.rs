//! One Chromium with a profile of its own, driven by chromedriver; both end when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{InputSource as _, PointerAction, TouchActions};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::cli::house::{House, await_that};
use crate::support::sshd::free_port;

/// axe-core, as `tests/run` has fetched it.
const AXE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/axe-core-4.14.1/axe.min.js");

const LOOK_IN_BOTH_THEMES: &str = "
    const done = arguments[0];
    const chosen = document.documentElement.dataset;
    const before = chosen.theme;
    const told = (theme, { id, nodes }) => nodes.map((node) => `${theme}: ${id}: ${node.html} ${node.failureSummary}`);
    const look = async () => {
      const found = [];
      for (const theme of ['light', 'dark']) {
        chosen.theme = theme;
        const { violations } = await axe.run(document);
        found.push(...violations.flatMap((violation) => told(theme, violation)));
      }
      chosen.theme = before;
      return found;
    };
    look().then(done, (error) => done([String(error)]));";

pub struct Browser {
    runtime: Runtime,
    client: Option<Client>,
    driver: Child,
    site: String,
    _home: TempDir,
}

impl Browser {
    /// Opens a window for this dispatcher's pages.
    pub fn open(house: &House) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let home = tempfile::Builder::new().prefix("shunt-browser-").tempdir().expect("a directory");
        let port = free_port();
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}")).env("HOME", home.path()).env("TMPDIR", home.path());
        let driver = driver.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let driver = driver.expect("chromedriver starts; tests/run installs chromium and chromium-driver");
        let mut browser =
            Self { runtime, client: None, driver, site: format!("http://{}", house.address()), _home: home };
        let mut failure = String::new();
        let mut connect = || {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            let builder = builder.capabilities(capabilities());
            let driver = format!("http://127.0.0.1:{port}");
            match browser.runtime.block_on(builder.connect(&driver)) {
                Ok(client) => browser.client = Some(client),
                Err(error) => failure = error.to_string(),
            }
            browser.client.is_some()
        };
        await_that("Chromium is there", &mut connect, || "no session".into());
        assert!(browser.client.is_some(), "{failure}");
        browser
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("a session")
    }

    fn run<T, E: std::fmt::Display>(&self, what: &str, done: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(done).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    pub fn goto(&self, path: &str) {
        self.run(path, self.client().goto(&format!("{}{path}", self.site)));
    }

    /// The path and query of the page that is shown.
    pub fn at(&self) -> String {
        self.js("return location.pathname + location.search").as_str().unwrap_or_default().to_owned()
    }

    /// Runs the body of a function in the page.
    pub fn js(&self, script: &str) -> Value {
        self.run(script, self.client().execute(script, Vec::new()))
    }

    /// What the page shows as text.
    pub fn text(&self) -> String {
        self.js("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true in the page.
    pub fn await_js(&self, expression: &str) {
        let script = format!("return !!({expression})");
        // While a page is being left nothing can be asked.
        let is_so = || self.runtime.block_on(self.client().execute(&script, Vec::new())).is_ok_and(|v| v == true);
        await_that(expression, is_so, || format!("{}\n{}", self.at(), self.text()));
    }

    pub fn await_text(&self, text: &str) {
        self.await_js(&format!("document.body.innerText.includes({})", json!(text)));
    }

    pub fn await_at(&self, path: &str) {
        self.await_js(&format!("location.pathname + location.search === {}", json!(path)));
    }

    pub fn has(&self, css: &str) -> bool {
        self.js(&format!("return document.querySelector({}) !== null", json!(css))) == true
    }

    pub fn click(&self, css: &str) {
        self.await_js(&format!("document.querySelector({})", json!(css)));
        let element = self.run(css, self.client().find(Locator::Css(css)));
        self.run(css, element.click());
    }

    /// Presses a button or opens a link by its words.
    pub fn press(&self, words: &str) {
        let shown = format!(
            "[...document.querySelectorAll('button, summary, a')].some((e) => e.innerText.trim() === {} && e.checkVisibility())",
            json!(words)
        );
        self.await_js(&shown);
        let path = format!("//*[self::button or self::summary or self::a][normalize-space(.)=\"{words}\"]");
        for element in self.run(words, self.client().find_all(Locator::XPath(&path))) {
            if self.run(words, element.is_displayed()) {
                return self.run(words, element.click());
            }
        }
        panic!("nothing to press: {words}");
    }

    pub fn fill(&self, css: &str, text: &str) {
        self.await_js(&format!("document.querySelector({})", json!(css)));
        let element = self.run(css, self.client().find(Locator::Css(css)));
        self.run(css, element.clear());
        self.run(css, element.send_keys(text));
    }

    /// Types into whatever has the focus.
    pub fn keys(&self, keys: &[Key]) {
        let focused = self.run("the focus", self.client().active_element());
        let keys: String = keys.iter().copied().map(char::from).collect();
        self.run("keys", focused.send_keys(&keys));
    }

    /// Moves a finger over an element: from its middle upwards, so many pixels.
    pub fn swipe_up(&self, css: &str, pixels: i64) {
        let element = self.run(css, self.client().find(Locator::Css(css)));
        let step = |y| PointerAction::MoveToElement {
            element: element.clone(),
            duration: Some(Duration::from_millis(100)),
            x: 0.0,
            y,
        };
        let (half, down) = (-(pixels as f64) / 2.0, PointerAction::Down { button: 0 });
        let rests = PointerAction::Pause { duration: Duration::from_millis(300) };
        let moves =
            TouchActions::new("finger".into()).then(step(0.0)).then(down).then(step(half)).then(step(2.0 * half));
        let up = moves.then(rests).then(PointerAction::Up { button: 0 });
        self.run(css, self.client().perform_actions(up));
    }

    /// The words of what has the focus.
    pub fn focused(&self) -> String {
        let words = "const e = document.activeElement; return (e.getAttribute('aria-label') || e.innerText || e.name || e.tagName).trim()";
        self.js(words).as_str().unwrap_or_default().to_owned()
    }

    /// Logs in with the token of the first start.
    pub fn log_in_as_admin(&self, house: &House) {
        self.goto("/login");
        self.press("Log in with a token");
        self.fill("input[name=token]", &house.token());
        self.click(".login details button");
        self.await_at("/");
    }

    pub fn log_in(&self, user: &str, password: &str) {
        self.goto("/login");
        self.fill("input[name=user]", user);
        self.fill("input[name=password]", password);
        self.press("Log in");
    }

    /// Everything that axe-core has against the page in the light and in the dark theme, a line each.
    pub fn complaints(&self) -> Vec<String> {
        let axe = fs::read_to_string(AXE).unwrap_or_else(|error| panic!("{AXE}: {error}; tests/run fetches it"));
        let script = format!("{axe}\n{LOOK_IN_BOTH_THEMES}");
        let found = self.run("axe", self.client().execute_async(&script, Vec::new()));
        found.as_array().expect("a list").iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the page for the documentation, when `UPDATE_SCREENSHOTS` is set.
    pub fn picture(&self, name: &str) {
        if std::env::var_os("UPDATE_SCREENSHOTS").is_none() {
            return;
        }
        let to: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/screenshots/{name}.png"));
        fs::create_dir_all(to.parent().expect("a directory")).expect("docs/screenshots");
        fs::write(&to, self.run(name, self.client().screenshot())).expect("a picture");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = self.runtime.block_on(client.close());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn capabilities() -> Map<String, Value> {
    // Root has no sandbox, and containers little shared memory.
    let args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,900"];
    let all = json!({ "goog:chromeOptions": { "args": args }, "timeouts": { "script": 120_000 } });
    all.as_object().expect("an object").clone()
}
