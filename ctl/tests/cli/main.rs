//! The command line without a server.

mod help;
mod refusals;
mod settings;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// tcpmux: nobody has run it for decades, and no free port is taken by somebody else meanwhile.
const NOBODY: &str = "http://127.0.0.1:1";

/// `shunt` with nothing of the user's environment, pointed at a port where nobody listens.
fn shunt(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shunt"));
    command.args(args).env_clear().env("SHUNT_SERVER", NOBODY);
    command.env("HOME", "/nonexistent").env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> (i32, String, String) {
    parts(&shunt(args).output().unwrap())
}

fn parts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Runs `shunt` and expects exit code, an empty standard output, and a standard error that says each of `said`.
fn refused(args: &[&str], code: i32, said: &[&str]) {
    let (seen, stdout, stderr) = output(args);
    assert_eq!((seen, stdout.as_str()), (code, ""), "{args:?}: {stderr}");
    for said in said {
        assert!(stderr.contains(said), "{args:?} does not say {said:?}: {stderr}");
    }
}

fn hello() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/projects/hello")
}

fn write_config(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("config.json"), text).unwrap();
    dir
}

/// Runs git in a directory, as somebody.
fn git(dir: &Path, words: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]);
    let done = git.args(words).current_dir(dir).env("HOME", dir).output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}
