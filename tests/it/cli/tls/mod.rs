//! TLS of the API and the login to it, by the real programs.

mod files;
mod login;
mod own;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::client::{Client, Ran};
use super::house::{House, command};

/// A person on another machine, with a home of their own and nothing of the dispatcher's.
pub struct Stranger {
    home: TempDir,
}

impl Stranger {
    pub fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a home") }
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = command("shunt", self.home.path());
        command.args(words).current_dir(self.home.path());
        command
    }

    pub fn shunt(&self, words: &[&str]) -> Ran {
        self.with_input(words, "")
    }

    pub fn with_input(&self, words: &[&str], input: &str) -> Ran {
        Client::start(self.command(words), input.as_bytes()).end()
    }

    /// What `shunt login` keeps.
    pub fn logins(&self) -> PathBuf {
        self.home.path().join(".config/shuntyard/logins.json")
    }

    /// A file of theirs.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

/// A dispatcher that speaks TLS by a certificate of its own.
pub fn self_signed() -> House {
    House::start_set("", &[("SHUNTD_TLS_MODE", "on")])
}

/// Its address, as people write it.
pub fn address(house: &House) -> String {
    format!("https://{}", house.address())
}

/// What `shuntd fingerprint` says.
pub fn fingerprint(house: &House) -> String {
    let mut command = command("shuntd", house.home());
    let settings = house.shuntd_command("127.0.0.1:0");
    command.arg("fingerprint").envs(settings.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let told = command.output().expect("shuntd fingerprint");
    assert!(told.status.success(), "{told:?}");
    String::from_utf8_lossy(&told.stdout).trim().to_owned()
}

/// An authority that nobody knows, which signs certificates for loopback.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut wanted = CertificateParams::new(Vec::new()).expect("no names");
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = wanted.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(wanted, key), pem }
    }

    /// A new certificate and its key, both PEM.
    pub fn sign(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let wanted = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).expect("names");
        (wanted.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }
}

/// Puts a file in the place of another in one step, as renewals do; its owner alone may read it.
pub fn put(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let new = path.with_extension("renewed");
    fs::write(&new, text).expect("a file");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("chmod");
    fs::rename(&new, path).expect("rename");
}
