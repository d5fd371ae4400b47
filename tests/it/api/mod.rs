//! Tests of the api area.

mod chef;
mod errors;
mod events;
pub mod http;
mod idempotency;
mod limits;
mod openapi;
pub mod users;
mod walk;
mod workspaces;
