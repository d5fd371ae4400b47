//! What the engine answers when it cannot do what was asked.

use shuntyard_domain::ids::{ChangeId, FanOutId, JobId};
use shuntyard_domain::project_config::Fault;
use shuntyard_domain::runner::BadName;
use shuntyard_domain::stage::Refusal;

use super::quotas::OverQuota;
use crate::blobs::BlobError;
use crate::logs::LogError;
use crate::sealed::SealError;
use crate::ssh::{ConnectError, KeyError};
use crate::store::{ApplyError, StoreError, article};

/// An operation of the engine failed.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// Retention has removed it.
    #[error("{what} of job {job} was removed at {at}, as [retention] says")]
    Removed { job: JobId, what: &'static str, at: String },
    #[error("there is no runner `{0}`")]
    NoRunner(String),
    #[error("there is no jump host `{0}`")]
    NoJumpHost(String),
    #[error("jump host `{name}` leads to {}; remove them, or change their way, first", by.join(", "))]
    JumpHostUsed { name: String, by: Vec<String> },
    #[error("there is no change {0}")]
    NoChange(ChangeId),
    #[error("there is no fan-out {0}")]
    NoFanOut(FanOutId),
    #[error("fan-out {0} has not ended; wait for its end, or cancel it first")]
    FanOutRuns(FanOutId),
    /// An organisation, project or pipeline.
    #[error("there is no such {0}")]
    NoPlace(&'static str),
    #[error("there is no pool `{0}`")]
    NoPool(String),
    #[error("there is no webhook {0}")]
    NoWebhook(String),
    #[error("the webhook has no delivery {0}; old ones are removed after a week")]
    NoDelivery(String),
    #[error("there is no enrolment token {0}")]
    NoToken(String),
    #[error("this dispatcher does not listen for hosts that dial out; set [dialout] listen in its configuration")]
    DialOutOff,
    #[error("the token `{name}` was used already, for runner `{hostname}`; delete that runner instead")]
    TokenUsed { name: String, hostname: String },
    #[error("there is already {} {what} `{key}`", article(.what))]
    Taken { what: &'static str, key: String },
    #[error("{0}")]
    NotAllowed(Refusal),
    #[error("change {0} is being changed by others all the time; try again")]
    Raced(ChangeId),
    #[error("the configuration has {} fault(s); the first: {}", .0.len(), .0.first().map_or("", |f| &f.message))]
    BadConfig(Vec<Fault>),
    #[error("{path}: {message}")]
    BadRequest { path: String, message: String, allowed: Vec<String> },
    /// `instead` says what to do.
    #[error("`{hostname}` is the dispatcher's own machine: {instead}")]
    IsLocal { hostname: String, instead: &'static str },
    #[error(
        "there is already a runner `{0}`, which was installed by hand; give the local one another name ([local] name), \
         or turn it off and delete that runner first"
    )]
    LocalNameTaken(String),
    #[error("another installation or removal of `{0}` is under way")]
    UnderWay(String),
    #[error("runner `{hostname}` has {running} running job(s); cancel them first, or use force")]
    RunnerBusy { hostname: String, running: usize },
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the system's random source failed")]
    Random,
    #[error("a blocking task was interrupted by shutdown")]
    Interrupted,
}

/// A value of a request that is outside of what is allowed.
pub(super) fn bad(path: impl Into<String>, message: impl Into<String>, allowed: &[&str]) -> DispatchError {
    DispatchError::BadRequest {
        path: path.into(),
        message: message.into(),
        allowed: allowed.iter().map(|a| (*a).to_owned()).collect(),
    }
}

/// An error with its causes, for a log line or a sentence to a person.
pub(super) fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // A transparent error is its own cause.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
