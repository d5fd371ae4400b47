//! Every process that a demo host started, so that none outlives it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Names the variable that every started process carries in its environment.
pub(super) const COOKIE_VARIABLE: &str = "SHUNT_DEMO_HOST";

/// The host's running commands, and the marks by which what they left behind is found.
#[derive(Debug)]
pub(super) struct Processes {
    cookie: String,
    /// A wrapper's job has lost the cookie, as it gets a clean environment, but not its home.
    home: String,
    /// Leaders that are not reaped yet: their numbers cannot belong to somebody else.
    leaders: Mutex<HashSet<u32>>,
}

impl Processes {
    pub fn new(cookie: &str, home: &Path) -> Arc<Self> {
        let home = home.display().to_string();
        Arc::new(Self { cookie: cookie.to_owned(), home, leaders: Mutex::default() })
    }

    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Remembers the leader of a process group until the guard is dropped, which must be right after its reaping.
    pub fn started(self: &Arc<Self>, leader: u32) -> Started {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner).insert(leader);
        Started { processes: Arc::clone(self), leader }
    }

    /// Sends KILL to every group that still has its leader, and to every process with one of the marks.
    ///
    /// Returns how many it found. A wrapper's job leads a session of its own, so the groups alone are not enough.
    pub fn kill_all(&self) -> usize {
        let leaders: Vec<u32> = self.leaders.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let groups =
            leaders.into_iter().filter_map(to_pid).filter(|pid| kill_process_group(*pid, Signal::KILL).is_ok());
        let groups = groups.count();
        let marked = self.marked().into_iter().filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count();
        groups + marked
    }

    /// Finds processes by the marks in their environment. Where there is no /proc it finds none.
    fn marked(&self) -> Vec<Pid> {
        let marks = [format!("{COOKIE_VARIABLE}={}", self.cookie), format!("HOME={}", self.home)];
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| has_variable(*pid, &marks)).filter_map(to_pid).collect()
    }
}

/// Ended processes have no environment any more, and other users' cannot be read.
fn has_variable(pid: u32, variables: &[String]) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| variables.iter().any(|variable| entry == variable.as_bytes()))
}

fn to_pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// A command that runs.
#[derive(Debug)]
pub(super) struct Started {
    processes: Arc<Processes>,
    leader: u32,
}

impl Drop for Started {
    fn drop(&mut self) {
        self.processes.leaders.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.leader);
    }
}
