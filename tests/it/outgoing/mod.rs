//! Calls out, against a real receiver over TLS.

pub mod calls;
mod refused;
