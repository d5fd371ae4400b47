//! The command line as it is written: one variant per command, each command's flags beside its code.

use clap::{Parser, Subcommand};

use crate::commands::artifacts::ArtifactsCommand;
use crate::commands::audit::AuditArgs;
use crate::commands::change::ChangeCommand;
use crate::commands::enrolment_tokens;
use crate::commands::fan_out::FanOutCommand;
use crate::commands::jump_hosts::JumpHostCommand;
use crate::commands::login::LoginArgs;
use crate::commands::login::logout::LogoutArgs;
use crate::commands::login::whoami::WhoamiArgs;
use crate::commands::pool::PoolCommand;
use crate::commands::queue::QueueCommand;
use crate::commands::retention::RetentionCommand;
use crate::commands::runners::{
    accept_host_key, apply, approve, delete, dial_out, doctor, export, install, label, list, rotate_key, scope, show,
    state, test, via,
};
use crate::commands::secret::SecretCommand;
use crate::commands::tenancy::{OrgCommand, PipelineCommand, ProjectCommand};
use crate::commands::token::TokenCommand;
use crate::commands::user::UserCommand;
use crate::commands::webhook::WebhookCommand;
use crate::commands::{api, cancel, completions, config_check, explain, jobs, logs, plan};
use crate::connection::ConnectionArgs;
use crate::run::RunArgs;

const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    the server or the job reported an error
  2    bad flags, bad configuration
  130  stopped by Ctrl-C
`shunt run` ends with the job's own exit code; of several jobs, with the worst one.";

/// Runs phase jobs and commands on hosts that have only sshd and a shell
#[derive(Parser, Debug)]
#[command(name = "shunt", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Run(Box<RunArgs>),
    Jobs(jobs::JobsArgs),
    Logs(logs::LogsArgs),
    Cancel(cancel::CancelArgs),
    Explain(explain::ExplainArgs),
    /// List, show, follow, end and repeat what `shunt run --all` has begun
    #[command(subcommand)]
    FanOut(FanOutCommand),
    Plan(plan::PlanArgs),
    /// Submit changes and move them through their pipelines
    #[command(subcommand)]
    Change(ChangeCommand),
    /// List and fetch the files that a job has kept
    #[command(subcommand)]
    Artifacts(ArtifactsCommand),
    /// List and make organisations
    #[command(subcommand)]
    Org(OrgCommand),
    /// List, make and show projects
    #[command(subcommand)]
    Project(ProjectCommand),
    /// List and make the pipelines of a project
    #[command(subcommand)]
    Pipeline(PipelineCommand),
    /// Check a project's configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Keep secrets for jobs
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Pause the queue and let it go on
    #[command(subcommand)]
    Queue(QueueCommand),
    /// See what retention would remove
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Manage users and their roles
    #[command(subcommand)]
    User(UserCommand),
    /// Make, list and revoke API tokens of people and programs
    #[command(subcommand)]
    Token(TokenCommand),
    /// Manage runners, jump hosts, pools and webhooks
    #[command(subcommand)]
    Ctl(CtlCommand),
    Login(LoginArgs),
    Logout(LogoutArgs),
    Whoami(WhoamiArgs),
    Audit(AuditArgs),
    Api(api::ApiArgs),
    Completions(completions::CompletionsArgs),
    #[command(hide = true)]
    Man(completions::ManArgs),
}

#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    Check(config_check::CheckArgs),
}

#[derive(Subcommand, Debug)]
pub enum CtlCommand {
    InstallRunner(install::InstallArgs),
    DeleteRunner(delete::DeleteArgs),
    ListRunners(list::ListArgs),
    ShowRunner(show::ShowArgs),
    TestRunner(test::TestArgs),
    Doctor(doctor::DoctorArgs),
    AcceptHostKey(accept_host_key::AcceptArgs),
    RotateKey(rotate_key::RotateKeyArgs),
    Approve(approve::ApproveArgs),
    DialOut(dial_out::DialOutArgs),
    CreateToken(enrolment_tokens::create::CreateArgs),
    ListTokens(enrolment_tokens::list::ListArgs),
    RevokeToken(enrolment_tokens::revoke::RevokeArgs),
    /// Start machines on demand
    #[command(subcommand)]
    Pool(PoolCommand),
    Label(label::LabelArgs),
    Scope(scope::ScopeArgs),
    Via(via::ViaArgs),
    /// Manage jump hosts, through which runners are reached
    #[command(subcommand)]
    JumpHost(JumpHostCommand),
    /// Let runners finish their jobs and take no more
    Drain(state::StateArgs),
    /// Let runners take no jobs; those that run there go on
    Disable(state::StateArgs),
    /// Let drained or disabled runners take jobs again
    Enable(state::StateArgs),
    Apply(apply::ApplyArgs),
    Export(export::ExportArgs),
    /// Tell other programs of events of jobs and runners
    #[command(subcommand)]
    Webhook(WebhookCommand),
}
