//! The project's files on their way to the server: listed, named by digest, and sent as far as the server lacks them.

mod committed;
mod tree;
mod upload;
mod working;

use std::io;
use std::path::PathBuf;

use shuntyard_domain::workspace::BadManifest;

pub use tree::Tree;
pub use upload::upload;

/// The files cannot be brought along; nothing was submitted.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error(
        "{dir} has no commit whose files could be brought along: {said}. --dirty brings the files as they are in the \
         directory"
    )]
    NoCommit { dir: PathBuf, said: String },
    #[error("cannot start `git` to read the committed files: {0}. --dirty does without it")]
    NoGit(#[source] io::Error),
    #[error("git's answer cannot be read: {0}")]
    Git(String),
    #[error("the directory {dir} cannot be read: {why}")]
    Walk { dir: PathBuf, why: String },
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the name {0:?} is not UTF-8, and cannot be brought along")]
    Name(String),
    #[error(
        "{0} is neither a file nor a directory nor a symbolic link, and cannot be brought along. Name it in .gitignore"
    )]
    Special(PathBuf),
    #[error("{0}; allowed: {allowed}", allowed = .0.allowed())]
    Entry(#[from] BadManifest),
    #[error("{0} has changed while it was being sent; try again")]
    Changed(String),
    #[error("the files could not be sent: {0}")]
    Send(String),
    #[error("the server still lacks {0} file(s) of the workspace after they were sent")]
    StillMissing(usize),
}
