//! Tests of the api area.

mod chef;
mod errors;
mod events;
pub mod http;
mod idempotency;
mod limits;
pub mod users;
mod walk;
mod workspaces;
