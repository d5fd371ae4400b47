//! The directories of a test host: a copy of /etc with three users, homes, keys and sshd's configuration.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use shuntyard::ssh::{RunnerKey, generate_runner_key, load_private_key};
use tempfile::TempDir;

use super::{BOB_PASSWORD, CAROL_PASSWORD, DEPLOY_PASSWORD, HostSpec, LoginShell};

/// Directories that a host has for itself. /tmp comes last: the others are made from a directory under it.
pub(super) const OWN_DIRS: [(&str, u32); 10] = [
    ("etc", 0o755),
    ("home", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/cache", 0o755),
    ("var/tmp", 0o1777),
    ("dev/shm", 0o1777),
    ("tmp", 0o1777),
];

/// Writes the host's directories: a copy of the machine's /etc with three users, and sshd's configuration.
pub(super) fn lay_out(root: &Path, template: &Path, spec: &HostSpec) {
    let fs_dir = root.join("fs");
    for (dir, mode) in OWN_DIRS {
        let path = fs_dir.join(dir);
        fs::DirBuilder::new().recursive(true).create(&path).expect("a directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
    }
    copy_into(&template.join("etc"), &fs_dir.join("etc"));
    copy_into(&template.join("home"), &fs_dir.join("home"));
    let etc = fs_dir.join("etc");
    fs::create_dir_all(fs_dir.join("run/sshd")).expect("sshd's directory");
    fs::create_dir_all(fs_dir.join("run/lock")).expect("a directory");
    let _ = fs::remove_file(etc.join("os-release"));
    fs::write(etc.join("os-release"), spec.os_release).expect("os-release");
    fs::write(etc.join("hostname"), format!("{}\n", spec.hostname)).expect("hostname");
    set_shells(&fs_dir, spec.shell);
    for kind in &spec.host_key_types {
        let path = etc.join(format!("ssh/ssh_host_{kind}_key"));
        let mut keygen = Command::new("ssh-keygen");
        if *kind == "rsa" {
            keygen.args(["-b", "2048"]);
        }
        done(keygen.args(["-q", "-N", "", "-C", "", "-t", kind, "-f"]).arg(path));
    }
    fs::write(etc.join("ssh/sshd_config"), sshd_config(spec)).expect("sshd_config");
}

fn sshd_config(spec: &HostSpec) -> String {
    let mut config = String::from(
        "PidFile none\nLogLevel VERBOSE\nUsePAM no\nPasswordAuthentication yes\n\
         KbdInteractiveAuthentication no\nStrictModes yes\nClientAliveInterval 5\nUseDNS no\nPermitRootLogin yes\n",
    );
    config += &format!("MaxSessions {}\n", spec.max_sessions);
    for kind in &spec.host_key_types {
        config += &format!("HostKey /etc/ssh/ssh_host_{kind}_key\n");
    }
    for line in &spec.sshd_lines {
        // The first value counts in sshd_config.
        config = format!("{line}\n{config}");
    }
    config
}

fn set_shells(fs_dir: &Path, shell: LoginShell) {
    let program = match shell {
        LoginShell::Sh => "/bin/sh",
        LoginShell::NoisyBash => "/bin/bash",
        LoginShell::Fish => "/usr/bin/fish",
    };
    let passwd = fs_dir.join("etc/passwd");
    let text = fs::read_to_string(&passwd).expect("passwd");
    let ours = |line: &str| ["deploy:", "carol:", "bob:"].iter().any(|user| line.starts_with(user));
    let lines = text.lines().map(|line| match line.rsplit_once(':') {
        Some((rest, _)) if ours(line) => format!("{rest}:{program}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&passwd, lines.collect::<String>()).expect("passwd");
    if shell == LoginShell::NoisyBash {
        for user in ["deploy", "carol", "bob"] {
            let noise = "echo 'welcome to this host'\nprintf 'motd without newline'\nprintf 'rc warning' >&2\n";
            fs::write(fs_dir.join(format!("home/{user}/.bashrc")), noise).expect(".bashrc");
        }
    }
}

/// /etc and /home with the users in them: made once, shared, and removed with the last host that holds it (what a
/// static owns would stay behind when the test binary ends).
pub(super) fn template() -> Arc<TempDir> {
    static SHARED: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let made = Arc::new(make_template());
        *shared = Arc::downgrade(&made);
        made
    })
}

fn make_template() -> TempDir {
    let root = tempfile::Builder::new().prefix("shunt-template-").tempdir().expect("a temporary directory");
    let (etc, home) = (root.path().join("etc"), root.path().join("home"));
    fs::create_dir(&etc).expect("etc");
    fs::create_dir(&home).expect("home");
    copy_into(Path::new("/etc"), &etc);
    for old in ["ssh/sshd_config.d", "sudoers.d"] {
        let _ = fs::remove_dir_all(etc.join(old));
    }
    for entry in fs::read_dir(etc.join("ssh")).expect("etc/ssh").flatten() {
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs::remove_file(entry.path()).expect("an old host key");
        }
    }
    fs::DirBuilder::new().mode(0o750).create(etc.join("sudoers.d")).expect("sudoers.d");
    let script = format!(
        "set -e; mount --bind {etc} /etc; mount --bind {home} /home\n\
         add() {{ useradd -m -k /nonexistent -s /bin/sh -p \"$(openssl passwd -6 \"$2\")\" \"$1\"; \
         mkdir -p -m 700 /home/$1/.ssh; chown $1: /home/$1/.ssh; }}\n\
         for old in deploy carol bob job_runner; do userdel $old 2>/dev/null || :; done\n\
         add deploy {DEPLOY_PASSWORD}; add carol {CAROL_PASSWORD}; add bob {BOB_PASSWORD}\n",
        etc = etc.display(),
        home = home.display(),
    );
    let mut unshare = Command::new("unshare");
    done(unshare.args(["--mount", "--propagation", "private", "sh", "-c", &script]));
    let sudoers = etc.join("sudoers.d/testhost");
    let mut file = File::create(&sudoers).expect("sudoers");
    file.write_all(b"deploy ALL=(ALL:ALL) NOPASSWD: ALL\ncarol ALL=(ALL:ALL) ALL\n").expect("sudoers");
    fs::set_permissions(&sudoers, fs::Permissions::from_mode(0o440)).expect("chmod");
    root
}

fn copy_into(from: &Path, to: &Path) {
    done(Command::new("cp").arg("-a").arg(from.join(".")).arg(to));
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed ({}): {said}", output.status);
}

pub(super) fn host_key_lines(root: &Path, spec: &HostSpec) -> Vec<String> {
    let line = |kind: &&str| {
        let path = root.join(format!("fs/etc/ssh/ssh_host_{kind}_key.pub"));
        let text = fs::read_to_string(path).expect("a host key");
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    spec.host_key_types.iter().map(line).collect()
}

pub(super) fn authorize_new_key(root: &Path) -> Arc<RunnerKey> {
    let (private, public) = generate_runner_key("tests").expect("a key");
    // Not the comment of a runner's key: that would be another runner on the same host.
    let public = public.replace("job_runner@", "client@");
    append_authorized_key(&root.join("fs/home/deploy/.ssh/authorized_keys"), &public);
    Arc::new(load_private_key(&private, None).expect("the key"))
}

pub(super) fn append_authorized_key(path: &Path, public_line: &str) {
    let mut file = File::options().create(true).append(true).open(path).expect("authorized_keys");
    writeln!(file, "{}", public_line.trim_end()).expect("authorized_keys");
    // Written by root: sshd accepts root's files, and others must not write it (StrictModes).
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("chmod");
}
