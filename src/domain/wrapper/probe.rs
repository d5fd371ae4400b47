//! Asking a host what it is, and how root's rights are reached on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::closed::closed_list;
use crate::wire::frame::Nonce;

use super::answer::{BadAnswer, script, whole_lines};

/// Functions of the scripts; the line behind them runs what is wanted.
pub(super) const FACTS: &str = include_str!("bootstrap/facts.sh");
pub(super) const SUDO: &str = include_str!("bootstrap/sudo.sh");
pub(super) const TELL_FACTS: &str = "{ tell \"@@$nonce\"; facts; tell eol; } </dev/null\n";

closed_list!(
    /// The way to root's rights.
    Sudo {
        /// The login user is root.
        Root = "root",
        Passwordless = "passwordless",
        /// sudo asks; or the user is not in sudoers, which looks the same without a password.
        Password = "password",
        None = "none",
    }
);

/// What a host said about itself, before Ohai's words are found for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbedHost {
    /// `uname -s`, `-r`, `-m`, `-n`.
    pub kernel: String,
    pub kernel_release: String,
    pub machine: String,
    pub hostname: String,
    /// The fields of os-release, unquoted; empty when the host has none.
    pub os_release: BTreeMap<String, String>,
    /// First lines of /etc/redhat-release and /etc/debian_version, and macOS' version; empty when absent.
    pub redhat_release: String,
    pub debian_version: String,
    pub mac_version: String,
    /// 0 when the host would not say.
    pub cpus: u32,
    pub memory_bytes: u64,
    pub boot_id: String,
    /// The login.
    pub uid: u32,
    pub user: String,
    pub home: String,
    pub shell: String,
    pub tools: BTreeSet<String>,
}

/// The script that asks; send it to `SHELL_COMMAND`.
#[must_use]
pub fn facts_script(nonce: &Nonce) -> String {
    script(&[("nonce", nonce.as_str())], &[FACTS, TELL_FACTS])
}

/// Reads the answer to `facts_script` from the command's standard output.
///
/// # Errors
/// `BadAnswer` when there is none, when it is cut off, or when it lacks what every host can say.
pub fn parse_facts(stdout: &[u8], nonce: &Nonce) -> Result<ProbedHost, BadAnswer> {
    let mut host = ProbedHost::default();
    for (word, text) in whole_lines(stdout, nonce)? {
        match word.as_str() {
            "kernel" => host.kernel = text,
            "kernel_release" => host.kernel_release = text,
            "machine" => host.machine = text,
            "hostname" => host.hostname = text,
            "os_release" => host.os_release.extend(os_release_field(&text)),
            "redhat_release" => host.redhat_release = text,
            "debian_version" => host.debian_version = text,
            "mac_version" => host.mac_version = text,
            "cpus" => host.cpus = text.parse().unwrap_or(0),
            "memory_bytes" => host.memory_bytes = text.parse().unwrap_or(0),
            "boot_id" => host.boot_id = text,
            "uid" => host.uid = text.parse().map_err(|_| BadAnswer::Line(format!("uid {text}")))?,
            "user" => host.user = text,
            "home" => host.home = text,
            "shell" => host.shell = text,
            "tool" => drop(host.tools.insert(text)),
            _ => {}
        }
    }
    for (name, value) in [("kernel", &host.kernel), ("machine", &host.machine), ("user", &host.user)] {
        if value.is_empty() {
            return Err(BadAnswer::Missing(name));
        }
    }
    Ok(host)
}

/// One line of os-release, as os-release(5) quotes it; `None` for comments and empty lines.
#[must_use]
pub fn os_release_field(line: &str) -> Option<(String, String)> {
    let (key, value) = line.trim().split_once('=')?;
    if key.is_empty() || key.starts_with('#') {
        return None;
    }
    let mut text = String::new();
    let mut letters = value.chars();
    let mut quote = None;
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('"') | None, '\\') => text.extend(letters.next()),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), close) if open == close => quote = None,
            (_, other) => text.push(other),
        }
    }
    Some((key.to_owned(), text))
}

/// The script that looks for sudo; send it to `SHELL_COMMAND`.
#[must_use]
pub fn sudo_probe_script(nonce: &Nonce) -> String {
    script(&[("nonce", nonce.as_str())], &[SUDO, "{ tell \"@@$nonce\"; sudo_way; tell eol; } </dev/null\n"])
}

/// Reads the answer to `sudo_probe_script`.
///
/// # Errors
/// `BadAnswer` when there is none or it is not understood.
pub fn parse_sudo(stdout: &[u8], nonce: &Nonce) -> Result<Sudo, BadAnswer> {
    let lines = whole_lines(stdout, nonce)?;
    let (_, text) = lines.iter().find(|(word, _)| word == "sudo").ok_or(BadAnswer::Missing("sudo"))?;
    text.parse().map_err(|_| BadAnswer::Line(text.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn os_release_is_unquoted_as_a_shell_would() {
        for (line, value) in [
            ("ID=debian", "debian"),
            ("ID=\"rhel\"", "rhel"),
            ("ID='sles'", "sles"),
            ("ID=\"a \\\"b\\\" \\$c\"", "a \"b\" $c"),
            ("ID=", ""),
        ] {
            assert_eq!(os_release_field(line), Some(("ID".to_owned(), value.to_owned())), "{line}");
        }
        for line in ["", "# ID=x", "=x", "word"] {
            assert_eq!(os_release_field(line), None, "{line}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_is_refused() {
        let nonce = Nonce::from_random([1; 16]);
        let whole =
            format!("motd\n@@{nonce}\nkernel Linux\nmachine x86_64\nuser me\nuid 7\ncpus many\nnew thing\neol\nrest");
        let host = parse_facts(whole.as_bytes(), &nonce).unwrap();
        assert_eq!((host.kernel.as_str(), host.uid, host.cpus), ("Linux", 7, 0));
        let cut = whole.split("eol").next().unwrap();
        assert_eq!(parse_facts(cut.as_bytes(), &nonce), Err(BadAnswer::Truncated));
        assert_eq!(parse_facts(b"motd", &nonce), Err(BadAnswer::NoMarker));
        let poor = format!("@@{nonce}\nkernel Linux\neol\n");
        assert_eq!(parse_facts(poor.as_bytes(), &nonce), Err(BadAnswer::Missing("machine")));
    }
}
