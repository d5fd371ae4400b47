//! What is asked of the program `git` about a project's repository.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Usage};
use crate::terminal::plain;

/// A repository, seen from a directory in it.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    pub dir: &'a Path,
}

/// A file as git keeps it.
#[derive(Clone, Debug)]
pub struct Blob {
    pub id: String,
    pub text: String,
}

impl Repository<'_> {
    /// The full name of the commit that `reference` stands for.
    ///
    /// # Errors
    /// `Usage::NoSuchCommit`, `Failure::Git`
    pub fn commit(self, reference: &str) -> Result<String, Failure> {
        let said = if reference.starts_with('-') {
            Err("a reference does not begin with `-`".into())
        } else {
            self.ask(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")])?
        };
        let bad = |said| Usage::NoSuchCommit { reference: plain(reference), dir: self.dir.to_owned(), said };
        Ok(said.map_err(bad)?)
    }

    /// The URL of a remote.
    ///
    /// # Errors
    /// `Usage::NoRemote`, `Failure::Git`
    pub fn remote(self, name: &'static str) -> Result<String, Failure> {
        let said = self.ask(&["remote", "get-url", name])?;
        Ok(said.map_err(|said| Usage::NoRemote { name, dir: self.dir.to_owned(), said })?)
    }

    /// The subject of a commit; `None` without a commit or a repository.
    ///
    /// # Errors
    /// `Failure::Git`
    pub fn subject(self, commit: &str) -> Result<Option<String>, Failure> {
        Ok(self.ask(&["log", "-1", "--format=%s", commit])?.ok().filter(|subject| !subject.trim().is_empty()))
    }

    /// How many files below the directory are otherwise than in the last commit.
    ///
    /// # Errors
    /// `Failure::Git`
    pub fn uncommitted(self) -> Result<usize, Failure> {
        Ok(self.ask(&["status", "--porcelain", "--", "."])?.map_or(0, |lines| lines.lines().count()))
    }

    /// Tells whether some remote had the commit when it was last asked.
    ///
    /// # Errors
    /// `Failure::Git`
    pub fn is_pushed(self, commit: &str) -> Result<bool, Failure> {
        Ok(self.ask(&["branch", "--remotes", "--contains", commit])?.is_ok_and(|branches| !branches.is_empty()))
    }

    /// A file in a commit, by its path from the top, where a clone's jobs start; `None` when it is not there.
    ///
    /// # Errors
    /// `Failure::Git`
    pub fn file(self, commit: &str, path: &str) -> Result<Option<Blob>, Failure> {
        // MODE blob ID\tPATH
        let listed = self.ask(&["ls-tree", "--full-tree", commit, "--", path])?.unwrap_or_default();
        let Some((_, rest)) = listed.split_once(" blob ") else { return Ok(None) };
        let id = rest.split('\t').next().unwrap_or_default().to_owned();
        let output = self.run(&["cat-file", "blob", &id])?;
        let text = || String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(output.status.success().then(|| Blob { text: text(), id }))
    }

    /// What git prints, trimmed; what it complains of when it fails.
    fn ask(self, words: &[&str]) -> Result<Result<String, String>, Failure> {
        let output = self.run(words)?;
        if output.status.success() {
            return Ok(Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or("there is no such commit, branch or tag");
        Ok(Err(plain(said.trim_start_matches("fatal: ").trim_start_matches("error: "))))
    }

    fn run(self, words: &[&str]) -> Result<std::process::Output, Failure> {
        let mut git = Command::new("git");
        git.args(words).current_dir(self.dir).stdin(Stdio::null()).output().map_err(Failure::Git)
    }
}
