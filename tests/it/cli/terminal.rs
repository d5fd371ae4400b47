//! A command on a terminal of its own, as a person uses it (by `script` of util-linux).

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use super::house::await_that;

/// A command under way; killed when it is dropped before its end.
pub struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    dir: TempDir,
}

impl Terminal {
    /// Starts `command` with both streams and its input on a new terminal.
    pub fn start(command: &Command) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().expect("UTF-8").replace('\'', "'\\''"));
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        let mut script = Command::new("script");
        script.args(["-qefc", &line, "/dev/null"]).env_clear().env("SHELL", "/bin/sh").env("TERM", "xterm");
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(dir) = command.get_current_dir() {
            script.current_dir(dir);
        }
        let screen = File::create(dir.path().join("screen")).expect("a file");
        script.stdin(Stdio::piped()).stdout(screen).stderr(Stdio::null());
        let mut child = script.spawn().expect("script of util-linux");
        let keyboard = child.stdin.take().expect("its input");
        Self { child, keyboard, dir }
    }

    /// Everything that was shown so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join("screen")).unwrap_or_default()).into_owned()
    }

    /// Waits until the screen holds `prompt`.
    pub fn await_text(&self, prompt: &str) {
        await_that(&format!("it asks {prompt:?}"), || self.screen().contains(prompt), || self.screen());
    }

    /// Waits until the screen holds `prompt`, then types a line.
    pub fn answer(&mut self, prompt: &str, line: &str) {
        self.await_text(prompt);
        writeln!(self.keyboard, "{line}").expect("the keyboard");
    }

    /// Waits for the end; returns the exit code and the whole screen.
    pub fn end(mut self) -> (i32, String) {
        let mut code = None;
        let child = &mut self.child;
        let mut ended = || {
            code = child.try_wait().expect("its state");
            code.is_some()
        };
        await_that("the command on the terminal ends", &mut ended, String::new);
        (code.and_then(|status| status.code()).unwrap_or(-1), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- terminal:\n{}---", self.screen());
        }
    }
}
