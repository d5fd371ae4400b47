//! What goes to the wrapper: its command line, the frame on stdin of `run`, and the words after it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::digest::Digest;
use crate::ids::AttemptId;
use crate::job::JobSpec;
use crate::wire::clone::clone_lines;
use crate::wire::secret_files::{FrameSecrets, file_lines, path_lines};

/// Marks the lines of one channel; fresh per channel, so that no login file can imitate them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// Writes 16 random bytes, given from outside, as 32 hexadecimal digits.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the wrapper is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb<'a> {
    /// Versions, boot id, instance id, clock, free space, tools.
    Hello { nonce: &'a Nonce },
    /// Claim, start and stream; attach at `offset` when the attempt exists. The frame follows on stdin.
    Run { id: AttemptId, nonce: &'a Nonce, offset: u64 },
    /// Stream an attempt from `offset` on.
    At { id: AttemptId, nonce: &'a Nonce, offset: u64 },
    /// Make sure that the attempt can never start, or learn that it has.
    Fence { id: AttemptId, nonce: &'a Nonce },
    /// Stop an attempt from another channel; answers with the receipt.
    Kill { id: AttemptId, nonce: &'a Nonce, grace_s: u32 },
    /// List every attempt.
    Status { nonce: &'a Nonce },
    /// Remove the files of ended attempts.
    Remove { nonce: &'a Nonce, ids: &'a [AttemptId] },
    /// Receive a tree of files where it is missing, and lay a copy of it ready for an attempt.
    Workspace { id: AttemptId, nonce: &'a Nonce, digest: Digest },
    /// Hand out what an ended attempt has left; `wire::collect` follows on stdin.
    Get { id: AttemptId, nonce: &'a Nonce },
    /// Take the whole runner of the system mode off its host; `retire_request` follows on stdin.
    Retire { nonce: &'a Nonce },
}

/// A path that cannot stand on a command line that every login shell reads alike.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` has characters outside A-Z a-z 0-9 . _ / -")]
pub struct BadWord(pub String);

/// Returns the command line of an exec request: constant words, nothing that a shell would change.
///
/// # Errors
/// `BadWord` when the wrapper's path is not absolute or has other characters.
pub fn command_line(wrapper_path: &str, verb: &Verb<'_>) -> Result<String, BadWord> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
    if !wrapper_path.starts_with('/') || !wrapper_path.bytes().all(plain) {
        return Err(BadWord(wrapper_path.chars().take(200).collect()));
    }
    let words = match verb {
        Verb::Hello { nonce } => format!("hello {nonce}"),
        Verb::Run { id, nonce, offset } => format!("run {id} {nonce} {offset}"),
        Verb::At { id, nonce, offset } => format!("at {id} {nonce} {offset}"),
        Verb::Fence { id, nonce } => format!("fence {id} {nonce}"),
        Verb::Kill { id, nonce, grace_s } => format!("kill {id} {nonce} {grace_s}"),
        Verb::Status { nonce } => format!("st {nonce}"),
        Verb::Remove { nonce, ids } => ids.iter().fold(format!("rm {nonce}"), |mut words, id| {
            let _ = write!(words, " {id}");
            words
        }),
        Verb::Workspace { id, nonce, digest } => format!("ws {id} {nonce} {digest}"),
        Verb::Get { id, nonce } => format!("get {id} {nonce}"),
        Verb::Retire { nonce } => format!("retire {nonce}"),
    };
    Ok(format!("exec /bin/sh {wrapper_path} {words}"))
}

/// A word on the channel's stdin after `ok` or `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Stop the job; `None` = the job's own grace.
    Cancel { grace_s: Option<u32> },
    /// The result and all output are stored; `remove` lets the runner forget the attempt.
    Ack { remove: bool },
    /// Stream the output of an attempt that was started by `next_attempt`, from its first byte.
    Follow,
    /// The job lasts: somebody on the host has to look at the size of its log from now on. `Follow` says that, too.
    Watch,
    /// The dispatcher is there: said every few seconds to a job that is stopped without one.
    Here,
    /// The dispatcher leaves on purpose: the job goes on.
    Bye,
}

/// What stands in front of the frame when the channel of an ended attempt is given to attempt `id`.
#[must_use]
pub fn next_attempt(id: AttemptId, nonce: &Nonce) -> String {
    format!("next\n{id} {nonce}\n")
}

impl Word {
    /// The line to send.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Cancel { grace_s: Some(s) } => format!("cancel {s}\n").into_bytes(),
            Self::Cancel { grace_s: None } => b"cancel\n".to_vec(),
            Self::Ack { remove: true } => b"ack rm\n".to_vec(),
            Self::Ack { remove: false } => b"ack\n".to_vec(),
            Self::Follow => b"follow\n".to_vec(),
            Self::Watch => b"watch\n".to_vec(),
            Self::Here => b"here\n".to_vec(),
            Self::Bye => b"bye\n".to_vec(),
        }
    }
}

/// Something that a shell cannot carry; the job must not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    #[error("the script has a NUL byte; a shell script cannot")]
    NulInScript,
    #[error("the value of the variable `{0}` has a NUL byte; an environment cannot")]
    NulInValue(String),
    #[error("a secret has a NUL byte; no shell can carry it")]
    NulInSecret,
    #[error("`{0}` is not a variable name: letters, digits and _, not starting with a digit")]
    BadName(String),
    #[error("the variable `{0}` belongs to the shell or to Shuntyard and cannot be set")]
    ReservedName(String),
}

/// The frame of one job. `env` is the whole of what is added to the job's environment, already merged:
/// `spec.env` is not looked at.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub spec: &'a JobSpec,
    pub env: &'a BTreeMap<String, String>,
}

/// Up to this length the wrapper reads the frame with the shell's `read`, which costs a system call a
/// byte; above it a process for `head -c` is cheaper (measured: docs/PROTOCOL.md).
const READ_BY_LINES_MAX: usize = 2048;

/// The wrapper's own: by which it finds processes that left the job's group, the file of the job's outputs, and where
/// secrets are that it reads as files.
const WRAPPERS: [&str; 4] = ["SHUNT_JOB", "SHUNT_COOKIE", "SHUNT_OUTPUT", "SHUNT_SECRETS"];

/// Variables that some /bin/sh holds read-only: setting them would end the shell.
const SHELL_OWNS: [&str; 7] = ["UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO", "KSH_VERSION"];

impl Frame<'_> {
    /// Returns `1 LENGTH LINES\n` and LENGTH bytes of shell assignments. LINES is the number of lines,
    /// or 0 when the wrapper shall read by length.
    ///
    /// # Errors
    /// `BadFrame` when a name or a value cannot be carried.
    pub fn encode(&self) -> Result<Vec<u8>, BadFrame> {
        self.encode_with(&FrameSecrets::default())
    }

    /// As `encode`, with what opens the repository in which the job starts, and its files.
    ///
    /// The frame of a clone begins with 2: a wrapper that knows nothing of clones refuses it, rather than to run the
    /// script in an empty directory. In the same way 3 says that there are files.
    ///
    /// # Errors
    /// As `encode`.
    pub fn encode_with(&self, secrets: &FrameSecrets<'_>) -> Result<Vec<u8>, BadFrame> {
        if self.spec.script.contains('\0') {
            return Err(BadFrame::NulInScript);
        }
        let limit = |seconds: Option<u32>| seconds.map_or(-1, i64::from);
        let mut body = format!(
            "shunt_limits='{} {} {} {} {}'\nshunt_env() {{ :\n",
            limit(self.spec.run_limit_s),
            limit(self.spec.silence_limit_s),
            self.spec.stop_grace_s,
            limit(self.spec.orphan_grace_s),
            self.spec.spool_bound_bytes().map_or("-1".to_owned(), |bytes| bytes.to_string()),
        );
        if self.spec.workspace.is_some() {
            // Without the tree the attempt is refused.
            body.insert_str(0, "shunt_workspace=1\n");
        }
        if let Some(source) = &self.spec.git {
            body.insert_str(0, &clone_lines(source, &secrets.git)?);
        }
        body.insert_str(0, &file_lines(&secrets.files)?);
        for (name, value) in self.env {
            check_variable(name, value)?;
            let _ = writeln!(body, "export {name}={}", quoted(value));
        }
        body.push_str(&path_lines(self.spec));
        let _ = write!(body, "}}\nshunt_script={}\nshunt_end=1\n", quoted(&self.spec.script));
        let lines = if body.len() > READ_BY_LINES_MAX { 0 } else { body.bytes().filter(|b| *b == b'\n').count() };
        let version = match (secrets.files.is_empty(), self.spec.git.is_some()) {
            (false, _) => 3,
            (true, true) => 2,
            (true, false) => 1,
        };
        Ok([format!("{version} {} {lines}\n", body.len()).into_bytes(), body.into_bytes()].concat())
    }
}

/// Accepts a variable that every /bin/sh can be given.
///
/// # Errors
/// `BadFrame` when the name is not one or belongs to the shell or the wrapper, or the value has a NUL byte.
pub fn check_variable(name: &str, value: &str) -> Result<(), BadFrame> {
    let short = || name.chars().take(80).collect::<String>();
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(letters) {
        return Err(BadFrame::BadName(short()));
    }
    if SHELL_OWNS.contains(&name) || name.starts_with("shunt_") || WRAPPERS.contains(&name) {
        return Err(BadFrame::ReservedName(short()));
    }
    if value.contains('\0') { Err(BadFrame::NulInValue(short())) } else { Ok(()) }
}

/// Tells whether a variable is one of those that tell a job about itself: its author cannot set it.
#[must_use]
pub fn is_ours(name: &str) -> bool {
    name.to_ascii_uppercase().starts_with("SHUNT_")
}

/// One word for a POSIX shell, whatever it holds.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> AttemptId {
        "00000000000000000000000000000007-3".parse().unwrap()
    }

    #[test]
    fn command_lines_are_constant_words() {
        let nonce = Nonce::from_random([0xab; 16]);
        let line = command_line("/b/wrapper-1", &Verb::Run { id: id(), nonce: &nonce, offset: 5 }).unwrap();
        assert_eq!(line, format!("exec /bin/sh /b/wrapper-1 run {} {nonce} 5", id()));
        let line = command_line("/b/w", &Verb::Remove { nonce: &nonce, ids: &[id(), id()] }).unwrap();
        assert!(line.ends_with(&format!("rm {nonce} {} {}", id(), id())), "{line}");
        for bad in ["b/w", "", "/b w", "/b;w", "/b$w", "/b'w", "/b\nw", "/ü"] {
            assert!(command_line(bad, &Verb::Status { nonce: &nonce }).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_frame_says_its_length_and_its_lines() {
        let spec = JobSpec { run_limit_s: Some(7), ..JobSpec::shell("echo 'a'\nexit 3") };
        let env = BTreeMap::from([("A".to_owned(), "x'y\nz".to_owned())]);
        let frame = String::from_utf8(Frame { spec: &spec, env: &env }.encode().unwrap()).unwrap();
        let (header, body) = frame.split_once('\n').unwrap();
        assert_eq!(header, format!("1 {} {}", body.len(), body.matches('\n').count()));
        assert!(body.starts_with("shunt_limits='7 -1 10 -1 -1'\n"), "{body}");
        assert!(body.contains("export A='x'\\''y\nz'\n") && body.ends_with("shunt_end=1\n"), "{body}");
        let long = JobSpec::shell("x".repeat(READ_BY_LINES_MAX));
        let frame = Frame { spec: &long, env: &env }.encode().unwrap();
        assert!(frame.split(|b| *b == b'\n').next().unwrap().ends_with(b" 0"));
    }

    #[test]
    fn what_a_shell_cannot_carry_is_refused() {
        let spec = JobSpec::shell("true");
        for (name, value) in
            [("", ""), ("1A", ""), ("A-B", ""), ("A B", ""), ("É", ""), ("A", "\0"), ("UID", "0"), ("SHUNT_JOB", "")]
        {
            let env = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert!(Frame { spec: &spec, env: &env }.encode().is_err(), "{name}");
        }
        assert_eq!(Frame { spec: &JobSpec::shell("a\0"), env: &BTreeMap::new() }.encode(), Err(BadFrame::NulInScript));
    }

    #[test]
    fn words_are_lines() {
        assert_eq!(Word::Cancel { grace_s: Some(3) }.to_bytes(), b"cancel 3\n");
        assert_eq!(Word::Cancel { grace_s: None }.to_bytes(), b"cancel\n");
        assert_eq!(Word::Ack { remove: true }.to_bytes(), b"ack rm\n");
        assert_eq!(Word::Follow.to_bytes(), b"follow\n");
        assert_eq!(Word::Here.to_bytes(), b"here\n");
        assert_eq!(Word::Bye.to_bytes(), b"bye\n");
        let nonce = Nonce::from_random([0xab; 16]);
        assert_eq!(next_attempt(id(), &nonce), format!("next\n{} {nonce}\n", id()));
    }
}
