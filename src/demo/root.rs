//! An embedded host's directory: home, host key, and the platform that it pretends to be.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{Algorithm, PrivateKey};

use super::host::DemoError;
use super::spec::{HostSpec, Platform};

/// Where a host's files are.
#[derive(Clone, Debug)]
pub(super) struct HostRoot {
    /// HOME of the user and work directory of every command.
    pub home: PathBuf,
    pub pretence: Option<Pretence>,
    host_key: PathBuf,
}

/// By which files a host looks like another machine.
#[derive(Clone, Debug)]
pub(super) struct Pretence {
    /// First in PATH: the pretended `uname`.
    pub bin: PathBuf,
    pub os_release: PathBuf,
}

impl HostRoot {
    /// Makes the directory (mode 0700) or takes the one of an earlier start.
    pub fn prepare(root: &Path, spec: &HostSpec) -> Result<Self, DemoError> {
        make_dir(root)?;
        // The programs that the host runs see these paths from another work directory.
        let root = root.canonicalize().map_err(|source| DemoError::Root { path: root.to_owned(), source })?;
        let home = root.join("home");
        make_dir(&home)?;
        let pretend = |platform| Pretence::write(&root, &spec.name, platform);
        let pretence = spec.platform.as_ref().map(pretend).transpose()?;
        Ok(Self { home, pretence, host_key: root.join("host_key") })
    }

    pub fn authorized_keys(&self) -> PathBuf {
        self.home.join(".ssh/authorized_keys")
    }

    pub fn key_failed(&self, source: ssh_key::Error) -> DemoError {
        DemoError::HostKey { path: self.host_key.clone(), source }
    }

    /// Reads the host key, or makes an ed25519 one: a restarted host keeps its identity.
    pub fn host_key(&self) -> Result<PrivateKey, DemoError> {
        let failed = |source| self.key_failed(source);
        match fs::read_to_string(&self.host_key) {
            Ok(text) => PrivateKey::from_openssh(&text).map_err(failed),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).map_err(failed)?;
                let text = key.to_openssh(LineEnding::LF).map_err(failed)?;
                write(&self.host_key, 0o600, &text)?;
                Ok(key)
            }
            Err(source) => Err(DemoError::Root { path: self.host_key.clone(), source }),
        }
    }
}

impl Pretence {
    fn write(root: &Path, name: &str, platform: &Platform) -> Result<Self, DemoError> {
        let (bin, os_release) = (root.join("bin"), root.join("os-release"));
        make_dir(&bin)?;
        write(&os_release, 0o644, &platform.os_release)?;
        write(&bin.join("uname"), 0o755, &uname_program(name, platform))?;
        Ok(Self { bin, os_release })
    }
}

fn make_dir(path: &Path) -> Result<(), DemoError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| DemoError::Root { path: path.to_owned(), source })
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), DemoError> {
    let failed = |source| DemoError::Root { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}

/// A `uname` that knows -s -n -r -v -m -o and -a, alone and combined, for the pretended facts.
fn uname_program(name: &str, platform: &Platform) -> String {
    let facts = format!(
        "n={}\nr={}\nm={}\n",
        single_quoted(name),
        single_quoted(&platform.kernel),
        single_quoted(&platform.machine)
    );
    format!(
        r#"#!/bin/sh
# Answers for the platform that this demo host pretends to be.
{facts}case $# in 0) set -- -s ;; esac
flags=
for word; do
    case $word in
    -a | --all) flags=snrvmo ;;
    -[asnrvmpio]*) flags=$flags${{word#-}} ;;
    *) echo "uname: unknown option $word" >&2; exit 1 ;;
    esac
done
case $flags in *a*) flags=snrvmo ;; esac
line=
add() {{ case $flags in *"$1"*) line="${{line:+$line }}$2" ;; esac; }}
add s Linux
add n "$n"
add r "$r"
add v '#1 SMP'
add m "$m"
add o GNU/Linux
echo "$line"
"#
    )
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
