//! `shunt` as a process: what it has said so far, signals, its end.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;

use super::house::{await_that, signal};

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Expects exit code and, on either stream, each of the texts.
    pub fn expect(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, code, "{}\n{}", self.text(), self.stderr);
        for said in said {
            assert!(self.text().contains(said) || self.stderr.contains(said), "no {said:?} in {self:#?}");
        }
    }
}

/// A command under way; killed when it is dropped before its end.
pub struct Client {
    child: Child,
    dir: TempDir,
}

impl Client {
    /// Starts it; both streams go to files, so that it never waits for the test.
    pub fn start(mut command: Command, input: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = |name: &str| File::create(dir.path().join(name)).expect("a file");
        let mut child = command
            .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}; `cargo build --workspace --bins` makes it"));
        if let Some(mut stdin) = child.stdin.take() {
            // A command that ends without reading its input is not at fault.
            let _ = stdin.write_all(input);
        }
        Self { child, dir }
    }

    pub fn stdout(&self) -> Vec<u8> {
        fs::read(self.dir.path().join("stdout")).unwrap_or_default()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("stderr")).unwrap_or_default()).into_owned()
    }

    fn said(&self) -> String {
        format!("stdout:\n{}\nstderr:\n{}", String::from_utf8_lossy(&self.stdout()), self.stderr())
    }

    /// Waits until standard output holds `text`.
    pub fn await_output(&self, text: &str) {
        let holds = || String::from_utf8_lossy(&self.stdout()).contains(text);
        await_that(&format!("it prints {text:?}"), holds, || self.said());
    }

    /// Waits until standard error holds `text`.
    pub fn await_note(&self, text: &str) {
        await_that(&format!("it notes {text:?}"), || self.stderr().contains(text), || self.said());
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// As Ctrl-C on the terminal.
    pub fn interrupt(&self) {
        signal(&self.child, Signal::INT);
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ran {
        let mut code = None;
        let said = format!("process {}", self.child.id());
        let child = &mut self.child;
        await_that(
            "the command ends",
            || {
                code = child.try_wait().expect("its state");
                code.is_some()
            },
            || said.clone(),
        );
        let code = code.and_then(|status| status.code()).unwrap_or(-1);
        Ran { code, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It has ended in the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}---", self.said());
        }
    }
}
