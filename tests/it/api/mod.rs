//! Tests of the api area.

mod errors;
mod http;
