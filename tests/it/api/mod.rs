//! Tests of the api area.

mod errors;
pub mod http;
mod limits;
pub mod users;
mod walk;
mod workspaces;
