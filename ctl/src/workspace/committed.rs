//! The files of the last commit, as the program `git` tells them: as they are stored, without filters.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::WorkspaceError;
use super::tree::{Contents, Found, Source, pieces};
use crate::terminal::{note, plain};

/// One line of `git ls-tree`.
pub(super) struct Listed {
    mode: String,
    object: String,
    path: String,
}

/// Lists what the last commit has below `dir`.
pub(super) fn list(dir: &Path) -> Result<Vec<Listed>, WorkspaceError> {
    let mut command = Command::new("git");
    let output = command.args(["ls-tree", "-r", "-z", "HEAD"]).current_dir(dir).stdin(Stdio::null()).output();
    let output = output.map_err(WorkspaceError::NoGit)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = plain(said.lines().next().unwrap_or("git failed").trim_start_matches("fatal: "));
        return Err(WorkspaceError::NoCommit { dir: dir.to_owned(), said });
    }
    output.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty()).map(line).collect()
}

/// `MODE TYPE OBJECT<TAB>PATH`
fn line(line: &[u8]) -> Result<Listed, WorkspaceError> {
    let text = std::str::from_utf8(line)
        .map_err(|_| WorkspaceError::Name(String::from_utf8_lossy(line).rsplit('\t').next().unwrap_or("").into()))?;
    let bad = || WorkspaceError::Git(plain(text));
    let (head, path) = text.split_once('\t').ok_or_else(bad)?;
    let [mode, _, object] = head.split(' ').collect::<Vec<_>>()[..] else { return Err(bad()) };
    Ok(Listed { mode: mode.into(), object: object.into(), path: path.into() })
}

/// Turns git's modes into entries; targets of links are contents in git.
pub(super) fn links(listed: &[Listed], contents: &mut Contents) -> Result<Vec<(String, Found)>, WorkspaceError> {
    let mut found = Vec::with_capacity(listed.len());
    for Listed { mode, object, path } in listed {
        let source = Source::Object(object.clone());
        let entry = match mode.as_str() {
            "100644" | "100664" => Found::File { source, executable: false },
            "100755" => Found::File { source, executable: true },
            "120000" => {
                let mut target = Vec::new();
                contents.read(&source, &mut |piece| {
                    target.extend_from_slice(piece);
                    Ok(())
                })?;
                let target = String::from_utf8(target).map_err(|_| WorkspaceError::Name(path.clone()))?;
                Found::Link { target }
            }
            "160000" => {
                note(&format!("note: the submodule {} is not brought along", plain(path)));
                continue;
            }
            _ => return Err(WorkspaceError::Git(format!("{} has mode {}", plain(path), plain(mode)))),
        };
        found.push((path.clone(), entry));
    }
    Ok(found)
}

/// `git cat-file --batch`: names in, contents out. It ends with its input.
pub(super) struct Objects {
    child: Child,
    names: Option<ChildStdin>,
    contents: BufReader<ChildStdout>,
}

impl Objects {
    pub(super) fn open(dir: &Path) -> Result<Self, WorkspaceError> {
        let mut command = Command::new("git");
        command.args(["cat-file", "--batch"]).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(WorkspaceError::NoGit)?;
        let (names, contents) = (child.stdin.take(), child.stdout.take());
        let contents = contents.ok_or_else(|| WorkspaceError::Git("it has no output".into()))?;
        Ok(Self { child, names, contents: BufReader::new(contents) })
    }

    pub(super) fn read(
        &mut self,
        name: &str,
        take: &mut dyn FnMut(&[u8]) -> Result<(), WorkspaceError>,
    ) -> Result<u64, WorkspaceError> {
        let at = |error: std::io::Error| WorkspaceError::Git(error.to_string());
        let names = self.names.as_mut().ok_or_else(|| WorkspaceError::Git("it has no input".into()))?;
        writeln!(names, "{name}").and_then(|()| names.flush()).map_err(at)?;
        // `OBJECT blob SIZE`, the bytes, a newline.
        let mut head = String::new();
        self.contents.read_line(&mut head).map_err(at)?;
        let size: Option<u64> = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
        let size =
            size.filter(|_| head.contains(" blob ")).ok_or_else(|| WorkspaceError::Git(plain(head.trim_end())))?;
        let read = pieces((&mut self.contents).take(size), &at, take)?;
        let mut newline = [0];
        self.contents.read_exact(&mut newline).map_err(at)?;
        if read == size { Ok(size) } else { Err(WorkspaceError::Git(format!("object {name} is cut off"))) }
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        drop(self.names.take());
        // It may wait for a reader of an object that nobody wants any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
