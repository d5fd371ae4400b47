//! What a frame says of the secrets that a job reads as files.

use std::fmt::Write as _;

use crate::git_source::GitAccess;
use crate::job::JobSpec;
use crate::secret::GivenAs;
use crate::wire::frame::{BadFrame, quoted};

/// What a frame holds that is secret, beside the variables. Has no `Debug`.
#[derive(Clone, Default)]
pub struct FrameSecrets<'a> {
    /// What opens the repository in which the job starts.
    pub git: GitAccess<'a>,
    /// Name and contents of each file.
    pub files: Vec<(&'a str, &'a str)>,
}

/// The function by which the wrapper writes the files; nothing when there are none.
///
/// A value is an argument of a shell's function there, never of a process.
pub(super) fn file_lines(files: &[(&str, &str)]) -> Result<String, BadFrame> {
    if files.is_empty() {
        return Ok(String::new());
    }
    if files.iter().any(|(_, value)| value.contains('\0')) {
        return Err(BadFrame::NulInSecret);
    }
    let mut text = "shunt_secrets=1\nshunt_put_secrets() {\n".to_owned();
    for (name, value) in files {
        let _ = writeln!(text, "put_secret {name} {} &&", quoted(value));
    }
    text.push_str(":\n}\n");
    Ok(text)
}

/// The variables that hold paths of files. The wrapper has said before where they are.
pub(super) fn path_lines(spec: &JobSpec) -> String {
    spec.secrets.iter().fold(String::new(), |mut text, one| {
        if let GivenAs::File { path_in: Some(variable) } = &one.given {
            let _ = writeln!(text, "export {variable}=\"$SHUNT_SECRETS/{}\"", one.secret);
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::secret::SecretUse;
    use crate::wire::frame::Frame;

    #[test]
    fn files_are_written_by_the_wrapper_and_their_paths_are_variables() {
        let uses = vec![SecretUse::file("KEY", Some("KUBECONFIG")).unwrap(), SecretUse::file("B", None).unwrap()];
        let spec = JobSpec { secrets: uses, ..JobSpec::shell("true") };
        let env = BTreeMap::from([("A".to_owned(), "b".to_owned())]);
        let frame = Frame { spec: &spec, env: &env };
        let secrets = FrameSecrets { files: vec![("KEY", "a'b\n"), ("B", "c")], ..FrameSecrets::default() };
        let said = String::from_utf8(frame.encode_with(&secrets).unwrap()).unwrap();
        assert!(said.starts_with("3 "), "{said}");
        let function =
            "shunt_secrets=1\nshunt_put_secrets() {\nput_secret KEY 'a'\\''b\n' &&\nput_secret B 'c' &&\n:\n}\n";
        assert!(said.contains(function), "{said}");
        assert!(said.contains("export A='b'\nexport KUBECONFIG=\"$SHUNT_SECRETS/KEY\"\n}\n"), "{said}");
        let bad = FrameSecrets { files: vec![("B", "\0")], ..FrameSecrets::default() };
        assert_eq!(frame.encode_with(&bad), Err(BadFrame::NulInSecret));
    }
}
