//! A project's files and settings as what a new change is made of.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use shuntyard_domain::change::{MAX_TITLE_CHARS, Source, check_words};
use shuntyard_domain::project_config::CANDIDATES;
use shuntyard_domain::wire::change::ChangeBody;
use shuntyard_domain::wire::pipelines::SubmitChange;

use super::place::Place;
use crate::client::Client;
use crate::client_error::ClientError;
use crate::failure::{Failure, Usage};
use crate::git::Repository;
use crate::project::{Files, Settings, directory_name, settings};
use crate::terminal::{note, plain};
use crate::workspace::{self, Tree};

/// Where `--git` without a value clones from.
const REMOTE: &str = "origin";

/// The flags that say which files.
#[derive(Args, Clone, Debug)]
pub struct SourceArgs {
    /// Directory of the project [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// The files as they are now, also uncommitted and new ones; what .gitignore names stays
    #[arg(long)]
    pub dirty: bool,
    /// Send no files: runners clone this by themselves [default: the URL of the remote `origin`]
    #[arg(long, value_name = "URL", num_args = 0..=1, conflicts_with = "dirty")]
    pub git: Option<Option<String>>,
    /// What they check out: a commit, branch or tag of the repository here [default: HEAD]
    #[arg(long = "ref", value_name = "REF", requires = "git")]
    pub reference: Option<String>,
}

/// A change that can be submitted: everything was read and checked.
#[derive(Debug)]
pub struct Prepared {
    title: String,
    description: String,
    of: Origin,
}

#[derive(Debug)]
enum Origin {
    Tree(Arc<Tree>),
    Git { source: Source, settings: Settings },
}

impl SourceArgs {
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.project.as_deref().unwrap_or(Path::new("."))
    }

    /// Reads and checks; `None` when the settings have faults, which were all shown.
    ///
    /// # Errors
    /// `Usage` for what cannot be submitted, `Workspace` for files that cannot be brought along, `Git`.
    pub fn prepare(&self, title: Option<String>, description: String) -> Result<Option<Prepared>, Failure> {
        let dir = self.dir();
        let here = Repository { dir };
        let (of, subject) = match &self.git {
            Some(url) => {
                let commit = here.commit(self.reference.as_deref().unwrap_or("HEAD"))?;
                let url = url.clone().map_or_else(|| here.remote(REMOTE), Ok)?;
                let source = Source::Git { url, reference: commit.clone() };
                source.check().map_err(Usage::from)?;
                let mut files = InCommit { here, commit: &commit };
                let Some(settings) = settings(&mut files)? else { return Ok(None) };
                if !here.is_pushed(&commit)? {
                    note(&format!(
                        "note: no branch of a remote is known to have {}: is it pushed?",
                        commit.get(..12).unwrap_or(&commit)
                    ));
                }
                (Origin::Git { source, settings }, here.subject(&commit)?)
            }
            None => {
                let tree = Tree::of(dir, self.dirty)?;
                if settings(&mut InTree { tree: &tree, dirty: self.dirty })?.is_none() {
                    return Ok(None);
                }
                (Origin::Tree(Arc::new(tree)), subject_of_tree(here, self.dirty)?)
            }
        };
        let title = match (title, subject) {
            (Some(title), _) => title,
            (None, Some(subject)) => plain(subject.trim()).chars().take(MAX_TITLE_CHARS).collect(),
            (None, None) => format!("files of {}", plain(&directory_name(dir)?)),
        };
        check_words(&title, &description).map_err(Usage::from)?;
        Ok(Some(Prepared { title, description, of }))
    }
}

/// The subject of the last commit, and how far the files are from it.
fn subject_of_tree(here: Repository<'_>, dirty: bool) -> Result<Option<String>, Failure> {
    let Ok(subject) = here.subject("HEAD") else { return Ok(None) };
    let uncommitted = if subject.is_some() { here.uncommitted()? } else { 0 };
    match (dirty, uncommitted) {
        (_, 0) => Ok(subject),
        (true, _) => Ok(subject.map(|subject| format!("{subject} (with uncommitted changes)"))),
        (false, 1) => {
            note("note: 1 uncommitted file stays as it is in the last commit; --dirty brings the files as they are");
            Ok(subject)
        }
        (false, files) => {
            note(&format!(
                "note: {files} uncommitted files stay as they are in the last commit; --dirty brings the files as they are"
            ));
            Ok(subject)
        }
    }
}

impl Prepared {
    /// Sends the files that the server lacks; returns what is to be submitted.
    ///
    /// # Errors
    /// `Client`, `Workspace`
    pub async fn upload(self, client: &Client, quiet: bool) -> Result<SubmitChange, Failure> {
        let Self { title, description, of } = self;
        let (source, config, local_phases) = match of {
            Origin::Tree(tree) => {
                let digest = workspace::upload(client, &tree, quiet).await?;
                (Source::Workspace { digest }, None, None)
            }
            Origin::Git { source, settings } => (source, Some(settings.config), settings.local_phases),
        };
        Ok(SubmitChange { title, description, source, config, local_phases })
    }
}

/// Submits a change whose files the server has.
///
/// # Errors
/// `ClientError`
pub async fn submit(client: &Client, place: &Place, change: &SubmitChange) -> Result<ChangeBody, ClientError> {
    client.create(&format!("{}/changes", place.path()), change).await
}

/// The files of a commit that a runner will clone.
struct InCommit<'a> {
    here: Repository<'a>,
    commit: &'a str,
}

impl Files for InCommit<'_> {
    fn text(&mut self, path: &str) -> Result<Option<String>, Failure> {
        Ok(self.here.file(self.commit, path)?.map(|blob| blob.text))
    }

    fn called(&self, path: &str) -> PathBuf {
        format!("{}:{path}", self.commit.get(..12).unwrap_or(self.commit)).into()
    }

    fn without_config(&self) -> Usage {
        let (commit, dir) = (self.commit.to_owned(), self.here.dir.to_owned());
        Usage::NoConfigInCommit { commit, dir, looked: CANDIDATES.join(", ") }
    }
}

/// The files that are brought along.
struct InTree<'a> {
    tree: &'a Tree,
    dirty: bool,
}

impl Files for InTree<'_> {
    fn text(&mut self, path: &str) -> Result<Option<String>, Failure> {
        Ok(self.tree.text_at(path)?)
    }

    fn called(&self, path: &str) -> PathBuf {
        if self.dirty { self.tree.dir.join(path) } else { format!("HEAD:{path}").into() }
    }

    fn without_config(&self) -> Usage {
        let (dir, looked) = (self.tree.dir.clone(), CANDIDATES.join(", "));
        if self.dirty { Usage::NoConfig { dir, looked } } else { Usage::NoCommittedConfig { dir, looked } }
    }
}
