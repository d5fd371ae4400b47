//! Where output goes: standard output for data, standard error for remarks; colour only on a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::Failure;

/// ANSI styles, as the parameters of an SGR sequence.
pub mod style {
    pub const BOLD: &str = "1";
    pub const DIM: &str = "2";
    pub const RED: &str = "31";
    pub const GREEN: &str = "32";
    pub const YELLOW: &str = "33";
    pub const CYAN: &str = "36";
}

/// Tells whether standard output takes colour.
#[must_use]
pub fn stdout_colour() -> bool {
    io::stdout().is_terminal() && colour_wanted()
}

/// Tells whether standard error takes colour.
#[must_use]
pub fn stderr_colour() -> bool {
    io::stderr().is_terminal() && colour_wanted()
}

/// Tells whether a question can be asked and answered.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// <https://no-color.org>: any value but the empty one turns colour off.
fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::env::var_os("TERM").is_none_or(|v| v != "dumb")
}

/// Returns `text` in `style` when `on`.
#[must_use]
pub fn paint(on: bool, style: &str, text: &str) -> String {
    if on { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Returns `text` without control characters, so that names from elsewhere cannot steer the terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Writes data to standard output at once.
///
/// # Errors
/// `Failure::Output`, also when the reader is gone.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Writes one remark to standard error; a closed standard error is nobody's loss.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Asks a yes/no question; anything but `y` or `yes` is no.
///
/// # Errors
/// `Failure::ReadInput` when standard input cannot be read.
pub fn confirm(question: &str) -> Result<bool, Failure> {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{question} [y/N] ");
    let _ = err.flush();
    drop(err);
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::ReadInput)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a line of text; white space around it does not count.
///
/// # Errors
/// `Failure::ReadInput` when standard input cannot be read.
pub fn ask_line(question: &str) -> Result<String, Failure> {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{question} ");
    let _ = err.flush();
    drop(err);
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::ReadInput)?;
    Ok(answer.trim().to_owned())
}

/// Asks for a secret without echo, on the controlling terminal.
///
/// # Errors
/// `Failure::Prompt` when there is none; it names the flag to use `instead`.
pub fn ask_secret(what: &'static str, instead: &'static str) -> Result<String, Failure> {
    #[cfg(unix)]
    let _silence = Silence::begin();
    rpassword::prompt_password(format!("{what}: ")).map_err(|source| Failure::Prompt { what, source, instead })
}

/// The controlling terminal without echo, until it is dropped.
///
/// rpassword shows its prompt first and turns the echo off then: what a quick hand types in between would be shown.
#[cfg(unix)]
struct Silence {
    terminal: std::fs::File,
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Silence {
    /// `None` without a terminal; whoever asks on it finds that out by itself.
    fn begin() -> Option<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let terminal = std::fs::File::options().read(true).write(true).open("/dev/tty").ok()?;
        let before = tcgetattr(&terminal).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Now, &silent).ok()?;
        Some(Self { terminal, before })
    }
}

#[cfg(unix)]
impl Drop for Silence {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(&self.terminal, rustix::termios::OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_others_do_not_reach_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\nc"), "a\u{fffd}[31mb\u{fffd}c");
        assert_eq!(plain("größer ✔"), "größer ✔");
    }

    #[test]
    fn text_is_painted_only_when_colour_is_on() {
        assert_eq!(paint(false, style::RED, "x"), "x");
        assert_eq!(paint(true, style::RED, "x"), "\x1b[31mx\x1b[0m");
    }
}
