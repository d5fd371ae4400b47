//! Runs the bootstrap's scripts on a host: a constant command, the script on stdin, a typed answer.

use std::time::Duration;

use shuntyard_domain::wire::frame::Nonce;
use shuntyard_domain::wrapper::answer::BadAnswer;
use shuntyard_domain::wrapper::install::{BadPlan, Begun, InstallFault};
use shuntyard_domain::wrapper::{SHELL_COMMAND, SUDO_COMMAND, SUDO_PASSWORD_COMMAND};
use zeroize::Zeroizing;

use super::error::ExecError;
use super::exec::ExecLimits;
use super::session::Session;

/// `useradd` on a host with a slow directory service can take a while.
const LIMITS: ExecLimits = ExecLimits { deadline: Duration::from_secs(60), max_output_bytes: 1 << 20 };

/// With whose rights a script runs.
#[derive(Clone)]
pub enum Rights {
    /// The login user's, who may be root.
    Login,
    /// Root's, by sudo without a password.
    Sudo,
    /// Root's, by sudo with the login user's password.
    SudoPassword(Zeroizing<String>),
}

/// A script did not run, or its answer is not one.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error("{source}{}", said(stderr))]
    Answer {
        #[source]
        source: BadAnswer,
        stderr: String,
    },
    #[error("{source}{}", said(stderr))]
    Install {
        #[source]
        source: Box<InstallFault>,
        stderr: String,
    },
    #[error(transparent)]
    Plan(#[from] BadPlan),
    #[error("the system's random source failed")]
    Random,
}

impl ScriptError {
    /// What an install had done when it stopped, if it said so.
    #[must_use]
    pub fn begun(&self) -> Option<&Begun> {
        match self.install_fault()? {
            InstallFault::Refused { begun, .. } | InstallFault::CutOff { begun } => Some(begun),
            InstallFault::Answer(_) => None,
        }
    }

    /// The code by which an install was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match self.install_fault()? {
            InstallFault::Refused { code, .. } => Some(code),
            InstallFault::CutOff { .. } | InstallFault::Answer(_) => None,
        }
    }

    fn install_fault(&self) -> Option<&InstallFault> {
        match self {
            Self::Install { source, .. } => Some(source),
            Self::Exec(_) | Self::Answer { .. } | Self::Plan(_) | Self::Random => None,
        }
    }
}

/// The last line that the host printed beside its answer, for people; empty when there is none.
#[must_use]
pub fn last_line(stderr: &str) -> String {
    let line = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn said(stderr: &str) -> String {
    let line = last_line(stderr);
    if line.is_empty() { line } else { format!("; the host said: {line}") }
}

/// A fresh nonce for one script.
///
/// # Errors
/// `ScriptError::Random` when the system gives no random bytes.
pub fn nonce() -> Result<Nonce, ScriptError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| ScriptError::Random)?;
    Ok(Nonce::from_random(bytes))
}

/// Runs `script` and reads its answer with `parse`.
///
/// # Errors
/// `ScriptError` of the channel or of the answer; its text holds the last line that the host printed beside it.
pub async fn run_script<T>(
    session: &Session,
    rights: &Rights,
    script: &str,
    nonce: &Nonce,
    parse: impl FnOnce(&[u8], &Nonce) -> Result<T, BadAnswer>,
) -> Result<T, ScriptError> {
    let (stdout, stderr) = output(session, rights, script).await?;
    parse(&stdout, nonce).map_err(|source| ScriptError::Answer { source, stderr })
}

/// As `run_script`, for the install, whose fault says what is to be undone.
///
/// # Errors
/// As `run_script`.
pub async fn run_install<T>(
    session: &Session,
    rights: &Rights,
    script: &str,
    nonce: &Nonce,
    parse: impl FnOnce(&[u8], &Nonce) -> Result<T, InstallFault>,
) -> Result<T, ScriptError> {
    let (stdout, stderr) = output(session, rights, script).await?;
    parse(&stdout, nonce).map_err(|source| ScriptError::Install { source: source.into(), stderr })
}

async fn output(session: &Session, rights: &Rights, script: &str) -> Result<(Vec<u8>, String), ScriptError> {
    let (command, stdin) = match rights {
        Rights::Login => (SHELL_COMMAND, script.as_bytes().to_vec()),
        Rights::Sudo => (SUDO_COMMAND, script.as_bytes().to_vec()),
        // sudo takes the first line, the shell the rest.
        Rights::SudoPassword(password) => {
            (SUDO_PASSWORD_COMMAND, [password.as_bytes(), b"\n", script.as_bytes()].concat())
        }
    };
    let output = session.exec(command, stdin, LIMITS).await?;
    Ok((output.stdout, String::from_utf8_lossy(&output.stderr).into_owned()))
}
