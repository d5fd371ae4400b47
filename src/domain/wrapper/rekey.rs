//! A runner's key is replaced: the new one beside the old, and later the new one alone.

use crate::wire::frame::Nonce;

use super::SYSTEM_HOME;
use super::answer::{BadAnswer, script, whole_lines};
use super::install::{BadPlan, key_comment, key_words};

/// One step of the replacement, for the public line of the new key.
#[derive(Clone, Copy, Debug)]
pub enum KeyChange<'k> {
    /// Put it beside the present one. `retire_hash`: as in `InstallPlan`; only the system mode looks at it.
    Add { public_key_line: &'k str, retire_hash: &'k str },
    /// Remove every other key of the runner.
    KeepOnly { public_key_line: &'k str },
}

/// The script for the user mode.
///
/// # Errors
/// `BadPlan` when the key or the host name could do something else in the file they go to.
pub fn key_change_script(nonce: &Nonce, hostname: &str, change: KeyChange<'_>) -> Result<String, BadPlan> {
    let (line, part) = match change {
        KeyChange::Add { public_key_line, .. } => (public_key_line, include_str!("bootstrap/add_key.sh")),
        KeyChange::KeepOnly { public_key_line } => (public_key_line, include_str!("bootstrap/keep_key.sh")),
    };
    let (key_type, key_blob) = key_words(line)?;
    let comment = key_comment(hostname)?;
    let values = [
        ("nonce", nonce.as_str()),
        ("mode", "user"),
        ("key_type", key_type),
        ("key_blob", key_blob),
        ("key_comment", comment.as_str()),
        ("system_home", SYSTEM_HOME),
    ];
    Ok(script(&values, &[include_str!("bootstrap/keys.sh"), part]))
}

/// What `retire-runner` reads in the system mode; `secret` is that of a key that is on the host.
///
/// # Errors
/// `BadPlan` as for `key_change_script`.
pub fn key_change_request(nonce: &Nonce, secret: &str, change: KeyChange<'_>) -> Result<String, BadPlan> {
    let words = match change {
        KeyChange::Add { public_key_line, retire_hash } => {
            let (key_type, blob) = key_words(public_key_line)?;
            format!("add {key_type} {blob} {retire_hash}")
        }
        KeyChange::KeepOnly { public_key_line } => format!("keep {}", key_words(public_key_line)?.1),
    };
    Ok(format!("{nonce} {secret} {words}\n"))
}

/// Reads the answer to either; the host's own sentence when it did not do it.
///
/// # Errors
/// `BadAnswer` when there is none or it is cut off.
pub fn parse_key_change(stdout: &[u8], nonce: &Nonce) -> Result<Result<(), String>, BadAnswer> {
    let refusal = whole_lines(stdout, nonce)?.into_iter().find(|(word, _)| word == "err").map(|(_, text)| text);
    Ok(refusal.map_or(Ok(()), Err))
}
