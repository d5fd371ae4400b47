//! Tests of the api area.

mod errors;
pub mod http;
pub mod users;
mod walk;
mod workspaces;
