//! Tests of the api area.

mod errors;
pub mod http;
mod openapi;
pub mod users;
mod walk;
mod workspaces;
