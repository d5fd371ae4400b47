//! What a frame says of the clone that a job starts in.

use std::fmt::Write as _;

use crate::git_source::{GitAccess, GitSource, Transport};
use crate::wire::frame::{BadFrame, quoted};

/// The assignments of a clone. What is said twice, URL and credentials, is said to the wrapper alone: none of it is in
/// the environment of the job.
pub(super) fn clone_lines(source: &GitSource, access: &GitAccess<'_>) -> Result<String, BadFrame> {
    let origin = match source.transport() {
        Some(Transport::Https { origin } | Transport::Http { origin, .. }) => origin,
        _ => "",
    };
    let username = access.username.filter(|_| access.token.is_some()).unwrap_or("git");
    let lines = [
        ("url", source.url.as_str()),
        ("ref", &source.reference),
        ("blob", source.config_blob.as_deref().unwrap_or_default()),
        ("local", source.local_blob.as_deref().unwrap_or_default()),
        // Nobody else is told the token, also when the server sends us elsewhere.
        ("origin", if access.token.is_some() { origin } else { "" }),
        ("username", username),
        ("token", access.token.unwrap_or_default()),
        ("key", &whole_lines(access.ssh_key)),
        ("hosts", &whole_lines(access.known_hosts)),
    ];
    if lines.iter().any(|(_, value)| value.contains('\0')) {
        return Err(BadFrame::NulInSecret);
    }
    Ok(lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "shunt_git_{name}={}", quoted(value));
        text
    }))
}

/// ssh reads no key whose last line has no end, or whose lines end as on Windows.
fn whole_lines(text: Option<&str>) -> String {
    let mut text = text.unwrap_or_default().replace("\r\n", "\n");
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::job::JobSpec;
    use crate::wire::frame::Frame;
    use crate::wire::secret_files::FrameSecrets;

    #[test]
    fn a_clone_and_what_opens_it_are_said_to_wrappers_that_know_clones() {
        let source =
            GitSource { url: "https://h:1/a".into(), reference: "main".into(), config_blob: None, local_blob: None };
        let spec = JobSpec { git: Some(source), ..JobSpec::shell("true") };
        let env = BTreeMap::new();
        let encoded = |git: GitAccess<'_>| {
            Frame { spec: &spec, env: &env }.encode_with(&FrameSecrets { git, ..FrameSecrets::default() })
        };
        let said = |access: GitAccess<'_>| String::from_utf8(encoded(access).unwrap()).unwrap();
        let bare = said(GitAccess::default());
        assert!(bare.starts_with("2 ") && bare.contains("\nshunt_git_url='https://h:1/a'\n"), "{bare}");
        assert!(bare.contains("shunt_git_origin=''") && bare.contains("shunt_git_token=''"), "{bare}");
        let opened = said(GitAccess { token: Some("a'b"), ssh_key: Some("k\r\nl"), ..GitAccess::default() });
        for line in ["origin='https://h:1'", "username='git'", "token='a'\\''b'", "key='k\nl\n'", "hosts=''"] {
            assert!(opened.contains(&format!("\nshunt_git_{line}\n")), "{line}: {opened}");
        }
        let bad = GitAccess { token: Some("\0"), ..GitAccess::default() };
        assert_eq!(encoded(bad), Err(BadFrame::NulInSecret));
    }
}
