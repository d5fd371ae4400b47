//! Everything that ends a command early, and the exit code that goes with it.

use std::io;
use std::path::PathBuf;

use shuntyard_domain::certificate_fingerprint::{BadFingerprint, CertificateFingerprint};
use shuntyard_domain::ids::{ChangeId, FanOutId, JobId};
use shuntyard_domain::phase::Stage;
use shuntyard_domain::runner::BadName;
use shuntyard_domain::wire::api::ErrorBody;

use crate::client_error::ClientError;
use crate::commands::artifacts::PlaceError;
use crate::workspace::WorkspaceError;

/// Exit code of a server's or a job's error.
pub const EXIT_ERROR: u8 = 1;
/// Exit code of bad flags and bad configuration.
pub const EXIT_USAGE: u8 = 2;
/// Exit code after Ctrl-C, as shells count signal 2.
pub const EXIT_INTERRUPTED: u8 = 130;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Usage(#[from] Usage),
    #[error("there is no job {0}; `shunt jobs --all` lists those that there are")]
    NoJob(JobId),
    #[error("there is no change {0}; `shunt change list` lists those that there are")]
    NoChange(ChangeId),
    #[error("there is no fan-out {0}; `shunt fan-out list` lists those that there are")]
    NoFanOut(FanOutId),
    #[error("{refused}\nallowed now:\n{steps}")]
    NotAllowed { refused: ClientError, steps: String },
    #[error("cannot start `git`: {0}")]
    Git(#[source] io::Error),
    #[error("{owner} has no secret {name}; `shunt secret list {flag}` lists those that it has")]
    NoSecret { owner: String, flag: String, name: String },
    #[error("there is no unused enrolment token `{0}`; `shunt ctl list-tokens` lists them")]
    NoEnrolmentToken(String),
    #[error("{found} unused enrolment tokens are called `{name}`: name one by its prefix")]
    TokensAlike { name: String, found: usize },
    #[error(
        "there is no API token `{0}` that could be revoked; `shunt token list` lists them, `shunt ctl list-tokens` those of hosts"
    )]
    NoApiToken(String),
    #[error("{found} API tokens are called `{name}`: name one by its prefix")]
    ApiTokensAlike { name: String, found: usize },
    #[error("there is no webhook `{0}`; `shunt ctl webhook list` lists those that there are")]
    NoWebhook(String),
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot watch for Ctrl-C: {0}")]
    Interrupt(#[source] ctrlc::Error),
    #[error("cannot read {path}: {source}")]
    ReadFile { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    WriteFile { path: PathBuf, source: io::Error },
    #[error("{path} is not what `shunt login` has written: {source}. Remove it and log in again")]
    BadLogins { path: PathBuf, source: serde_json::Error },
    #[error("neither XDG_CONFIG_HOME nor HOME is set: there is no place to keep a login in")]
    NoConfigDirectory,
    #[error("nobody is logged in at {server} here; `shunt login {server}`")]
    NotLoggedIn { server: String },
    #[error("{server} does not accept this name and password")]
    LoginDenied { server: String },
    #[error("the certificate was not confirmed; nothing was sent and nothing is kept")]
    CertificateDeclined,
    #[error("cannot read standard input: {0}")]
    ReadInput(#[source] io::Error),
    #[error("cannot ask for the {what}: {source}. Without a terminal, use {instead}")]
    Prompt { what: &'static str, source: io::Error, instead: &'static str },
    #[error("the host showed {second} now and {first} before; nothing was changed")]
    HostKeyDiffers { first: String, second: String },
    #[error("the host key was not confirmed; nothing was changed")]
    HostKeyDeclined,
    #[error("it was changed after the plan was made; apply the file again to see what that means now")]
    PlanIsOld,
    #[error("not confirmed; nothing was changed")]
    Declined,
    #[error("the server ended the stream before the last step. {0}")]
    StepsCut(&'static str),
}

impl Failure {
    /// The process's exit code for this failure.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            // The configuration is correct as far as can be told here, and the server has found faults in it.
            Self::Client(ClientError::Refused(refusal)) if finds_faults(&refusal.body) => EXIT_USAGE,
            _ => EXIT_ERROR,
        }
    }
}

/// Tells whether the server has refused a configuration.
fn finds_faults(body: &ErrorBody) -> bool {
    !body.faults.is_empty() || body.path.as_deref() == Some("config")
}

/// What the user asked for cannot be done as written; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum Usage {
    #[error(
        "name the public key of the host with --key-file (made there: ssh-keygen -q -t ed25519 -N '' -f key), or --stop"
    )]
    NoDialOutKey,
    #[error(transparent)]
    BadName(#[from] BadName),
    #[error("`{found}` is not a server address: {why}. Write it as http://HOST:PORT or https://HOST:PORT")]
    BadServer { found: String, why: String },
    #[error("`{found}` is not a path of the API: {why}")]
    BadPath { found: String, why: &'static str },
    #[error("the body is not JSON: {0}")]
    BadBody(#[source] serde_json::Error),
    #[error("`{found}` is not a filter: {why}")]
    BadFilter { found: String, why: String },
    #[error("`{found}` is not KEY=VALUE with a name of letters, digits and `_`")]
    BadEnv { found: String },
    #[error("`{found}` is not a duration: {why}. Write it as 90s, 10m or 1h30m, at least one second")]
    BadDuration { found: String, why: String },
    #[error("`{found}` is not what `shunt audit check` prints: ROWS:HASH, with 64 hexadecimal digits")]
    BadHead { found: String },
    #[error("`{found}` is not a size: {why}. Write it as 64KiB, 512MiB, 100MB or 2GiB")]
    BadSize { found: String, why: String },
    #[error("`{found}` is not a fingerprint: write it as `ssh-keygen -lf` does, SHA256: and 43 characters")]
    BadFingerprint { found: String },
    #[error("`{found}` names no certificate: {source}")]
    BadPin { found: String, source: BadFingerprint },
    #[error("{path} holds no certificate in PEM form")]
    NoCertificates { path: PathBuf },
    #[error(
        "{server} shows a certificate that nobody has confirmed here: {shown} ({why}). There is no terminal to ask on: compare it \
         with what `shuntd fingerprint` prints there, then give it with --fingerprint {shown}, or name its authority with --ca-file"
    )]
    CertificateUnconfirmed { server: String, shown: CertificateFingerprint, why: String },
    #[error("say as whom to log in: --user NAME")]
    NoUser,
    #[error("standard input has no token: its first line is empty")]
    EmptyToken,
    #[error("say how to log in for the bootstrap: a key (-i FILE) or a password (-P, or --password-stdin)")]
    NoCredential,
    #[error("there is no terminal to ask for a password on: give it with --password-stdin")]
    NoPassword,
    #[error("this is no password that can be kept: it has 8 characters to 1024 bytes")]
    BadPassword,
    #[error("the two passwords differ; nothing was changed")]
    PasswordsDiffer,
    #[error("`{found}` is too long: an API token is good for ten years at most")]
    ApiTokenTooLong { found: String },
    #[error("standard input has no password: its first line is empty")]
    EmptyPassword,
    #[error(
        "will not send a password, a private key or a secret to {server} unencrypted. Use https, run this command on the \
         server's machine, or forward its port: ssh -L 8920:127.0.0.1:8920 HOST"
    )]
    ClearText { server: String },
    #[error(
        "the host's key is not confirmed: it shows {key_type} {fingerprint}. There is no terminal to ask on: \
         compare it, then give it with --host-key {fingerprint}, or accept whatever is shown with --yes"
    )]
    HostKeyUnconfirmed { fingerprint: String, key_type: String },
    #[error(
        "the host shows {key_type} {fingerprint} now. There is no terminal to type it on: read the fingerprint on the \
         host itself, then give it with --host-key"
    )]
    HostKeyUntyped { fingerprint: String, key_type: String },
    #[error(
        "will not send for a token to {server} unencrypted: whoever reads the answer has it. Use https, run this command on the server's machine, or \
         forward its port: ssh -L 8920:127.0.0.1:8920 HOST"
    )]
    ClearTextToken { server: String },
    #[error("`{found}` is too long: a token is good for 30 days at most")]
    TokenTooLong { found: String },
    #[error("`{found}` is not a token's name: 1 to 100 characters")]
    BadTokenName { found: String },
    #[error("`{found}` is not an event; there are {known}")]
    UnknownEvent { found: String, known: String },
    #[error("`{found}` is not the id of a delivery; `shunt ctl webhook deliveries` prints them")]
    BadDeliveryId { found: String },
    #[error("name runners and what to change: +LABEL, -LABEL or KEY=VALUE")]
    NothingToLabel,
    #[error("write `{flag}` before the first runner")]
    FlagBehindWords { flag: String },
    #[error("`{key}` has two values: {values}; a runner has one value for a key")]
    TwoValues { key: String, values: String },
    #[error("`{label}` is both added and removed")]
    AddedAndRemoved { label: String },
    #[error("say what to change: {flags}")]
    NothingToChange { flags: &'static str },
    #[error("`direct` has no jump host: leave the name out, or write `jump NAME`")]
    DirectHasNoName,
    #[error("`enterprise` serves every organisation: leave the name out, or write `org NAME`")]
    EnterpriseHasNoName,
    #[error(
        "{hostname} is new, and nothing says who logs in for its bootstrap: add `user` to it in the file, or use --user"
    )]
    NoLogin { hostname: String },
    #[error("there is no terminal to confirm on: add --yes")]
    ConfirmationNeeded,
    #[error("no configuration in {dir}: looked for {looked}. Name one with --config FILE")]
    NoConfig { dir: PathBuf, looked: String },
    #[error(
        "the last commit in {dir} has no configuration: looked for {looked}. Commit it, or bring the files as they are \
         with --dirty"
    )]
    NoCommittedConfig { dir: PathBuf, looked: String },
    #[error("commit {commit} has no configuration at the top of the repository in {dir}: looked for {looked}")]
    NoConfigInCommit { commit: String, dir: PathBuf, looked: String },
    #[error("`{reference}` is no commit of the repository in {dir}: {said}")]
    NoSuchCommit { reference: String, dir: PathBuf, said: String },
    #[error("the repository in {dir} has no remote `{name}`: {said}. Give the URL: --git URL")]
    NoRemote { name: &'static str, dir: PathBuf, said: String },
    #[error("{bad}. The project is called as its directory, {dir}: name it with --name")]
    OddProjectName { dir: PathBuf, bad: BadName },
    #[error(
        "`{found}` is not a {what} id: give it, or at least 4 characters of its beginning or end; `{list}` lists them"
    )]
    BadId { what: &'static str, list: &'static str, found: String },
    #[error("no {what} has an id that begins or ends with `{found}`; `{list}` lists them")]
    UnknownId { what: &'static str, list: &'static str, found: String },
    #[error("{count} {what}s have an id that begins or ends with `{found}`: give more of it")]
    AmbiguousId { what: &'static str, found: String, count: usize },
    #[error(
        "a new change begins in verify: `shunt run --stage verify` submits one. To run {stage} of a change that there \
         is: shunt run --stage {stage} --change ID"
    )]
    StageWithoutChange { stage: Stage },
    #[error("`{found}` is not a pattern of file names: {why}")]
    BadPattern { found: String, why: String },
    #[error("the project directory {0} has no name that could be the project's")]
    NoProjectName(PathBuf),
    #[error("the value cannot be kept: it must be text of 1 byte to 64 KiB without NUL")]
    BadSecret,
    #[error("the script is empty")]
    EmptyScript,
}
