//! `shunt`, the command line of Shuntyard: speaks HTTP with the dispatcher and nothing else.

// Tests may; nothing that comes from a host, a disk, a network or a person ends a program.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod args;
mod change;
mod client;
mod client_error;
mod commands;
mod connection;
mod event_stream;
mod failure;
mod fan_out;
mod git;
mod logins;
mod pretty_json;
mod project;
mod run;
mod short_id;
mod snapshots;
mod sse;
mod steps;
mod table;
mod terminal;
mod trust;
mod turns;
mod workspace;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use crate::args::Args;
use crate::failure::Failure;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // clap shows the help only when the environment says nothing either.
        Err(error) if error.kind() == ErrorKind::MissingSubcommand => {
            terminal::note(help_of_group(&error).trim_end());
            return ExitCode::from(failure::EXIT_USAGE);
        }
        Err(error) => error.exit(),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => return report(&Failure::Runtime(source)),
    };
    match runtime.block_on(commands::run(args)) {
        Ok(code) => ExitCode::from(code),
        // The reader of our output has seen enough (`shunt jobs | head`): that is no error.
        Err(Failure::Output(source)) if source.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// The help of the group whose command is missing; clap names it as a whole, `shunt ctl pool`.
fn help_of_group(error: &clap::Error) -> String {
    let mut group = Args::command();
    group.build();
    if let Some(ContextValue::String(called)) = error.get(ContextKind::InvalidSubcommand) {
        for word in called.split_whitespace().skip(1) {
            if let Some(inner) = group.find_subcommand(word).cloned() {
                group = inner;
            }
        }
    }
    group.render_help().to_string()
}

fn report(failure: &Failure) -> ExitCode {
    terminal::note(&format!("error: {failure}"));
    ExitCode::from(failure.exit_code())
}
