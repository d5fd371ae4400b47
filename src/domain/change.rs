//! A change: one proposed version of a project, on its way through a pipeline.
//!
//! Changes of one pipeline are independent: a newer one neither replaces nor stops an older one, and each is
//! approved and delivered by itself. What they share are the environments of the later stages, into which
//! they go one at a time (`pipeline::is_shared`), the change that comes first by approval or delivery first.

use serde::{Deserialize, Serialize};

use crate::closed::closed_list;
use crate::digest::Digest;
use crate::git_source::{GitSource, NO_FILE, is_object};
use crate::ids::ChangeId;
use crate::pipeline::Gate;
use crate::runner::BadName;
use crate::tenancy::PipelinePath;

/// The longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 500;
/// The longest description, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 64 * 1024;

closed_list!(
    /// Chef's states, and one of ours.
    ChangeState {
        /// Proposed, and not approved.
        Open = "open",
        /// Approved.
        Merged = "merged",
        /// Given up before it was approved (Chef deletes such a change): its history stays, nothing of it runs again.
        Closed = "closed",
    }
);

/// Where the files of a change come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// No files: the phases' commands bring what they need.
    None,
    /// A tree of files that was uploaded.
    Workspace { digest: Digest },
    /// The runner clones by itself.
    Git {
        url: String,
        #[serde(rename = "ref")]
        reference: String,
    },
}

/// Git's ids of the files by which a change was planned.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// config.json
    pub config: &'a str,
    /// project.toml, when there is one.
    pub local: Option<&'a str>,
}

impl Source {
    /// The tree in which its jobs start.
    #[must_use]
    pub const fn workspace(&self) -> Option<Digest> {
        match self {
            Self::Workspace { digest } => Some(*digest),
            Self::None | Self::Git { .. } => None,
        }
    }

    /// The clone in which its jobs start, planned with these settings.
    #[must_use]
    pub fn git(&self, settings: Option<Settings<'_>>) -> Option<GitSource> {
        match self {
            Self::Git { url, reference } => Some(GitSource {
                url: url.clone(),
                reference: reference.clone(),
                config_blob: settings.map(|of| of.config.to_owned()),
                local_blob: settings.map(|of| of.local.unwrap_or(NO_FILE).to_owned()),
            }),
            Self::None | Self::Workspace { .. } => None,
        }
    }

    /// Checks what came from outside.
    ///
    /// # Errors
    /// `BadName` names the piece and what is allowed.
    pub fn check(&self) -> Result<(), BadName> {
        match self {
            Self::None | Self::Workspace { .. } => Ok(()),
            Self::Git { reference, .. } => {
                self.git(None).map_or(Ok(()), |source| source.check())?;
                // What is approved is what is built.
                check(
                    is_object(reference),
                    "ref of a change",
                    reference,
                    "a commit by its 40 lower-case hexadecimal digits (`git rev-parse REF`): a branch may move after the review",
                )
            }
        }
    }
}

fn check(good: bool, what: &'static str, found: &str, allowed: &'static str) -> Result<(), BadName> {
    if good { Ok(()) } else { Err(BadName { what, found: found.chars().take(80).collect(), allowed, nearest: None }) }
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    pub at_ms: i64,
    pub by: String,
}

/// One proposed version of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub id: ChangeId,
    pub at: PipelinePath,
    /// One line.
    pub title: String,
    pub description: String,
    pub state: ChangeState,
    pub source: Source,
    pub submitted: Signed,
    /// Set exactly when the state is merged.
    pub approved: Option<Signed>,
    /// Never set before it is approved.
    pub delivered: Option<Signed>,
    /// Counts changes of the record; every write is a compare-and-set on it.
    pub version: i64,
}

impl Change {
    /// Tells whether people have opened the gate.
    #[must_use]
    pub const fn has_passed(&self, gate: Gate) -> bool {
        match gate {
            Gate::Approve => self.approved.is_some(),
            Gate::Deliver => self.delivered.is_some(),
        }
    }
}

/// Checks a title and a description from outside.
///
/// # Errors
/// `BadName` names the piece and what is allowed.
pub fn check_words(title: &str, description: &str) -> Result<(), BadName> {
    let good = (1..=MAX_TITLE_CHARS).contains(&title.trim().chars().count()) && !title.chars().any(char::is_control);
    check(good, "title", title, "one line of 1 to 500 characters")?;
    let good = description.len() <= MAX_DESCRIPTION_BYTES && !description.contains('\0');
    check(good, "description", description, "up to 64 KiB of text without NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_checked_before_anything_reads_it() {
        let commit = "0a".repeat(20);
        let git = |url: &str, reference: &str| Source::Git { url: url.into(), reference: reference.into() }.check();
        assert_eq!(git("https://git.example.com/a.git", &commit), Ok(()));
        assert!(git("ext::sh -c id", &commit).is_err() && git("https://u:p@h/a", &commit).is_err());
        for moves in ["main", "v1", "refs/heads/main", &commit[..39], &commit.to_uppercase()] {
            let refused = git("/srv/a", moves).unwrap_err().to_string();
            assert!(refused.contains("git rev-parse"), "{refused}");
        }
    }

    #[test]
    fn a_title_is_one_line_of_something() {
        assert_eq!(check_words("Ends the greeting", "because\n\nof it"), Ok(()));
        for title in ["", "  ", "a\nb", "a\u{7}", &"x".repeat(501)] {
            assert!(check_words(title, "").is_err(), "{title:?}");
        }
        assert!(check_words("x", "a\0").is_err() && check_words("x", &"x".repeat(65_537)).is_err());
    }
}
