//! Putting the key of a jump host where it may forward connections.

use crate::jump_host::KEY_OPTIONS;
use crate::tenancy::Name;
use crate::wire::frame::Nonce;

use super::answer::{BadAnswer, lines, script};
use super::install::{BadPlan, key_words};

/// What stands behind a jump host's key: not a runner's, whose removal looks for its own comment.
#[must_use]
pub fn jump_key_comment(name: &Name) -> String {
    format!("shuntyard_jump@{name}")
}

/// What the host answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JumpKeyAnswer {
    /// The file that the key stands in.
    Written(String),
    /// It is not there: why, in a sentence.
    Refused(String),
}

/// The script that puts the key of jump host `name` into the login user's `authorized_keys`: send it to `SHELL_COMMAND`.
///
/// # Errors
/// `BadPlan::Key` for what is no public key.
pub fn jump_key_script(nonce: &Nonce, name: &Name, public_key_line: &str) -> Result<String, BadPlan> {
    let (key_type, key_blob) = key_words(public_key_line)?;
    let comment = jump_key_comment(name);
    let values = [
        ("nonce", nonce.as_str()),
        ("mode", "user"),
        ("key_options", KEY_OPTIONS),
        ("key_type", key_type),
        ("key_blob", key_blob),
        ("key_comment", &comment),
    ];
    Ok(script(&values, &[include_str!("bootstrap/keys.sh"), include_str!("bootstrap/jump_key.sh")]))
}

/// Reads the answer to `jump_key_script`.
///
/// # Errors
/// `BadAnswer` when there is none or it is cut off; the key may be there then.
pub fn parse_jump_key(stdout: &[u8], nonce: &Nonce) -> Result<JumpKeyAnswer, BadAnswer> {
    let (lines, complete) = lines(stdout, nonce)?;
    let text = |wanted| lines.iter().find(|(word, _)| word == wanted).map(|(_, text)| text.as_str());
    if let Some(refused) = text("err") {
        let sentence = refused.split_once(' ').map_or(refused, |(_, sentence)| sentence);
        return Ok(JumpKeyAnswer::Refused(sentence.to_owned()));
    }
    if !complete {
        return Err(BadAnswer::Truncated);
    }
    let file = text("keys_file").ok_or(BadAnswer::Missing("keys_file"))?;
    Ok(JumpKeyAnswer::Written(file.to_owned()))
}
