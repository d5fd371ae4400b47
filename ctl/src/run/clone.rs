//! `--git` and `--ref`: a clone that the runner makes by itself, and the configuration that belongs to it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shuntyard_domain::git_source::GitSource;
use shuntyard_domain::project_config::{CANDIDATES, LOCAL_PHASES_CANDIDATES};

use crate::failure::Usage;
use crate::terminal::{note, plain};

/// Checks URL and ref.
///
/// # Errors
/// `Usage::BadName`
pub fn source(url: &str, reference: &str) -> Result<GitSource, Usage> {
    let source = GitSource { url: url.into(), reference: reference.into(), config_blob: None };
    source.check()?;
    Ok(source)
}

/// Reads the configuration that the local repository in `dir` has at the source's ref, and remembers in the source
/// which one it is: the runner refuses a clone with another one. `None`: the ref is not known here, or has none.
pub fn committed_config(dir: &Path, source: &mut GitSource) -> Option<(PathBuf, String)> {
    for candidate in CANDIDATES {
        // From the top of the repository, where the job starts.
        let name = format!("{}:{candidate}", source.reference);
        let Some(blob) = git(dir, &["rev-parse", "-q", "--verify", &name]) else { continue };
        let Some(text) = git(dir, &["cat-file", "blob", &blob]) else { continue };
        let path = dir.join(format!("{candidate} of {}", plain(&source.reference)));
        note(&format!("note: the configuration is {}", path.display()));
        source.config_blob = Some(blob).filter(|blob| blob.len() == 40);
        return Some((path, text));
    }
    note(&format!(
        "note: {} is no ref with a configuration of the repository in {}: the configuration is read from the directory",
        plain(&source.reference),
        dir.display()
    ));
    None
}

/// The project.toml that the local repository in `dir` has at the source's ref.
pub fn committed_local_phases(dir: &Path, source: &GitSource) -> Option<(PathBuf, String)> {
    LOCAL_PHASES_CANDIDATES.iter().find_map(|candidate| {
        let text = git(dir, &["cat-file", "blob", &format!("{}:{candidate}", source.reference)])?;
        Some((dir.join(format!("{candidate} of {}", plain(&source.reference))), text))
    })
}

/// What git prints, without the end of the last line of a name; `None` when it fails or there is none.
fn git(dir: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).current_dir(dir).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let is_name = words.first() == Some(&"rev-parse");
    output.status.success().then(|| if is_name { text.trim_end().to_owned() } else { text })
}
