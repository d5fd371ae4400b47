//! The commands, one file each: flags as written, then checked, then done.

pub mod api;
pub mod artifacts;
pub mod audit;
pub mod cancel;
pub mod change;
pub mod completions;
pub mod config_check;
pub mod enrolment_tokens;
pub mod explain;
pub mod fan_out;
pub mod jobs;
pub mod jump_hosts;
mod list_pages;
pub mod login;
pub mod logs;
pub mod plan;
pub mod pool;
pub mod project_limit;
pub mod queue;
pub mod retention;
pub mod runners;
pub mod secret;
pub mod tenancy;
pub mod token;
pub mod user;
pub mod webhook;

use reqwest::StatusCode;
use shuntyard_domain::ids::JobId;
use shuntyard_domain::runner::RunnerState;

use crate::args::{Args, Command, ConfigCommand, CtlCommand};
use crate::client::Client;
use crate::client_error::ClientError;
use crate::connection::Connection;
use crate::failure::Failure;

/// Does what the command line says and returns the exit code.
///
/// # Errors
/// `Failure`, to be shown as one sentence.
pub async fn run(args: Args) -> Result<u8, Failure> {
    let connect = || -> Result<Client, Failure> { Ok(Client::new(Connection::resolve(&args.connection)?)?) };
    match args.command {
        Command::Run(run) => crate::run::run(connect, *run).await,
        Command::Audit(args) => audit::run(&connect()?, args).await,
        Command::Jobs(jobs) => jobs::run(&connect()?, jobs).await,
        Command::Logs(logs) => logs::run(&connect()?, logs).await,
        Command::Cancel(cancel) => cancel::run(&connect()?, cancel).await,
        Command::Explain(explain) => explain::run(&connect()?, explain).await,
        Command::Change(change) => change::run(connect, change).await,
        Command::FanOut(command) => fan_out::run(&connect()?, command).await,
        Command::Plan(plan) => plan::run(connect, plan).await,
        Command::Artifacts(artifacts) => artifacts::run(&connect()?, artifacts).await,
        Command::Org(org) => tenancy::org(&connect()?, org).await,
        Command::Project(project) => tenancy::project(&connect()?, project).await,
        Command::Pipeline(pipeline) => tenancy::pipeline(&connect()?, pipeline).await,
        Command::Config(ConfigCommand::Check(check)) => config_check::run(&check),
        Command::User(command) => user::run(&connect()?, command).await,
        Command::Token(command) => token::run(&connect()?, command).await,
        Command::Secret(command) => secret::run(&connect()?, command).await,
        Command::Queue(command) => queue::run(&connect()?, command).await,
        Command::Retention(command) => retention::run(&connect()?, command).await,
        Command::Ctl(CtlCommand::InstallRunner(install)) => runners::install::run(&connect()?, install).await,
        Command::Ctl(CtlCommand::DeleteRunner(delete)) => runners::delete::run(&connect()?, delete).await,
        Command::Ctl(CtlCommand::ListRunners(list)) => runners::list::run(&connect()?, list).await,
        Command::Ctl(CtlCommand::ShowRunner(show)) => runners::show::run(&connect()?, show).await,
        Command::Ctl(CtlCommand::TestRunner(test)) => runners::test::run(&connect()?, test).await,
        Command::Ctl(CtlCommand::Doctor(doctor)) => runners::doctor::run(&connect()?, doctor).await,
        Command::Ctl(CtlCommand::AcceptHostKey(accept)) => runners::accept_host_key::run(&connect()?, accept).await,
        Command::Ctl(CtlCommand::RotateKey(rotate)) => runners::rotate_key::run(&connect()?, rotate).await,
        Command::Ctl(CtlCommand::Approve(approve)) => runners::approve::run(&connect()?, approve).await,
        Command::Ctl(CtlCommand::DialOut(dial_out)) => runners::dial_out::run(&connect()?, dial_out).await,
        Command::Ctl(CtlCommand::CreateToken(create)) => enrolment_tokens::create::run(&connect()?, create).await,
        Command::Ctl(CtlCommand::ListTokens(list)) => enrolment_tokens::list::run(&connect()?, list).await,
        Command::Ctl(CtlCommand::RevokeToken(revoke)) => enrolment_tokens::revoke::run(&connect()?, revoke).await,
        Command::Ctl(CtlCommand::Pool(command)) => pool::run(&connect()?, command).await,
        Command::Ctl(CtlCommand::Webhook(command)) => webhook::run(&connect()?, command).await,
        Command::Ctl(CtlCommand::Label(label)) => runners::label::run(&connect()?, label).await,
        Command::Ctl(CtlCommand::Scope(scope)) => runners::scope::run(&connect()?, scope).await,
        Command::Ctl(CtlCommand::Via(via)) => runners::via::run(&connect()?, via).await,
        Command::Ctl(CtlCommand::JumpHost(command)) => jump_hosts::run(&connect()?, command).await,
        Command::Ctl(CtlCommand::Drain(args)) => runners::state::run(&connect()?, RunnerState::Draining, args).await,
        Command::Ctl(CtlCommand::Disable(args)) => runners::state::run(&connect()?, RunnerState::Disabled, args).await,
        Command::Ctl(CtlCommand::Enable(args)) => runners::state::run(&connect()?, RunnerState::Enrolled, args).await,
        Command::Ctl(CtlCommand::Apply(apply)) => runners::apply::run(connect, apply).await,
        Command::Ctl(CtlCommand::Export(export)) => runners::export::run(&connect()?, export).await,
        Command::Login(login) => login::run(&args.connection, login).await,
        Command::Logout(logout) => login::logout::run(&args.connection, logout).await,
        Command::Whoami(whoami) => login::whoami::run(&args.connection, whoami).await,
        Command::Api(api) => api::run(&connect()?, api).await,
        Command::Completions(completions) => completions::run(&completions),
        Command::Man(man) => completions::man(&man),
    }
}

/// Turns "not found" about one job into a sentence that names the next step.
pub fn of_job(id: JobId, error: ClientError) -> Failure {
    match error {
        ClientError::Refused(refusal)
            if refusal.status == StatusCode::NOT_FOUND && refusal.body.error == "not_found" =>
        {
            Failure::NoJob(id)
        }
        error => error.into(),
    }
}
