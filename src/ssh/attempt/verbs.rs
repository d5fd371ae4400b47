//! The verbs that ask one question and get one answer.

use std::time::Duration;

use shuntyard_domain::ids::AttemptId;
use shuntyard_domain::wire::control::{Control, Hello, Receipt, SpoolState, parse_control};
use shuntyard_domain::wire::frame::{Nonce, Verb};
use shuntyard_domain::wrapper::{Uninstalled, parse_key_change, parse_uninstall, retire_request};

use super::{VerbError, command, fresh_nonce};
use crate::ssh::exec::ExecLimits;
use crate::ssh::pool::Lease;

/// What `fence` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceAnswer {
    /// The attempt never ran and never will.
    Fenced,
    /// It was claimed before.
    Exists(SpoolState),
}

/// What `kill` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillAnswer {
    /// Signals and processes, in order; empty when there was nothing to stop.
    pub receipt: Vec<Receipt>,
    /// How the attempt stands now; `None`: the runner does not know it.
    pub state: Option<SpoolState>,
}

/// A list of attempts may be long; every other answer is short.
const MAX_ANSWER_BYTES: usize = 8 << 20;
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);
/// Work directories may be large, and directory services slow.
const RETIRE_DEADLINE: Duration = Duration::from_secs(120);

/// Asks the host for its versions, identity, clock, space and tools.
///
/// # Errors
/// `VerbError`, here and below: no channel, a refusal of the wrapper, or an answer that is not complete.
pub async fn hello(lease: &mut Lease, wrapper_path: &str) -> Result<Hello, VerbError> {
    greet(lease, wrapper_path).await.map(|(hello, _)| hello)
}

/// As `hello`, with everything that was printed beside the answer: noise of login files.
///
/// # Errors
/// As `hello`.
pub async fn greet(lease: &mut Lease, wrapper_path: &str) -> Result<(Hello, String), VerbError> {
    let nonce = fresh_nonce()?;
    let answer = ask(lease, wrapper_path, &Verb::Hello { nonce: &nonce }, &nonce, ANSWER_DEADLINE).await?;
    let hello = answer.find(|control| match control {
        Control::Hello(hello) => Some(hello.clone()),
        _ => None,
    })?;
    Ok((hello, answer.noise(&nonce)))
}

/// Lists every attempt that the host knows.
///
/// # Errors
/// As `hello`.
pub async fn status(lease: &mut Lease, wrapper_path: &str) -> Result<Vec<(AttemptId, SpoolState)>, VerbError> {
    let nonce = fresh_nonce()?;
    let answer = ask(lease, wrapper_path, &Verb::Status { nonce: &nonce }, &nonce, ANSWER_DEADLINE).await?;
    answer.complete()?;
    let jobs = answer.controls.iter().filter_map(|control| match control {
        Control::Job { id, state } => Some((*id, *state)),
        _ => None,
    });
    Ok(jobs.collect())
}

/// Makes sure that an attempt can never start, or tells what became of it.
///
/// # Errors
/// As `hello`.
pub async fn fence(lease: &mut Lease, wrapper_path: &str, id: AttemptId) -> Result<FenceAnswer, VerbError> {
    let nonce = fresh_nonce()?;
    let answer = ask(lease, wrapper_path, &Verb::Fence { id, nonce: &nonce }, &nonce, ANSWER_DEADLINE).await?;
    answer.find(|control| match control {
        Control::Fenced => Some(FenceAnswer::Fenced),
        Control::Job { id: said, state } if *said == id => Some(FenceAnswer::Exists(*state)),
        _ => None,
    })
}

/// Stops an attempt from another channel than its own and waits for the receipt, at most `grace_s` and a minute.
///
/// # Errors
/// As `hello`.
pub async fn kill(lease: &mut Lease, wrapper_path: &str, id: AttemptId, grace_s: u32) -> Result<KillAnswer, VerbError> {
    let nonce = fresh_nonce()?;
    let deadline = Duration::from_secs(u64::from(grace_s) + 60);
    let answer = ask(lease, wrapper_path, &Verb::Kill { id, nonce: &nonce, grace_s }, &nonce, deadline).await?;
    let state = answer.find(|control| match control {
        Control::End(result) => Some(Some(SpoolState::End(*result))),
        Control::Lost { why, size } => Some(Some(SpoolState::Lost { why: *why, size: *size })),
        Control::Fenced => Some(Some(SpoolState::Fenced)),
        Control::Job { id: said, state } if *said == id => Some(Some(*state)),
        Control::None => Some(None),
        _ => None,
    })?;
    let receipt = answer.controls.into_iter().filter_map(|control| match control {
        Control::Receipt(receipt) => Some(receipt),
        _ => None,
    });
    Ok(KillAnswer { receipt: receipt.collect(), state })
}

/// Removes the files of ended attempts and returns those that are gone; running ones are left alone.
///
/// # Errors
/// As `hello`.
pub async fn remove(lease: &mut Lease, wrapper_path: &str, ids: &[AttemptId]) -> Result<Vec<AttemptId>, VerbError> {
    /// Far below the shortest limit of a command line.
    const IDS_AT_A_TIME: usize = 500;
    let mut removed = Vec::new();
    for ids in ids.chunks(IDS_AT_A_TIME) {
        let nonce = fresh_nonce()?;
        let verb = Verb::Remove { nonce: &nonce, ids };
        let answer = ask(lease, wrapper_path, &verb, &nonce, ANSWER_DEADLINE).await?;
        answer.complete()?;
        removed.extend(answer.controls.iter().filter_map(|control| match control {
            Control::Removed { id } => Some(*id),
            _ => None,
        }));
    }
    Ok(removed)
}

/// Removes the whole runner of the system mode from its host; `secret` is what its install's hash was made of.
///
/// # Errors
/// As `hello`; `Refused` when the host has no sudo, or the secret is not the runner's.
pub async fn retire(
    lease: &mut Lease,
    wrapper_path: &str,
    secret: &str,
    kill_jobs: bool,
) -> Result<Uninstalled, VerbError> {
    let nonce = fresh_nonce()?;
    let request = retire_request(&nonce, secret, kill_jobs).into_bytes();
    let answer =
        ask_with(lease, wrapper_path, &Verb::Retire { nonce: &nonce }, &nonce, request, RETIRE_DEADLINE).await?;
    match parse_uninstall(&answer.stdout, &nonce) {
        Ok(gone) => Ok(gone),
        Err(bad) => answer.find(|_| None::<Uninstalled>).map_err(|error| match error {
            VerbError::NoAnswer { at, said } => VerbError::NoAnswer { at, said: format!("{bad}; {said}") },
            error => error,
        }),
    }
}

/// Changes the key of a runner of the system mode; `request` is `key_change_request`'s for `nonce`.
///
/// # Errors
/// As `retire`.
pub async fn change_key(
    lease: &mut Lease,
    wrapper_path: &str,
    nonce: &Nonce,
    request: String,
) -> Result<Result<(), String>, VerbError> {
    let request = request.into_bytes();
    let answer = ask_with(lease, wrapper_path, &Verb::Retire { nonce }, nonce, request, RETIRE_DEADLINE).await?;
    match parse_key_change(&answer.stdout, nonce) {
        Ok(done) => Ok(done),
        Err(bad) => answer.find(|_| None::<Result<(), String>>).map_err(|error| match error {
            VerbError::NoAnswer { at, said } => VerbError::NoAnswer { at, said: format!("{bad}; {said}") },
            error => error,
        }),
    }
}

/// One answer: its standard output, its control lines, and the rest for people.
struct Answer {
    at: String,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    controls: Vec<Control>,
    said: String,
}

async fn ask(
    lease: &mut Lease,
    path: &str,
    verb: &Verb<'_>,
    nonce: &Nonce,
    deadline: Duration,
) -> Result<Answer, VerbError> {
    ask_with(lease, path, verb, nonce, Vec::new(), deadline).await
}

async fn ask_with(
    lease: &mut Lease,
    path: &str,
    verb: &Verb<'_>,
    nonce: &Nonce,
    stdin: Vec<u8>,
    deadline: Duration,
) -> Result<Answer, VerbError> {
    let command = command(lease, path, verb)?;
    let limits = ExecLimits { deadline, max_output_bytes: MAX_ANSWER_BYTES };
    let output = lease.exec(&command, stdin, limits).await?;
    let at = lease.session().at().to_owned();
    let mut controls = Vec::new();
    for line in output.stderr.split_inclusive(|byte| *byte == b'\n') {
        let read = parse_control(nonce, line);
        controls.extend(read.map_err(|bad| VerbError::NoAnswer { at: at.clone(), said: bad.to_string() })?);
    }
    let said = match (String::from_utf8_lossy(&output.stderr).trim(), output.exit_status) {
        ("", Some(status)) => format!("exit status {status}"),
        ("", None) => "it was killed".to_owned(),
        (text, _) => text.chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect(),
    };
    Ok(Answer { at, stdout: output.stdout, stderr: output.stderr, controls, said })
}

impl Answer {
    /// The first control line that `wanted` takes; else the wrapper's refusal, else that there is no answer.
    fn find<T>(&self, wanted: impl Fn(&Control) -> Option<T>) -> Result<T, VerbError> {
        if let Some(found) = self.controls.iter().find_map(wanted) {
            return Ok(found);
        }
        let refusal = self.controls.iter().find_map(|control| match control {
            Control::Err { code, detail } => {
                Some(VerbError::Refused { at: self.at.clone(), code: *code, detail: detail.clone() })
            }
            _ => None,
        });
        Err(refusal.unwrap_or_else(|| VerbError::NoAnswer { at: self.at.clone(), said: self.said.clone() }))
    }

    /// What is not the wrapper's, of an answer that has nothing on standard output; at most 1,000 characters of each stream.
    fn noise(&self, nonce: &Nonce) -> String {
        let mark = format!("@{nonce} ");
        let stderr = String::from_utf8_lossy(&self.stderr);
        // Noise without a newline stands before a control line.
        let beside = stderr.lines().map(|line| line.split_once(&mark).map_or(line, |(before, _)| before));
        let cut = |text: &str| text.chars().take(1000).collect::<String>();
        let beside = cut(&beside.collect::<Vec<_>>().join("\n"));
        [cut(&String::from_utf8_lossy(&self.stdout)), beside].join("\n").trim().to_owned()
    }

    /// A list is complete with its end mark.
    fn complete(&self) -> Result<(), VerbError> {
        self.find(|control| matches!(control, Control::Eol).then_some(()))
    }
}
