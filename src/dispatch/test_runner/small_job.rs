//! A job that nobody submitted: the Test's own, through the runner's wrapper.

use std::collections::BTreeMap;
use std::time::Duration;

use shuntyard_domain::ids::{AttemptId, JobId};
use shuntyard_domain::job::JobSpec;
use shuntyard_domain::output::Cksum;
use shuntyard_domain::wire::control::{ErrCode, ResultRecord};
use shuntyard_domain::wire::frame::{BadFrame, Frame};

use crate::dispatch::new_id;
use crate::ssh::attempt::{self, Attempt, AttemptEvent, GoneWhy, VerbError};
use crate::ssh::{ExecError, Lease};

const JOB_DEADLINE: Duration = Duration::from_secs(30);
/// No script of ours prints as much.
const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// The small job did not do what a job does.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobFault {
    #[error(transparent)]
    Start(#[from] VerbError),
    #[error(transparent)]
    Frame(#[from] BadFrame),
    #[error("the host refused the job: {detail} ({code})")]
    Refused { code: ErrCode, detail: String },
    #[error("the small job did not end within 30 s")]
    Slow,
    #[error("the channel of the small job ended: {0:?}")]
    Gone(Option<GoneWhy>),
    #[error("the host said {0} of a job that nobody has started before")]
    Odd(String),
    #[error("the small job wrote more than 1 MiB")]
    TooMuch,
    #[error("the small job ended with {code} and wrote {said:?}")]
    Wrong { code: i32, said: String },
}

impl JobFault {
    /// True when it is the connection that has failed, or has no room: it says nothing about the host as a runner.
    pub(super) const fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Start(VerbError::Exec(error)) => of_the_connection(error),
            Self::Gone(Some(GoneWhy::Disconnected)) => true,
            _ => false,
        }
    }
}

pub(super) const fn of_the_connection(error: &ExecError) -> bool {
    match error {
        ExecError::Connect(_) | ExecError::ChannelRefused { .. } | ExecError::ConnectionLost { .. } => true,
        ExecError::OpenDeadline { .. } | ExecError::Deadline { .. } | ExecError::TooMuchOutput { .. } => false,
    }
}

/// A job's output must come back whole, with the right sum.
pub(super) async fn run_echo(lease: &mut Lease, wrapper_path: &str) -> Result<(), JobFault> {
    let expected = format!("shuntyard {}\n", new_id());
    let (record, output) = run_small_job(lease, wrapper_path, format!("echo '{}'", expected.trim_end())).await?;
    let mut sum = Cksum::default();
    sum.update(&output);
    if output != expected.as_bytes() || record.exit_code != 0 || record.cksum != sum.value() {
        let said = String::from_utf8_lossy(&output).chars().take(200).collect();
        return Err(JobFault::Wrong { code: record.exit_code, said });
    }
    Ok(())
}

/// Runs `script` as a job, and returns its end and its output.
pub(super) async fn run_small_job(
    lease: &mut Lease,
    wrapper_path: &str,
    script: String,
) -> Result<(ResultRecord, Vec<u8>), JobFault> {
    let id = AttemptId { job: JobId(new_id()), attempt: 1 };
    let spec = JobSpec { run_limit_s: Some(20), ..JobSpec::shell(script) };
    let frame = Frame { spec: &spec, env: &BTreeMap::new() }.encode()?;
    let stream = attempt::start(lease, wrapper_path, id, frame, 0).await?;
    tokio::time::timeout(JOB_DEADLINE, result(stream)).await.unwrap_or(Err(JobFault::Slow))
}

async fn result(mut stream: Attempt) -> Result<(ResultRecord, Vec<u8>), JobFault> {
    let (mut output, mut result) = (Vec::new(), None);
    loop {
        if let Some(record) = result.filter(|r: &ResultRecord| output.len() as u64 >= r.size) {
            stream.acknowledge().await;
            return Ok((record, output));
        }
        match stream.events.recv().await.ok_or(JobFault::Gone(None))? {
            AttemptEvent::Started { .. } | AttemptEvent::Attached { .. } | AttemptEvent::Receipt(_) => (),
            AttemptEvent::Output(bytes) => output.extend_from_slice(&bytes),
            AttemptEvent::Ended(record) => result = Some(record),
            AttemptEvent::Refused { code, detail } => return Err(JobFault::Refused { code, detail }),
            AttemptEvent::Gone { why } => return Err(JobFault::Gone(Some(why))),
            other => return Err(JobFault::Odd(format!("{other:?}"))),
        }
        if output.len() > MAX_OUTPUT_BYTES {
            return Err(JobFault::TooMuch);
        }
    }
}
