//! Shapes that travel: to the runner's wrapper (`frame`, `control`, `collect`) and over HTTP (`api`, `workspace`).

pub mod access;
pub mod api;
pub mod audit;
pub mod change;
mod clone;
pub mod collect;
pub mod control;
pub mod dial_out;
pub mod enrolment;
pub mod events;
pub mod fan_out;
pub mod frame;
pub mod idempotency;
pub mod jump_host;
pub mod object;
pub mod pipelines;
pub mod pools;
pub mod queue;
pub mod retention;
#[cfg(feature = "openapi")]
pub mod schema;
pub mod secret;
pub mod secret_files;
pub mod status;
pub mod tenancy;
pub mod time_text;
pub mod webhook;
pub mod workspace;
