//! What the small job of a Test has said about its host, word by word.

use std::collections::{BTreeMap, BTreeSet};

/// Free and whole, of bytes or inodes.
pub type Room = (u64, u64);

/// What a host said; what it did not say is absent. Texts are bounded and without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostSaid {
    pub uid: Option<u32>,
    pub user: String,
    /// `$SHELL` of the login.
    pub shell: String,
    pub tools: BTreeSet<String>,
    pub boot_id: String,
    pub path: Option<String>,
    /// Octal, as `umask` prints it.
    pub umask: Option<String>,
    pub work_dir: String,
    pub writable: Option<bool>,
    pub exec: Option<bool>,
    /// KiB.
    pub space: Option<Room>,
    pub inodes: Option<Room>,
    /// Soft limits by name; `None`: unlimited.
    pub limits: BTreeMap<String, Option<u64>>,
    /// `none` without systemd, else `found` and then `KEY=VALUE` lines, in the order in which they count.
    pub logind: Vec<String>,
    /// `key value` lines of `sshd -T`; empty when only root may see them.
    pub sshd: Vec<String>,
    /// `LC_ALL`, `LC_CTYPE` or `LANG`; empty when none is set.
    pub lang: Option<String>,
    pub lang_known: Option<bool>,
    /// A word of `wrapper::Sudo`; absent when it was not asked.
    pub sudo: Option<String>,
}

impl HostSaid {
    /// Takes one line of the answer.
    pub(crate) fn take(&mut self, word: &str, text: String) {
        match word {
            "uid" => self.uid = text.parse().ok(),
            "user" => self.user = text,
            "shell" => self.shell = text,
            "tool" => drop(self.tools.insert(text)),
            "boot_id" => self.boot_id = text,
            "path" => self.path = Some(text),
            "umask" => self.umask = Some(text),
            "work_dir" => self.work_dir = text,
            "writable" => self.writable = yes(&text),
            "exec" => self.exec = yes(&text),
            "space" => self.space = room(&text),
            "inodes" => self.inodes = room(&text),
            "limit" => self.limits.extend(limit(&text)),
            "logind" => self.logind.push(text),
            "sshd" => self.sshd.push(text),
            "lang" => self.lang = Some(text),
            "lang_known" => self.lang_known = yes(&text),
            "sudo" => self.sudo = Some(text),
            _ => {}
        }
    }
}

fn yes(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn room(text: &str) -> Option<Room> {
    let (free, whole) = text.split_once(' ')?;
    Some((free.parse().ok()?, whole.parse().ok()?))
}

fn limit(text: &str) -> Option<(String, Option<u64>)> {
    let (name, value) = text.split_once(' ')?;
    let value = if value == "unlimited" { None } else { Some(value.parse().ok()?) };
    Some((name.to_owned(), value))
}
