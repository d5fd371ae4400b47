//! A demo host's directory: home, pretended platform, host key.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};

use super::host::DemoError;
use super::spec::HostSpec;

/// Where a host's files are.
#[derive(Clone, Debug)]
pub(super) struct HostRoot {
    /// HOME of the user and work directory of every command.
    pub home: PathBuf,
    /// First in PATH: the pretended `uname`.
    pub bin: PathBuf,
    pub os_release: PathBuf,
    host_key: PathBuf,
}

impl HostRoot {
    /// Makes the directory (mode 0700) or takes the one of an earlier start.
    pub fn prepare(root: &Path, spec: &HostSpec) -> Result<Self, DemoError> {
        make_dir(root)?;
        // The programs that the host runs see these paths from another work directory.
        let root = root.canonicalize().map_err(|source| DemoError::Root { path: root.to_owned(), source })?;
        let paths = Self {
            home: root.join("home"),
            bin: root.join("bin"),
            os_release: root.join("os-release"),
            host_key: root.join("host_key"),
        };
        make_dir(&paths.home)?;
        make_dir(&paths.bin)?;
        write(&paths.os_release, 0o644, &spec.os_release)?;
        write(&paths.bin.join("uname"), 0o755, &uname_program(spec))?;
        Ok(paths)
    }

    pub fn authorized_keys(&self) -> PathBuf {
        self.home.join(".ssh/authorized_keys")
    }

    /// Reads the host key, or makes an ed25519 one: a restarted host keeps its identity.
    pub fn host_key(&self) -> Result<PrivateKey, DemoError> {
        let failed = |source| DemoError::HostKey { path: self.host_key.clone(), source };
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
fn uname_program(spec: &HostSpec) -> String {
    let facts = format!(
        "n={}\nr={}\nm={}\n",
        single_quoted(&spec.name),
        single_quoted(&spec.kernel),
        single_quoted(&spec.machine)
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
