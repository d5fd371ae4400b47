//! Putting wrapper and key on a host, and taking them away again.

use std::collections::BTreeSet;

use crate::runner::{BadName, check_hostname};
use crate::wire::frame::Nonce;

use super::answer::{BadAnswer, lines, script, whole_lines};
use super::{SYSTEM_HOME, SYSTEM_USER, WRAPPER, wrapper_version};

/// What to put where.
#[derive(Clone, Debug)]
pub struct InstallPlan<'a> {
    pub nonce: &'a Nonce,
    /// True: the account `job_runner`, with root's rights. False: the login user.
    pub system_mode: bool,
    /// An absolute path to try first; in system mode instead of `SYSTEM_HOME`.
    pub wanted_base: Option<&'a str>,
    /// Public half of the runner's key, an OpenSSH line; its comment is replaced by `job_runner@HOSTNAME`.
    pub public_key_line: &'a str,
    pub hostname: &'a str,
    /// Drop keys of earlier installs (by their comment) at once. False: they stay until `drop_key_script`.
    pub replace: bool,
    /// SHA-256, in lower-case hexadecimal, of the secret that lets this runner be removed by `Verb::Retire`.
    /// Only the system mode looks at it.
    pub retire_hash: &'a str,
}

/// What to take away.
#[derive(Clone, Debug)]
pub struct UninstallPlan<'a> {
    pub nonce: &'a Nonce,
    pub system_mode: bool,
    pub base_dir: &'a str,
    pub wrapper_path: &'a str,
    /// The key that goes; `None`: every key with the comment of this host name.
    pub public_key_line: Option<&'a str>,
    pub hostname: &'a str,
    /// Kill running jobs. False: their files stay.
    pub kill_jobs: bool,
    /// Remove the account `job_runner`.
    pub remove_user: bool,
    /// What the install that is undone made: an empty keys file of its own goes, too.
    pub made: &'a BTreeSet<String>,
}

/// A plan that would not be written into a host's files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlan {
    #[error("`{0}` is not a public key: ALGORITHM BASE64 [COMMENT] on one line")]
    Key(String),
    #[error("`{0}` is not a usable path: absolute, of A-Z a-z 0-9 . _ / -")]
    Path(String),
    #[error("the hash of the secret is not a SHA-256 in lower-case hexadecimal")]
    RetireHash,
    #[error(transparent)]
    Hostname(#[from] BadName),
}

/// What the bootstrap left on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub base_dir: String,
    pub wrapper_path: String,
    pub instance_id: String,
    pub boot_id: String,
    /// What was not there before: `user`, `home`, `base`, `wrapper`, `ssh_dir`, `keys_file`, `key`, `retire`.
    pub made: BTreeSet<String>,
    /// System mode: why the runner's own key cannot remove it (`Verb::Retire`), when it cannot.
    pub only_root: Option<String>,
}

/// What an install that stopped in the middle had done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// As in `Installed`.
    pub made: BTreeSet<String>,
    /// Base directory and path of the wrapper; `None`: nothing was written anywhere.
    pub places: Option<(String, String)>,
}

/// Why there is no install.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallFault {
    /// The script stopped; `begun` is to be undone.
    #[error("{sentence} ({code})")]
    Refused { code: String, sentence: String, begun: Begun },
    /// The answer ended in the middle; at least `begun` is to be undone.
    #[error("the install was cut off")]
    CutOff { begun: Begun },
    #[error(transparent)]
    Answer(#[from] BadAnswer),
}

/// What went, and what could not go with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uninstalled {
    pub removed: Vec<String>,
    pub left: Vec<String>,
}

/// The script that installs: send it to `SHELL_COMMAND`, or with root's rights in system mode.
///
/// # Errors
/// `BadPlan` when the key, the path or the host name could do something else in the files they go to.
pub fn install_script(plan: &InstallPlan<'_>) -> Result<String, BadPlan> {
    let (key_type, key_blob) = key_words(plan.public_key_line)?;
    let comment = key_comment(plan.hostname)?;
    let wanted = plan.wanted_base.map(plain_path).transpose()?;
    let home = wanted.unwrap_or(SYSTEM_HOME);
    let hash = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
    if plan.retire_hash.len() != 64 || !plan.retire_hash.bytes().all(hash) {
        return Err(BadPlan::RetireHash);
    }
    let values = [
        ("nonce", plan.nonce.as_str()),
        ("mode", mode(plan.system_mode)),
        ("wanted_base", wanted.unwrap_or("")),
        ("key_type", key_type),
        ("key_blob", key_blob),
        ("key_comment", &comment),
        ("replace", flag(plan.replace)),
        ("version", &wrapper_version()),
        ("wrapper", WRAPPER),
        ("system_user", SYSTEM_USER),
        ("system_home", home),
        ("retire", &retire_program(home)),
        ("retire_hash", plan.retire_hash),
        ("enter", concat!(include_str!("bootstrap/answer.sh"), include_str!("bootstrap/enter.sh"))),
    ];
    Ok(script(&values, &[include_str!("bootstrap/keys.sh"), include_str!("bootstrap/install.sh")]))
}

/// The text of `retire-runner`, which sudo starts for `Verb::Retire`: the uninstall behind a guard.
pub(super) fn retire_program(home: &str) -> String {
    let (base, version) = (format!("{home}/runner"), wrapper_version());
    let values = [
        ("mode", mode(true)),
        ("base", &base),
        ("place", home),
        ("version", &version),
        ("key_blob", ""),
        ("remove_user", flag(true)),
        ("made", ""),
        ("system_user", SYSTEM_USER),
        ("system_home", home),
    ];
    let parts = [
        include_str!("bootstrap/keys.sh"),
        include_str!("bootstrap/drop_tunnel.sh"),
        include_str!("bootstrap/retire.sh"),
        include_str!("bootstrap/uninstall.sh"),
    ];
    script(&values, &parts)
}

/// What `retire-runner` reads: `secret` is 64 hexadecimal digits.
#[must_use]
pub fn retire_request(nonce: &Nonce, secret: &str, kill_jobs: bool) -> String {
    format!("{nonce} {secret} {}\n", flag(kill_jobs))
}

/// Reads the answer to `install_script`.
///
/// # Errors
/// `InstallFault` says what was made before it failed.
pub fn parse_install(stdout: &[u8], nonce: &Nonce) -> Result<Installed, InstallFault> {
    let (lines, complete) = lines(stdout, nonce)?;
    let texts =
        |wanted: &'static str| lines.iter().filter(move |(word, _)| word == wanted).map(|(_, text)| text.clone());
    let get = |wanted| texts(wanted).find(|text| !text.is_empty()).ok_or(BadAnswer::Missing(wanted));
    let begun = Begun { made: texts("made").collect(), places: get("base").ok().zip(get("wrapper").ok()) };
    if let Some((_, text)) = lines.iter().find(|(word, _)| word == "err") {
        let (code, sentence) = text.split_once(' ').unwrap_or((text, ""));
        return Err(InstallFault::Refused { code: code.to_owned(), sentence: sentence.to_owned(), begun });
    }
    if !complete {
        return Err(InstallFault::CutOff { begun });
    }
    Ok(Installed {
        base_dir: get("base")?,
        wrapper_path: get("wrapper")?,
        instance_id: get("instance")?,
        boot_id: get("boot")?,
        made: begun.made,
        only_root: get("only_root").ok(),
    })
}

/// The script that removes one key and nothing else: an older install's, once the newer is verified.
/// `base_dir` is asked for the system mode's home.
///
/// # Errors
/// `BadPlan` as for `install_script`.
pub fn drop_key_script(
    nonce: &Nonce,
    system_mode: bool,
    base_dir: &str,
    public_key_line: &str,
) -> Result<String, BadPlan> {
    let (_, key_blob) = key_words(public_key_line)?;
    let values = [
        ("nonce", nonce.as_str()),
        ("mode", mode(system_mode)),
        ("key_blob", key_blob),
        ("system_home", home_of(plain_path(base_dir)?)),
    ];
    Ok(script(&values, &[include_str!("bootstrap/keys.sh"), include_str!("bootstrap/drop_key.sh")]))
}

/// The script that removes what `install_script` made.
///
/// # Errors
/// `BadPlan` as for `install_script`.
pub fn uninstall_script(plan: &UninstallPlan<'_>) -> Result<String, BadPlan> {
    let key_blob = plan.public_key_line.map(key_words).transpose()?.map_or("", |(_, blob)| blob);
    let comment = if key_blob.is_empty() { key_comment(plan.hostname)? } else { String::new() };
    let base = plain_path(plan.base_dir)?;
    let made = plan.made.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let (place, version) = plain_path(plan.wrapper_path)?
        .rsplit_once("/wrapper-")
        .ok_or_else(|| BadPlan::Path(plan.wrapper_path.into()))?;
    let values = [
        ("nonce", plan.nonce.as_str()),
        ("mode", mode(plan.system_mode)),
        ("base", base),
        ("place", place),
        ("version", version),
        ("key_blob", key_blob),
        ("key_comment", &comment),
        ("kill", flag(plan.kill_jobs)),
        ("remove_user", flag(plan.remove_user)),
        ("made", &made),
        ("system_user", SYSTEM_USER),
        ("system_home", home_of(base)),
    ];
    let parts = [
        include_str!("bootstrap/keys.sh"),
        include_str!("bootstrap/drop_tunnel.sh"),
        include_str!("bootstrap/uninstall.sh"),
    ];
    Ok(script(&values, &parts))
}

/// Reads the answer to `uninstall_script`, `drop_key_script` and `Verb::Retire`.
///
/// # Errors
/// `BadAnswer` when there is none or it is cut off.
pub fn parse_uninstall(stdout: &[u8], nonce: &Nonce) -> Result<Uninstalled, BadAnswer> {
    let mut answer = Uninstalled::default();
    for (word, text) in whole_lines(stdout, nonce)? {
        match word.as_str() {
            "removed" => answer.removed.push(text),
            "left" | "err" => answer.left.push(text),
            _ => {}
        }
    }
    Ok(answer)
}

const fn mode(system: bool) -> &'static str {
    if system { "system" } else { "user" }
}

const fn flag(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}

fn home_of(base: &str) -> &str {
    base.strip_suffix("/runner").unwrap_or(SYSTEM_HOME)
}

pub(super) fn key_comment(hostname: &str) -> Result<String, BadPlan> {
    check_hostname(hostname)?;
    Ok(format!("{SYSTEM_USER}@{hostname}"))
}

pub(super) fn key_words(line: &str) -> Result<(&str, &str), BadPlan> {
    let bad = || BadPlan::Key(line.chars().take(200).collect());
    let kind = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'@' | b'.');
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    let mut words = line.trim_end().split(' ');
    let (Some(key_type), Some(blob)) = (words.next(), words.next()) else { return Err(bad()) };
    let good = !key_type.is_empty() && key_type.bytes().all(kind) && blob.len() >= 16 && blob.bytes().all(base64);
    if good && !line.trim_end().contains(['\n', '\r']) { Ok((key_type, blob)) } else { Err(bad()) }
}

fn plain_path(path: &str) -> Result<&str, BadPlan> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
    let good =
        path.starts_with('/') && path.len() > 1 && path.bytes().all(plain) && !path.split('/').any(|p| p == "..");
    if good { Ok(path.trim_end_matches('/')) } else { Err(BadPlan::Path(path.chars().take(200).collect())) }
}

#[cfg(test)]
mod tests;
