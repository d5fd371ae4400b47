//! Tests of the api area.

mod errors;
pub mod http;
mod idempotency;
mod workspaces;
