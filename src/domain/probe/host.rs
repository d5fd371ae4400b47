//! What a host says about itself as a place for jobs: work directory, login, programs.

use super::surroundings::{kill_user_processes, locale, penalties, ulimits, umask};
use super::{HostSaid, Probe, ProbeName};

/// Below this many inodes a checkout cannot be made.
const FEW_INODES: u64 = 10_000;
const NO_INODES: u64 = 100;

/// What the host said, and what else its probes depend on.
#[derive(Clone, Copy, Debug)]
pub struct HostView<'v> {
    pub said: &'v HostSaid,
    /// What the server calls itself, `SSH-2.0-…`; empty when that is not known.
    pub banner: &'v str,
    /// The account is `job_runner`, made with root's rights.
    pub system_mode: bool,
}

/// The probes that the small job answers.
#[must_use]
pub fn host_probes(view: &HostView<'_>) -> Vec<Probe> {
    let said = view.said;
    vec![
        login_shell(&said.shell, view.system_mode),
        path(said.path.as_deref()),
        sudo(said.sudo.as_deref()),
        work_dir(said),
        exec(said),
        inodes(said),
        setsid(said),
        kill_user_processes(&said.logind, &said.user),
        penalties(view.banner, &said.sshd),
        ulimits(said),
        umask(said.umask.as_deref()),
        locale(said),
        tools(said),
    ]
}

fn login_shell(shell: &str, system_mode: bool) -> Probe {
    const KNOWN: [&str; 12] =
        ["sh", "dash", "ash", "bash", "zsh", "ksh", "ksh93", "mksh", "fish", "tcsh", "csh", "busybox"];
    let name = shell.rsplit('/').next().unwrap_or_default();
    if shell.is_empty() {
        return Probe::skipped(ProbeName::LoginShell, "the host does not say which it is");
    }
    if !KNOWN.contains(&name) {
        let evidence = format!("{shell}, which nobody has tried here");
        return Probe::warn(ProbeName::LoginShell, evidence, "give the account /bin/sh (chsh) if jobs do not start");
    }
    if system_mode && matches!(name, "bash" | "zsh" | "fish" | "tcsh" | "csh") {
        let evidence = format!("{shell}, which reads files of the account before the forced command");
        return Probe::warn(
            ProbeName::LoginShell,
            evidence,
            "give the account /bin/sh again: chsh -s /bin/sh job_runner",
        );
    }
    Probe::ok(ProbeName::LoginShell, shell)
}

fn path(path: Option<&str>) -> Probe {
    let Some(path) = path else { return Probe::skipped(ProbeName::Path, "the host does not say it") };
    let entries: Vec<&str> = path.split(':').collect();
    if !entries.contains(&"/bin") && !entries.contains(&"/usr/bin") {
        let fix = "set PATH for logins that are not interactive: /etc/environment, or SetEnv in sshd_config";
        return Probe::fail(ProbeName::Path, format!("neither /usr/bin nor /bin is in it: {path}"), fix);
    }
    let relative = entries.iter().find(|entry| !entry.starts_with('/'));
    if let Some(entry) = relative {
        let evidence =
            format!("`{entry}` is not an absolute path; a job would run what lies in its work directory: {path}");
        return Probe::warn(
            ProbeName::Path,
            evidence,
            "leave absolute paths only in PATH of logins that are not interactive",
        );
    }
    Probe::ok(ProbeName::Path, path)
}

fn sudo(way: Option<&str>) -> Probe {
    let name = ProbeName::Sudo;
    match way {
        Some("root") => Probe::ok(name, "jobs run as root"),
        Some("passwordless") => Probe::ok(name, "sudo -n works: jobs can have root's rights"),
        Some("none") => Probe::ok(name, "no sudo: jobs have the rights of their account"),
        Some("password") => Probe::ok(name, "sudo wants a password: jobs have the rights of their account"),
        Some(other) => Probe::skipped(name, format!("the host answers `{other}`")),
        None => Probe::skipped(name, "a Test asks: a host logs a refusal"),
    }
}

fn work_dir(said: &HostSaid) -> Probe {
    let at = &said.work_dir;
    match said.writable {
        Some(true) => Probe::ok(ProbeName::WorkDir, format!("{at} can be written")),
        Some(false) => {
            let fix = "see that the file system is mounted rw, has space, and that no quota is used up";
            Probe::fail(ProbeName::WorkDir, format!("{at} cannot be written"), fix)
        }
        None => Probe::skipped(ProbeName::WorkDir, "the host does not say"),
    }
}

fn exec(said: &HostSaid) -> Probe {
    let at = &said.work_dir;
    match said.exec {
        Some(true) => Probe::ok(ProbeName::Exec, format!("programs in {at} can be started")),
        Some(false) => {
            let evidence = format!("programs in {at} cannot be started: the mount is noexec, or a policy forbids it");
            let fix = "jobs that start what they build will fail: mount it without noexec, or install the runner with \
                       a home directory elsewhere";
            Probe::warn(ProbeName::Exec, evidence, fix)
        }
        None => Probe::skipped(ProbeName::Exec, "nothing could be written there"),
    }
}

fn inodes(said: &HostSaid) -> Probe {
    let name = ProbeName::Inodes;
    let at = &said.work_dir;
    match said.inodes {
        // btrfs and others have no fixed number.
        None | Some((_, 0)) => Probe::skipped(name, "the file system does not count them"),
        Some((free, _)) if free < NO_INODES => Probe::fail(
            name,
            format!("only {free} inodes are free at {at}"),
            "remove files there: caches of many small files",
        ),
        Some((free, all)) if free < FEW_INODES => Probe::warn(
            name,
            format!("{free} of {all} inodes are free at {at}"),
            "remove files there, before a checkout fails",
        ),
        Some((free, all)) => Probe::ok(name, format!("{free} of {all} are free")),
    }
}

fn setsid(said: &HostSaid) -> Probe {
    if said.tools.contains("setsid") {
        return Probe::ok(ProbeName::Setsid, "each job leads a session of its own");
    }
    let evidence = "there is no setsid: a job shares the session of its channel";
    Probe::warn(ProbeName::Setsid, evidence, "install util-linux (or busybox), then install the runner again")
}

/// What deliveries of workspaces need, and sources that the host clones itself.
fn tools(said: &HostSaid) -> Probe {
    let wanted = [("tar", "workspaces cannot be delivered"), ("git", "no job can start in a clone")];
    let has = |tool: &str| said.tools.contains(tool);
    let missing: Vec<String> =
        wanted.iter().filter(|(tool, _)| !has(tool)).map(|(tool, then)| format!("no {tool}: {then}")).collect();
    let packers = ["zstd", "gzip"].into_iter().filter(|tool| has(tool)).collect::<Vec<_>>().join(", ");
    let packers = if packers.is_empty() { "neither zstd nor gzip: files come uncompressed".into() } else { packers };
    if missing.is_empty() {
        return Probe::ok(ProbeName::Tools, format!("tar, git, {packers}"));
    }
    let names: Vec<&str> = wanted.iter().map(|(tool, _)| *tool).filter(|tool| !has(tool)).collect();
    Probe::warn(
        ProbeName::Tools,
        format!("{}; {packers}", missing.join("; ")),
        &format!("install {}", names.join(" and ")),
    )
}
