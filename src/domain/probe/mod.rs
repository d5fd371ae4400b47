//! What a Test finds out about a runner: an ordered list of typed probes, each with its verdict, evidence and fix.
//!
//! The engine gathers what the connection, the wrapper and one small job on the host say; what that *means* is decided
//! here, by pure functions. `fixtures/probes` holds the cases.

mod host;
mod layers;
mod said;
mod surroundings;
mod wrapper;

use serde::{Deserialize, Serialize};

use crate::closed::closed_list;

pub use host::{HostView, host_probes};
pub use layers::{Layer, LayerFault, Layers, layer_probes};
pub use said::HostSaid;
pub use wrapper::{Greeting, clock, greeting_probes, job, max_sessions};

closed_list!(
    /// The probes, in the order in which they are made.
    ProbeName {
        /// The runner's address has an IP address.
        Resolve = "resolve",
        Tcp = "tcp",
        /// What the server says it is.
        Banner = "banner",
        /// The algorithms of the connection.
        Kex = "kex",
        HostKey = "host_key",
        /// The runner's own key is accepted.
        Auth = "auth",
        /// It answers, and is the version that was installed.
        Wrapper = "wrapper",
        /// Login files print nothing.
        RcNoise = "rc_noise",
        BootId = "boot_id",
        /// The host's clock against the dispatcher's.
        Clock = "clock",
        /// Free bytes where jobs run.
        Space = "space",
        /// How the processes of a job are found when it is stopped.
        Cgroup = "cgroup",
        /// A small job starts, and its output comes back whole.
        Job = "job",
        /// Sessions on one connection.
        MaxSessions = "max_sessions",
        /// The host says what it is.
        Facts = "facts",
        LoginShell = "login_shell",
        Path = "path",
        Sudo = "sudo",
        /// The work directory of a job can be written.
        WorkDir = "work_dir",
        /// A program in the work directory can be started.
        Exec = "exec",
        Inodes = "inodes",
        Setsid = "setsid",
        /// systemd-logind leaves processes alone when a session ends.
        KillUserProcesses = "kill_user_processes",
        /// sshd's memory of clients that fail.
        PerSourcePenalties = "per_source_penalties",
        Ulimits = "ulimits",
        Umask = "umask",
        Locale = "locale",
        /// Programs that deliveries and sources need.
        Tools = "tools",
    }
);

impl ProbeName {
    /// True when a failure of this probe means that jobs cannot run: the runner is unhealthy and gets none.
    #[must_use]
    pub const fn keeps_jobs_away(self) -> bool {
        match self {
            Self::Resolve
            | Self::Tcp
            | Self::Banner
            | Self::Kex
            | Self::HostKey
            | Self::Auth
            | Self::Wrapper
            | Self::Space
            | Self::Job
            | Self::WorkDir
            | Self::Inodes => true,
            Self::RcNoise
            | Self::BootId
            | Self::Clock
            | Self::Cgroup
            | Self::MaxSessions
            | Self::Facts
            | Self::LoginShell
            | Self::Path
            | Self::Sudo
            | Self::Exec
            | Self::Setsid
            | Self::KillUserProcesses
            | Self::PerSourcePenalties
            | Self::Ulimits
            | Self::Umask
            | Self::Locale
            | Self::Tools => false,
        }
    }
}

closed_list!(
    /// What a probe found, from good to bad.
    #[cfg_attr(feature = "openapi", schemars(rename = "ProbeVerdict"))]
    Verdict {
        /// Not made, or not to be seen from here; the evidence says why.
        Skipped = "skipped",
        Ok = "ok",
        /// Jobs run, and something will surprise them.
        Warn = "warn",
        Fail = "fail",
    }
);

/// The longest evidence and fix, in characters: part of it is what the host printed.
const MAX_TEXT_CHARS: usize = 400;

/// One probe and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Probe {
    pub name: ProbeName,
    pub verdict: Verdict,
    /// What was seen, one line.
    pub evidence: String,
    /// What to do about it, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Probe {
    #[must_use]
    pub fn ok(name: ProbeName, evidence: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, evidence, None)
    }

    #[must_use]
    pub fn warn(name: ProbeName, evidence: impl Into<String>, fix: &str) -> Self {
        Self::new(name, Verdict::Warn, evidence, Some(fix))
    }

    #[must_use]
    pub fn fail(name: ProbeName, evidence: impl Into<String>, fix: &str) -> Self {
        Self::new(name, Verdict::Fail, evidence, Some(fix))
    }

    #[must_use]
    pub fn skipped(name: ProbeName, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, why, None)
    }

    fn new(name: ProbeName, verdict: Verdict, evidence: impl Into<String>, fix: Option<&str>) -> Self {
        Self { name, verdict, evidence: one_line(&evidence.into()), fix: fix.map(one_line) }
    }

    /// True when it says that no job can run on the runner.
    #[must_use]
    pub fn keeps_jobs_away(&self) -> bool {
        self.verdict == Verdict::Fail && self.name.keeps_jobs_away()
    }
}

/// A text of a host as one line that a terminal can be shown.
fn one_line(text: &str) -> String {
    let letter = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_TEXT_CHARS).map(letter).collect()
}

/// What a Test found, in the order of `ProbeName`; a list as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Report {
    pub probes: Vec<Probe>,
}

impl Report {
    /// The worst verdict; `Ok` for an empty report.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.probes.iter().map(|probe| probe.verdict).max().unwrap_or(Verdict::Ok).max(Verdict::Ok)
    }

    /// The first probe that says that no job can run.
    #[must_use]
    pub fn obstacle(&self) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.keeps_jobs_away())
    }

    /// Adds `probe`, or puts it in the place of the one of its name.
    pub fn put(&mut self, probe: Probe) {
        match self.probes.binary_search_by_key(&probe.name, |known| known.name) {
            Ok(at) => self.probes[at] = probe,
            Err(at) => self.probes.insert(at, probe),
        }
    }

    /// Adds what was not looked at, each with `why`.
    pub fn skip_the_rest(&mut self, why: &str) {
        for name in ProbeName::ALL {
            if !self.probes.iter().any(|probe| probe.name == *name) {
                self.put(Probe::skipped(*name, why));
            }
        }
    }

    /// What was skipped this time stays as the report before found it: a check leaves out what only a Test does.
    #[must_use]
    pub fn over(mut self, before: &Self) -> Self {
        for earlier in &before.probes {
            if !self.probes.iter().any(|probe| probe.name == earlier.name && probe.verdict != Verdict::Skipped) {
                self.put(earlier.clone());
            }
        }
        self
    }

    /// True when every probe has the verdict that it has in `other`.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let verdicts = |report: &Self| report.probes.iter().map(|p| (p.name, p.verdict)).collect::<Vec<_>>();
        verdicts(self) == verdicts(other)
    }
}

closed_list!(
    /// Who wanted a Test.
    TestKind {
        /// A person, or a program of theirs.
        Test = "test",
        /// The dispatcher, now and then, over the warm connection.
        Check = "check",
    }
);

/// A runner's last Test as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestRecord {
    /// When it had ended.
    pub at_ms: i64,
    pub kind: TestKind,
    pub report: Report,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_counts_and_skipped_is_no_fault() {
        let mut report = Report::default();
        report.skip_the_rest("not asked");
        assert_eq!((report.verdict(), report.probes.len()), (Verdict::Ok, ProbeName::ALL.len()));
        report.put(Probe::warn(ProbeName::Tools, "no git", "install it"));
        assert_eq!((report.verdict(), report.obstacle()), (Verdict::Warn, None));
        report.put(Probe::fail(ProbeName::Path, "no /bin", "mend it"));
        assert_eq!((report.verdict(), report.obstacle()), (Verdict::Fail, None));
        report.put(Probe::fail(ProbeName::Job, "it did not end", "look"));
        assert_eq!(report.obstacle().map(|probe| probe.name), Some(ProbeName::Job));
        assert!(report.probes.is_sorted_by_key(|probe| probe.name));
    }

    #[test]
    fn a_check_keeps_what_only_a_test_finds_out() {
        let sudo = Probe::ok(ProbeName::Sudo, "passwordless");
        let before = Report { probes: vec![Probe::ok(ProbeName::Job, "yes"), sudo.clone()] };
        let mut check = Report { probes: vec![Probe::fail(ProbeName::Job, "no", "look")] };
        check.put(Probe::skipped(ProbeName::Sudo, "a Test asks"));
        let merged = check.over(&before);
        assert_eq!(merged.probes[0].verdict, Verdict::Fail);
        assert_eq!(merged.probes[1], sudo);
        assert!(!merged.agrees_with(&before));
    }

    #[test]
    fn what_a_host_says_is_one_short_line() {
        let probe = Probe::ok(ProbeName::Banner, format!("\u{1b}[2J\nSSH{}", "x".repeat(10_000)));
        assert!(probe.evidence.chars().count() <= MAX_TEXT_CHARS && !probe.evidence.chars().any(char::is_control));
    }
}
