//! Tests of the api area.

mod errors;
pub mod http;
mod idempotency;
mod openapi;
pub mod users;
mod walk;
mod workspaces;
