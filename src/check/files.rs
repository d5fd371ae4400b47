//! The data directory: whose it is, who may read it, and whether there is room.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::geteuid;

use super::{Findings, shown};
use crate::config::{Config, DataPaths};

/// Below this neither the database nor a log can be relied on.
const LEAST_FREE_BYTES: u64 = 64 << 20;
const OTHERS: u32 = 0o077;

/// Tells whether there is a directory to look into.
pub(super) fn check(config: &Config, paths: &DataPaths, findings: &mut Findings) -> bool {
    let dir = &paths.data_dir;
    let data = match fs::metadata(dir) {
        Ok(data) => data,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            not_there(dir, findings);
            return false;
        }
        Err(error) => {
            let next = "run the check as the account that runs shuntd, or as root";
            findings.fault("data_dir_unreadable", format!("{} cannot be looked at: {error}", shown(dir)), next);
            return false;
        }
    };
    if !data.is_dir() {
        let next = "move it away, or choose another [data] dir";
        findings.fault("data_dir_not_a_directory", format!("{} is not a directory", shown(dir)), next);
        return false;
    }
    owner(dir, data.uid(), findings);
    modes(paths, data.uid(), findings);
    room(config, dir, findings);
    running(paths, findings);
    true
}

fn not_there(dir: &Path, findings: &mut Findings) {
    let parent = dir.ancestors().skip(1).find(|parent| parent.exists());
    let may = parent.is_some_and(|parent| rustix::fs::access(parent, rustix::fs::Access::WRITE_OK).is_ok());
    if may {
        findings.note("data_dir_missing", format!("{} is not there yet; the first start makes it", shown(dir)));
    } else {
        let next = format!("make it: install -d -m 700 -o ACCOUNT {}", shown(dir));
        findings.fault("data_dir_missing", format!("{} is not there and cannot be made", shown(dir)), next);
    }
}

/// Root looks at everybody's; anybody else would start the daemon on a directory that is not its own.
fn owner(dir: &Path, uid: u32, findings: &mut Findings) {
    let me = geteuid();
    if !me.is_root() && me.as_raw() != uid {
        let message = format!("{} belongs to uid {uid}, and you are uid {}", shown(dir), me.as_raw());
        findings.fault("data_dir_owner", message, "run shuntd, and the check, as that account");
    }
}

/// The directory and what in it is secret are for one account only, and all for the same one.
fn modes(paths: &DataPaths, owner: u32, findings: &mut Findings) {
    let private =
        [&paths.data_dir, &paths.database, &paths.master_key, &paths.admin_token, &paths.dial_out_key, &paths.tls_key];
    for path in private {
        let Ok(data) = fs::metadata(path) else { continue };
        let mode = data.mode() & 0o777;
        if mode & OTHERS != 0 {
            let next = format!("chmod {:o} {}", mode & !OTHERS, shown(path));
            findings.fault("open_to_others", format!("{} has mode {mode:04o}: others may use it", shown(path)), next);
        }
    }
    let owned = private.into_iter().chain([&paths.logs, &paths.blobs, &paths.local]);
    for path in owned {
        let Ok(data) = fs::metadata(path) else { continue };
        if data.uid() != owner {
            let message = format!("{} belongs to uid {}, its directory to uid {owner}", shown(path), data.uid());
            findings.fault("other_owner", message, format!("chown -R {owner} {}", shown(path)));
        }
    }
}

fn room(config: &Config, dir: &Path, findings: &mut Findings) {
    let Ok(disk) = rustix::fs::statvfs(dir) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let (mib, wanted) = (free >> 20, config.workspaces.min_free_bytes);
    if free < LEAST_FREE_BYTES || (disk.f_files > 0 && disk.f_favail == 0) {
        let message = format!("the disk of {} has {mib} MiB and {} files free", shown(dir), disk.f_favail);
        findings.fault("disk_full", message, "make room: submits fail, and output stays on the runners");
    } else if free < wanted {
        let message = format!("the disk of {} has {mib} MiB free; [workspaces] keeps {} MiB", shown(dir), wanted >> 20);
        findings.warning("disk_low", message, "make room, or set [retention]: uploads and artifacts are refused");
    } else {
        findings.note("disk_free", format!("{mib} MiB free on the disk of {}", shown(dir)));
    }
}

/// Only a look: the lock is let go at once.
fn running(paths: &DataPaths, findings: &mut Findings) {
    let Ok(file) = File::open(&paths.lock) else { return };
    if matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        findings.note("running", format!("a shuntd runs on {}", shown(&paths.data_dir)));
    }
}
