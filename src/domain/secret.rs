//! Secrets: their names, whose they are, which of them open a repository, and how jobs are handed them.

mod uses;

use std::fmt;
use std::str::FromStr;

use crate::git_source::{GitSource, Transport};
use crate::runner::{BadName, check_name};

pub(crate) use uses::Parts;
pub use uses::{GivenAs, MAX_GIVEN_BYTES, MAX_USES, SecretUse, USE_RULE, check_uses};

/// The largest value, in bytes.
pub const MAX_SECRET_BYTES: usize = 64 * 1024;
/// The longest name.
pub const MAX_SECRET_NAME_CHARS: usize = 100;

/// Opens repositories at `https://`, beside the token.
pub const GIT_USERNAME: &str = "GIT_USERNAME";
/// Opens repositories at `https://`.
pub const GIT_TOKEN: &str = "GIT_TOKEN";
/// Opens repositories at `ssh://`.
pub const GIT_SSH_KEY: &str = "GIT_SSH_KEY";
/// Which servers of `ssh://` are the right ones: lines of known_hosts(5).
pub const GIT_KNOWN_HOSTS: &str = "GIT_KNOWN_HOSTS";

/// A secret's name, which could be that of an environment variable: `[A-Z][A-Z0-9_]*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let letters = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let good = (1..=MAX_SECRET_NAME_CHARS).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(letters);
        check_name(good, "secret name", text, "1 to 100 of A-Z, 0-9 and `_`, starting with a letter")?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a value from outside; the refusal does not repeat it.
///
/// # Errors
/// `BadName` when it is empty or too long, or no text that a shell can carry.
pub fn check_secret(value: &str) -> Result<(), BadName> {
    let good = (1..=MAX_SECRET_BYTES).contains(&value.len()) && !value.contains('\0');
    check_name(good, "value", "…", "1 byte to 64 KiB of UTF-8 text without NUL")
}

/// Which secrets a clone is given: those that its URL can use, and no other ones.
///
/// A token does not travel without encryption, except to the runner itself.
#[must_use]
pub fn secrets_for(source: &GitSource) -> &'static [&'static str] {
    match source.transport() {
        Some(Transport::Https { .. } | Transport::Http { loopback: true, .. }) => &[GIT_USERNAME, GIT_TOKEN],
        Some(Transport::Ssh) => &[GIT_SSH_KEY, GIT_KNOWN_HOSTS],
        Some(Transport::Http { loopback: false, .. } | Transport::Git | Transport::Path) | None => &[],
    }
}

/// Which of them must be there: a host that nobody has vouched for is given no key.
#[must_use]
pub fn secrets_needed_for(source: &GitSource) -> &'static [&'static str] {
    if source.transport() == Some(Transport::Ssh) { &[GIT_SSH_KEY, GIT_KNOWN_HOSTS] } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_called_as_a_variable() {
        for bad in ["", "a", "1A", "_A", "A-B", "A B", "Ä", "A\n", &"A".repeat(101)] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad:?}");
        }
        for good in ["A", "GIT_TOKEN", "A1_", &"A".repeat(100)] {
            assert_eq!(good.parse::<SecretName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn a_value_that_is_refused_is_not_repeated() {
        for bad in ["", "hunter2\0", &"hunter2".repeat(10_000)] {
            assert!(!check_secret(bad).unwrap_err().to_string().contains("hunter2"));
        }
        assert_eq!(check_secret(&"x".repeat(MAX_SECRET_BYTES)), Ok(()));
    }

    #[test]
    fn a_clone_is_given_only_what_its_url_can_use() {
        let names = |url: &str| {
            let source = GitSource { url: url.into(), reference: "main".into(), config_blob: None, local_blob: None };
            (secrets_for(&source).len(), secrets_needed_for(&source).len())
        };
        for (url, counts) in [
            ("https://h/a", (2, 0)),
            ("http://127.0.0.1/a", (2, 0)),
            ("http://h/a", (0, 0)),
            ("git://h/a", (0, 0)),
            ("/srv/a", (0, 0)),
            ("git@h:a", (2, 2)),
        ] {
            assert_eq!(names(url), counts, "{url}");
        }
    }
}
