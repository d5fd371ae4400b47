//! The pure core of Shuntyard: what a filter matches, what a configuration says, how a job may
//! change state, which runner takes which job, and the shapes that travel between the crates.
//!
//! Nothing here reads a clock, a file, a socket or the environment; `clippy.toml` beside this file
//! forbids it. Time and identifiers are arguments.

// Tests may; nothing that comes from a host, a disk, a network or a person ends a program.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod access;
pub mod artifacts;
pub mod attempt;
pub mod board;
pub mod certificate_fingerprint;
pub mod change;
pub mod cidr;
pub mod clocks;
pub mod closed;
pub mod command_template;
pub mod digest;
pub mod explain;
pub mod facts;
pub mod fan_out;
pub mod filter;
pub mod git_source;
pub mod ids;
pub mod inventory_file;
pub mod job;
pub mod jump_host;
pub mod label;
pub mod mask;
pub mod outcome;
pub mod output;
pub mod outputs;
pub mod phase;
pub mod pipeline;
pub mod plan;
pub mod pool;
pub mod probe;
pub mod project_config;
pub mod queue;
pub mod receipt;
pub mod recovery;
pub mod runner;
pub mod secret;
pub mod stage;
pub mod tenancy;
pub mod via;
pub mod webhook;
pub mod wire;
pub mod workspace;
pub mod wrapper;
