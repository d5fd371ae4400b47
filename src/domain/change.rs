//! A change: one proposed version of a project, on its way through a pipeline.
//!
//! Changes of one pipeline are independent: a newer one neither replaces nor stops an older one, and each is
//! approved and delivered by itself. What they share are the environments of the later stages, into which
//! they go one at a time (`pipeline::is_shared`), the change that comes first by approval or delivery first.

use serde::{Deserialize, Serialize};

use crate::closed::closed_list;
use crate::digest::Digest;
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

impl Source {
    /// The tree in which its jobs start.
    #[must_use]
    pub const fn workspace(&self) -> Option<Digest> {
        match self {
            Self::Workspace { digest } => Some(*digest),
            Self::None | Self::Git { .. } => None,
        }
    }

    /// Checks what came from outside. A URL or ref never reads as an option of git or as two words.
    ///
    /// # Errors
    /// `BadName` names the piece and what is allowed.
    pub fn check(&self) -> Result<(), BadName> {
        match self {
            Self::None | Self::Workspace { .. } => Ok(()),
            Self::Git { url, reference } => {
                let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '\'' | '`' | '<' | '>');
                let good = (1..=2048).contains(&url.len()) && url.chars().all(plain) && !url.starts_with('-');
                // git-remote-ext(1) runs what stands behind `ext::`.
                let good = good && !url.contains("::");
                check(
                    good,
                    "git URL",
                    url,
                    "1 to 2048 visible ASCII characters, no quotes, no `::`, not starting with `-`",
                )?;
                check(
                    is_reference(reference),
                    "git ref",
                    reference,
                    "a ref as git-check-ref-format(1) says, or a commit",
                )
            }
        }
    }
}

/// What git-check-ref-format(1) accepts, one level being enough, narrowed to visible ASCII.
fn is_reference(text: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_graphic() && !matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '\'' | '"' | '`');
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    (1..=255).contains(&text.len())
        && text.chars().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('.')
        && text != "@"
        && !text.contains("..")
        && !text.contains("@{")
        && text.split('/').all(component)
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

    fn git(url: &str, reference: &str) -> Result<(), BadName> {
        Source::Git { url: url.into(), reference: reference.into() }.check()
    }

    #[test]
    fn a_source_that_git_would_read_as_something_else_is_refused() {
        for url in ["", "-uext", "ext::sh -c id", "ext::sh", "a b", "a\nb", "ä", "https://h/\"x"] {
            assert!(git(url, "main").is_err(), "{url}");
        }
        for reference in
            ["", "-x", "a..b", "a b", "a.lock", "x/.y", "a/", "/a", "a//b", "@", "a@{1}", "a~1", "a^", "a:b", "a."]
        {
            assert!(git("https://git.example.com/a.git", reference).is_err(), "{reference}");
        }
        for url in
            ["https://git.example.com/a.git", "git@git.example.com:a/b.git", "ssh://git@h:22/a", "/srv/git/a.git"]
        {
            for reference in ["main", "refs/heads/feature/x", "v1.2.3", "0123456789abcdef0123456789abcdef01234567"] {
                assert_eq!(git(url, reference), Ok(()), "{url} {reference}");
            }
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
