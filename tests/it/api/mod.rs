//! Tests of the api area.

mod errors;
mod events;
pub mod http;
mod idempotency;
pub mod users;
mod walk;
mod workspaces;
