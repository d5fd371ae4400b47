//! Tests of the api area.

mod errors;
pub mod http;
mod openapi;
mod workspaces;
