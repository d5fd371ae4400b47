//! What the wrapper's answers and its small job mean.

use crate::wire::control::Hello;

use super::{Probe, ProbeName};

/// Below this a runner cannot be expected to hold a job's output.
const MIN_FREE_BYTES: u64 = 16 << 20;
/// Below this most builds will fail.
const FEW_FREE_BYTES: u64 = 1 << 30;
/// Further apart than this, times in logs and certificates mislead.
const FAR_APART_MS: i64 = 5_000;

const INSTALL_AGAIN: &str = "install the runner again: it refreshes the wrapper";

/// The wrapper's answer to `hello`, and what was expected.
#[derive(Clone, Copy, Debug)]
pub struct Greeting<'g> {
    pub hello: &'g Hello,
    /// The version that was installed.
    pub installed: &'g str,
    /// The version of this dispatcher.
    pub newest: &'g str,
    /// What login files printed around it.
    pub noise: &'g str,
    /// The dispatcher's clock when it was asked and when it had answered.
    pub asked_ms: i64,
    pub answered_ms: i64,
}

/// The probes that `hello` answers.
#[must_use]
pub fn greeting_probes(greeting: &Greeting<'_>) -> Vec<Probe> {
    let hello = greeting.hello;
    vec![
        version(greeting),
        rc_noise(greeting.noise),
        boot_id(&hello.boot_id),
        clock(hello.clock_s, greeting.asked_ms, greeting.answered_ms),
        space(hello.free_bytes, &hello.base_dir),
        cgroup(&hello.means),
    ]
}

fn version(greeting: &Greeting<'_>) -> Probe {
    let found = greeting.hello.wrapper_version.as_str();
    if found != greeting.installed {
        let evidence = format!("the wrapper is version {found}, not {}", greeting.installed);
        return Probe::fail(ProbeName::Wrapper, evidence, INSTALL_AGAIN);
    }
    if found != greeting.newest {
        let evidence = format!("version {found}; this dispatcher would install {}", greeting.newest);
        return Probe::warn(ProbeName::Wrapper, evidence, INSTALL_AGAIN);
    }
    Probe::ok(ProbeName::Wrapper, format!("version {found} in {}", greeting.hello.base_dir))
}

fn rc_noise(noise: &str) -> Probe {
    let shown: String = noise.trim().chars().take(120).collect();
    if shown.is_empty() {
        return Probe::ok(ProbeName::RcNoise, "login files print nothing");
    }
    Probe::warn(
        ProbeName::RcNoise,
        format!("login files print before every command: {shown}"),
        "print in interactive shells only: begin ~/.bashrc or the like with `case $- in *i*) ;; *) return ;; esac`",
    )
}

fn boot_id(boot_id: &str) -> Probe {
    if boot_id.is_empty() || boot_id == "unknown" {
        let fix = "see that /proc is mounted: without a boot id a job that a reboot has ended is found later";
        return Probe::warn(ProbeName::BootId, "the host does not tell its boots apart", fix);
    }
    Probe::ok(ProbeName::BootId, boot_id)
}

/// Compares the host's clock, in whole seconds, with ours. It can have been read at any moment of the question.
#[must_use]
pub fn clock(host_s: u64, asked_ms: i64, answered_ms: i64) -> Probe {
    let host_ms = i64::try_from(host_s).unwrap_or(i64::MAX / 1000).saturating_mul(1000).saturating_add(500);
    let half_ms = (answered_ms.saturating_sub(asked_ms)).max(0) / 2;
    let offset_ms = host_ms.saturating_sub(asked_ms.saturating_add(half_ms));
    let bound_ms = half_ms.saturating_add(500);
    let seconds = |ms: i64| format!("{}.{}", ms / 1000, ms % 1000 / 100);
    let side = if offset_ms < 0 { "behind" } else { "ahead of" };
    let offset = offset_ms.saturating_abs();
    let evidence = format!("{} s {side} the dispatcher, give or take {} s", seconds(offset), seconds(bound_ms));
    if offset.saturating_sub(bound_ms) > FAR_APART_MS {
        return Probe::warn(ProbeName::Clock, evidence, "run a time service on it: chrony or systemd-timesyncd");
    }
    Probe::ok(ProbeName::Clock, evidence)
}

fn space(free_bytes: u64, at: &str) -> Probe {
    let evidence = format!("{} MiB free in {}", free_bytes >> 20, at);
    if free_bytes < MIN_FREE_BYTES {
        let evidence = format!("only {} KiB are free in {}", free_bytes >> 10, at);
        let fix = "free some space there: job output is kept on the runner until it is stored here";
        return Probe::fail(ProbeName::Space, evidence, fix);
    }
    if free_bytes < FEW_FREE_BYTES {
        return Probe::warn(ProbeName::Space, evidence, "free some space there: jobs work in the same place");
    }
    Probe::ok(ProbeName::Space, evidence)
}

fn cgroup(means: &[String]) -> Probe {
    let words = means.join(", ");
    let has = |word: &str| means.iter().any(|mean| mean == word);
    if has("cgroup") {
        return Probe::ok(ProbeName::Cgroup, format!("a job's processes are found by {words}"));
    }
    if has("environment") {
        return Probe::ok(
            ProbeName::Cgroup,
            format!("no cgroup of its own for a job; its processes are found by {words}"),
        );
    }
    let evidence = format!("a job's processes are found by {words} only: some may outlive its stop");
    Probe::warn(
        ProbeName::Cgroup,
        evidence,
        "mount /proc, or install the runner with root's rights on a host with cgroup v2",
    )
}

/// What became of the small job: after how many milliseconds it had ended, or why it did not.
#[must_use]
pub fn job(ended: Result<u128, &str>) -> Probe {
    match ended {
        Ok(ms) => Probe::ok(ProbeName::Job, format!("started, streamed and ended in {ms} ms")),
        Err(why) => {
            let fix = "install the runner again; if it stays, run the Test with `shuntd` logging at debug level";
            Probe::fail(ProbeName::Job, why, fix)
        }
    }
}

/// What is known of the sessions that a connection may have: `opened` were open at a time, of `wanted`; beyond `limit`
/// the host refused. `opened` is `None` when it was not tried.
#[must_use]
pub fn max_sessions(limit: Option<usize>, opened: Option<usize>, wanted: usize) -> Probe {
    let name = ProbeName::MaxSessions;
    match (limit, opened) {
        (Some(limit), _) if limit < wanted => {
            let evidence = format!("the host allows {limit} sessions on a connection; its slots want {wanted}");
            Probe::warn(name, evidence, "set MaxSessions 10 in sshd_config; until then further connections are made")
        }
        (Some(limit), _) => Probe::ok(name, format!("{limit} sessions on a connection")),
        (None, Some(opened)) => Probe::ok(name, format!("{opened} sessions open at a time on one connection")),
        (None, None) => Probe::ok(name, "no session was refused so far"),
    }
}
