//! Where a job's files come from when its runner clones them: a URL of git, a ref, and what may open it.

use serde::{Deserialize, Serialize};

use crate::runner::{BadName, check_name as check};

/// A clone in which a job starts. It says nothing secret: what opens the repository is kept apart (`GitAccess`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GitSource {
    pub url: String,
    /// A branch, a tag, a full ref or a full commit.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Git's id of the config.json by which the job was planned: a clone with another one is not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_blob: Option<String>,
    /// The same of its project.toml; `NO_FILE`: it was planned without one, and a clone with one is not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_blob: Option<String>,
}

/// What git writes for the id of a file that is not there.
pub const NO_FILE: &str = "0000000000000000000000000000000000000000";

/// How a URL is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    Https {
        /// `https://HOST[:PORT]`, as the URL writes it.
        origin: &'a str,
    },
    /// Without encryption.
    Http {
        origin: &'a str,
        /// Its host is the runner itself.
        loopback: bool,
    },
    Ssh,
    /// git's own protocol, which knows no login and no encryption.
    Git,
    /// A directory of the runner.
    Path,
}

/// What opens a repository: a project's secrets of these names.
#[derive(Clone, Copy, Default)]
pub struct GitAccess<'a> {
    /// `GIT_USERNAME`; `git` when only the token is there.
    pub username: Option<&'a str>,
    /// `GIT_TOKEN`: a token or password.
    pub token: Option<&'a str>,
    /// `GIT_SSH_KEY`: a private key without a passphrase.
    pub ssh_key: Option<&'a str>,
    /// `GIT_KNOWN_HOSTS`: lines of known_hosts(5).
    pub known_hosts: Option<&'a str>,
}

const URL_RULE: &str = "https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, http://, git://, file:// or an absolute \
                        path; up to 2048 visible ASCII characters without quotes";

impl GitSource {
    /// Checks what came from outside. A URL or ref never reads as an option of git or as two words, names no program,
    /// and holds no password.
    ///
    /// # Errors
    /// `BadName` names the piece and what is allowed; a URL with a password is not repeated.
    pub fn check(&self) -> Result<(), BadName> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '\'' | '`' | '<' | '>');
        // git-remote-ext(1) runs what stands behind `ext::`.
        let good = (1..=2048).contains(&self.url.len())
            && self.url.chars().all(plain)
            && !self.url.starts_with('-')
            // An address of IPv6 stands in brackets.
            && !self.url.split('[').next().unwrap_or_default().contains("::");
        check(good, "git URL", &self.url, URL_RULE)?;
        check(
            !self.holds_login(),
            "git URL",
            "…@…",
            "a URL without user name, password and query; set the project's secrets GIT_USERNAME and GIT_TOKEN \
             (`shunt secret set`), which never show in lists and logs",
        )?;
        check(self.transport().is_some(), "git URL", &self.url, URL_RULE)?;
        check(
            is_reference(&self.reference),
            "git ref",
            &self.reference,
            "a ref as git-check-ref-format(1) says, or a commit",
        )?;
        for (what, blob) in [("config_blob", &self.config_blob), ("local_blob", &self.local_blob)] {
            let blob = blob.as_deref().unwrap_or(NO_FILE);
            check(is_object(blob), what, blob, "40 lower-case hexadecimal digits")?;
        }
        Ok(())
    }

    /// Tells whether the URL names a user of a web server, a password of anybody, or a query. Tokens are written in all
    /// of these places.
    fn holds_login(&self) -> bool {
        let Some((scheme, rest)) = self.url.split_once("://") else {
            // USER:PASSWORD@HOST:PATH is no form that git knows, but people write it.
            return !self.url.starts_with('/') && self.url.split_once(':').is_some_and(|(_, path)| path.contains('@'));
        };
        if matches!(scheme, "http" | "https") && rest.contains('?') {
            return true;
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| scheme != "ssh" || user.contains(':'))
    }

    /// How the URL is reached; `None`: in no way that is allowed.
    #[must_use]
    pub fn transport(&self) -> Option<Transport<'_>> {
        let url = self.url.as_str();
        let Some((scheme, rest)) = url.split_once("://") else {
            if url.starts_with('/') {
                return Some(Transport::Path);
            }
            // USER@HOST:PATH; git reads it so only when the colon comes before a slash.
            let (place, path) = url.split_once(':')?;
            let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
            return (is_host(host) && !place.contains('/') && !path.is_empty()).then_some(Transport::Ssh);
        };
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let origin = &url[..url.len() - rest.len() + authority.len()];
        match scheme {
            "file" => rest.starts_with('/').then_some(Transport::Path),
            _ if !is_host(host) => None,
            "https" => Some(Transport::Https { origin }),
            "http" => Some(Transport::Http { origin, loopback: is_loopback(host) }),
            "ssh" => Some(Transport::Ssh),
            "git" => Some(Transport::Git),
            _ => None,
        }
    }

    /// The last word of the URL's path without `.git`: what the project is called when nobody says.
    #[must_use]
    pub fn repository(&self) -> &str {
        let path = self.url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let name = path.rsplit(['/', ':']).next().unwrap_or_default();
        name.strip_suffix(".git").unwrap_or(name)
    }
}

/// Host and port, never an option of ssh.
fn is_host(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && text.chars().all(letters)
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let octets: Vec<&str> = name.split('.').collect();
    let is_127 = octets.len() == 4 && octets[0] == "127" && octets.iter().all(|octet| octet.parse::<u8>().is_ok());
    name == "localhost" || name == "::1" || is_127
}

/// Git's id of a commit or a file.
pub(crate) fn is_object(text: &str) -> bool {
    text.len() == 40 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// What git-check-ref-format(1) accepts, one level being enough, narrowed to visible ASCII.
fn is_reference(text: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_graphic() && !matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '\'' | '"' | '`');
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    (1..=255).contains(&text.len())
        && text.chars().all(plain)
        // `+` in front means something in a refspec.
        && !text.starts_with(['-', '+'])
        && !text.ends_with('.')
        && text != "@"
        && !text.contains("..")
        && !text.contains("@{")
        && text.split('/').all(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(url: &str, reference: &str) -> GitSource {
        GitSource { url: url.into(), reference: reference.into(), config_blob: None, local_blob: None }
    }

    #[test]
    fn a_source_that_git_would_read_as_something_else_is_refused() {
        for url in ["", "-uext", "ext::sh -c id", "ext::sh", "a b", "a\nb", "ä", "https://h/\"x"] {
            assert!(git(url, "main").check().is_err(), "{url}");
        }
        for url in ["relative/path", "ext://x", "ftp://h/a", "ssh://-oProxyCommand=id/a", "git@-x:a", "https:///a"] {
            assert!(git(url, "main").check().is_err(), "{url}");
        }
        let refused = [
            "", "-x", "+x", "a..b", "a b", "a.lock", "x/.y", "a/", "/a", "a//b", "@", "a@{1}", "a~1", "a^", "a:b", "a.",
        ];
        for reference in refused {
            assert!(git("https://git.example.com/a.git", reference).check().is_err(), "{reference}");
        }
        let urls = [
            "https://git.example.com/a.git",
            "git@git.example.com:a/b.git",
            "git.example.com:a.git",
            "ssh://git@h:22/a",
            "git://[::1]:9418/a",
            "file:///srv/a",
            "/srv/git/a.git",
        ];
        for url in urls {
            for reference in ["main", "refs/heads/feature/x", "v1.2.3", "0123456789abcdef0123456789abcdef01234567"] {
                assert_eq!(git(url, reference).check(), Ok(()), "{url} {reference}");
            }
        }
        let planned = |blob: &str| GitSource { config_blob: Some(blob.into()), ..git("/srv/a", "main") }.check();
        assert_eq!(planned(&"0a".repeat(20)), Ok(()));
        assert!(planned("0a").is_err() && planned(&"0A".repeat(20)).is_err());
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for url in [
            "https://u:hunter2@h/a",
            "https://ghp_hunter2@h/a",
            "http://hunter2@h/a",
            "ssh://u:hunter2@h/a",
            "user:hunter2@host:a.git",
            "https://h/a.git?private_token=hunter2",
        ] {
            let refused = git(url, "main").check().unwrap_err().to_string();
            assert!(refused.contains("GIT_TOKEN") && !refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_url_says_how_it_is_reached() {
        for (url, transport) in [
            ("https://h/a@b", Some(Transport::Https { origin: "https://h" })),
            ("https://h:8443", Some(Transport::Https { origin: "https://h:8443" })),
            ("http://h/a", Some(Transport::Http { origin: "http://h", loopback: false })),
            ("http://[::1]:80/a", Some(Transport::Http { origin: "http://[::1]:80", loopback: true })),
            (
                "http://127.0.0.1.example.com/a",
                Some(Transport::Http { origin: "http://127.0.0.1.example.com", loopback: false }),
            ),
            ("http://127.0.0.1:80/a", Some(Transport::Http { origin: "http://127.0.0.1:80", loopback: true })),
            (
                "http://localhost.example.com/a",
                Some(Transport::Http { origin: "http://localhost.example.com", loopback: false }),
            ),
            ("git@h:a", Some(Transport::Ssh)),
            ("git://h/a", Some(Transport::Git)),
            ("/srv/a", Some(Transport::Path)),
            ("a", None),
        ] {
            assert_eq!(git(url, "main").transport(), transport, "{url}");
        }
        for (url, name) in [("https://h/t/hello.git", "hello"), ("git@h:hello", "hello"), ("/srv/git/hello/", "hello")]
        {
            assert_eq!(git(url, "main").repository(), name, "{url}");
        }
    }
}
