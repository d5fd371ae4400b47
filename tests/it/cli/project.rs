//! A project in a directory of its own, with git.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::client::{Client, Ran};
use super::house::House;

/// A directory below the house's home.
pub struct Project {
    pub dir: PathBuf,
}

impl Project {
    /// Makes a project of these files: path and text.
    pub fn new(house: &House, name: &str, files: &[(&str, &str)]) -> Self {
        let project = Self { dir: house.home().join(name) };
        files.iter().for_each(|(path, text)| project.write(path, text));
        project
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes the files as they are a commit.
    pub fn commit(&self, subject: &str) {
        for words in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", subject]] {
            self.git(words);
        }
    }

    pub fn git(&self, words: &[&str]) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]);
        let done = git.args(words).current_dir(&self.dir).env("HOME", &self.dir).output().expect("git");
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// `shunt` in the project's directory, not started.
    pub fn command(&self, house: &House, words: &[&str]) -> Command {
        let mut command = house.shunt_command();
        command.env("PATH", std::env::var("PATH").expect("a PATH")).current_dir(&self.dir).args(words);
        command
    }

    pub fn begin(&self, house: &House, words: &[&str]) -> Client {
        Client::start(self.command(house, words), b"")
    }

    pub fn shunt(&self, house: &House, words: &[&str]) -> Ran {
        self.begin(house, words).end()
    }
}

/// The id of the newest change.
pub fn newest_change(house: &House) -> String {
    house.api("changes?limit=1")[0]["id"].as_str().expect("a change").to_owned()
}
