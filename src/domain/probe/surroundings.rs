//! What surrounds the jobs of a host: limits, umask, locale, logind, sshd's memory.

use super::{HostSaid, Probe, ProbeName};

const FEW_FILES: u64 = 1024;
const FEW_PROCESSES: u64 = 256;
/// The first OpenSSH with PerSourcePenalties.
const PENALTIES_SINCE: (u32, u32) = (9, 8);

pub(super) fn kill_user_processes(logind: &[String], user: &str) -> Probe {
    let name = ProbeName::KillUserProcesses;
    match logind.first().map(String::as_str) {
        None => return Probe::skipped(name, "the host does not say"),
        Some("none") => return Probe::ok(name, "the host is not run by systemd"),
        Some(_) => {}
    }
    // A later line replaces an earlier one.
    let value = |key: &str| logind.iter().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let kills = value("KillUserProcesses").is_some_and(|word| matches!(word.trim(), "yes" | "true" | "1" | "on"));
    let excluded = value("KillExcludeUsers").unwrap_or("root");
    let only = value("KillOnlyUsers").unwrap_or_default();
    let named = |list: &str| list.split_whitespace().any(|word| word == user);
    if !kills {
        return Probe::ok(name, "logind leaves jobs alone when their connection ends");
    }
    if named(excluded) || !(only.trim().is_empty() || named(only)) {
        return Probe::ok(name, format!("logind kills what sessions leave, but not of {user}"));
    }
    Probe::warn(
        name,
        "logind kills a session's processes when it ends: a job would not outlive a lost link",
        &format!("set KillUserProcesses=no, or KillExcludeUsers=root {user}, in /etc/systemd/logind.conf"),
    )
}

/// `banner` is what the server calls itself; `sshd` what `sshd -T` says, when it may be seen.
pub(super) fn penalties(banner: &str, sshd: &[String]) -> Probe {
    let name = ProbeName::PerSourcePenalties;
    let Some(version) = openssh_version(banner) else {
        return Probe::ok(name, "the server is not OpenSSH: it has none");
    };
    let (major, minor) = version;
    if version < PENALTIES_SINCE {
        return Probe::ok(name, format!("OpenSSH {major}.{minor} has none (they came with 9.8)"));
    }
    let said: Vec<&str> = sshd.iter().map(String::as_str).filter(|line| line.starts_with("persourcepenalt")).collect();
    if said.is_empty() {
        let unseen = "on unless switched off, which only root can see; the dispatcher paces its connections";
        return Probe::ok(name, format!("OpenSSH {major}.{minor}: {unseen}"));
    }
    Probe::ok(name, said.join("; "))
}

/// Major and minor of `SSH-2.0-OpenSSH_9.8p1 Debian-1`.
fn openssh_version(banner: &str) -> Option<(u32, u32)> {
    let version = banner.split_once("OpenSSH_")?.1;
    let (major, rest) = version.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

pub(super) fn ulimits(said: &HostSaid) -> Probe {
    let name = ProbeName::Ulimits;
    if said.limits.is_empty() {
        return Probe::skipped(name, "the host does not say them");
    }
    let shown = |name: &str| match said.limits.get(name) {
        Some(Some(value)) => value.to_string(),
        Some(None) => "unlimited".to_owned(),
        None => "unknown".to_owned(),
    };
    let below = |name: &str, least: u64| said.limits.get(name).copied().flatten().is_some_and(|value| value < least);
    let mut low = Vec::new();
    if below("open_files", FEW_FILES) {
        low.push(format!("{} open files", shown("open_files")));
    }
    if below("processes", FEW_PROCESSES) {
        low.push(format!("{} processes", shown("processes")));
    }
    for (key, what) in [("file_size", "bytes a file"), ("cpu_time", "s of CPU"), ("address_space", "bytes of memory")] {
        if said.limits.get(key).is_some_and(Option::is_some) {
            low.push(format!("{} {what}", shown(key)));
        }
    }
    if low.is_empty() {
        return Probe::ok(name, format!("{} open files, {} processes", shown("open_files"), shown("processes")));
    }
    let fix = "raise them for the account in /etc/security/limits.conf; a new connection has the new ones";
    Probe::warn(name, format!("a job has at most {}", low.join(", ")), fix)
}

pub(super) fn umask(text: Option<&str>) -> Probe {
    let name = ProbeName::Umask;
    let fix = "set it for the account: UMASK in /etc/login.defs, or pam_umask";
    match text.map(|text| (text, u32::from_str_radix(text, 8))) {
        Some((text, Ok(mask))) if mask & 0o700 != 0 => {
            Probe::warn(name, format!("{text}: a job cannot use the files that it makes"), fix)
        }
        Some((text, Ok(mask))) if mask & 0o002 == 0 => {
            Probe::warn(name, format!("{text}: everybody on the host can write the files of a job"), fix)
        }
        Some((text, Ok(_))) => Probe::ok(name, text),
        Some((_, Err(_))) | None => Probe::skipped(name, "the host does not say it"),
    }
}

pub(super) fn locale(said: &HostSaid) -> Probe {
    let name = ProbeName::Locale;
    match (said.lang.as_deref(), said.lang_known) {
        (None, _) => Probe::skipped(name, "the host does not say it"),
        (Some(""), _) => Probe::ok(name, "none is set: a job that needs UTF-8 sets LANG=C.UTF-8"),
        (Some(lang), Some(false)) => {
            let fix = "make it (locale-gen), or set LANG=C.UTF-8 in /etc/default/locale";
            Probe::warn(
                name,
                format!("{lang} is set, and the host does not have it: programs warn and print ASCII"),
                fix,
            )
        }
        (Some(lang), _) => Probe::ok(name, lang),
    }
}
